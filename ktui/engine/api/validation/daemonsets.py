"""Rules for DaemonSets: a selector that fits the template, and an update strategy that can make progress."""

from __future__ import annotations

from ktui.engine.api.validation.fields import invalid, non_negative, required, unsupported
from ktui.engine.api.validation.metadata import check_metadata, check_metadata_update
from ktui.engine.api.validation.pod_template import check_template
from ktui.engine.api.validation.workloads import check_int_or_percent, check_selector, is_zero, same_selector
from ktui.kube.errors import Cause
from ktui.kube.intorstring import percent_of
from ktui.kube.resource import Object


def validate_daemon_set(daemon_set: Object) -> list[Cause]:
    spec: Object = daemon_set.get("spec") or {}
    return [
        *check_metadata(daemon_set, namespaced=True),
        *check_selector(spec, "empty selector is invalid for daemonset"),
        *check_template(spec.get("template") or {}, "spec.template", restart_always="DaemonSet"),
        *non_negative("spec.minReadySeconds", spec.get("minReadySeconds")),
        *_strategy(spec.get("updateStrategy") or {}, "spec.updateStrategy"),
        *non_negative("spec.revisionHistoryLimit", spec.get("revisionHistoryLimit")),
    ]


def validate_daemon_set_update(new: Object, old: Object) -> list[Cause]:
    return check_metadata_update(new, old) + same_selector(new, old)


def _strategy(strategy: Object, path: str) -> list[Cause]:
    match strategy.get("type") or "":
        case "OnDelete":
            return []
        case "RollingUpdate":
            rolling: Object | None = strategy.get("rollingUpdate")
            if rolling is None:
                return [required(f"{path}.rollingUpdate")]
            return _rolling(rolling, f"{path}.rollingUpdate")
        case _:
            return [unsupported(path, strategy, ("OnDelete", "RollingUpdate"))]


def _rolling(rolling: Object, path: str) -> list[Cause]:
    unavailable, surge = rolling.get("maxUnavailable"), rolling.get("maxSurge")
    causes = [
        *check_int_or_percent(unavailable, f"{path}.maxUnavailable"),
        *check_int_or_percent(surge, f"{path}.maxSurge"),
    ]
    if not causes and not is_zero(unavailable) and not is_zero(surge):
        causes.append(invalid(f"{path}.maxSurge", surge, "may not be set when maxUnavailable is non-zero"))
    if not causes and is_zero(unavailable) and is_zero(surge):
        causes.append(required(f"{path}.maxUnavailable", "cannot be 0 when maxSurge is 0"))
    for field, value in (("maxUnavailable", unavailable), ("maxSurge", surge)):
        if (percent_of(value) or 0) > 100:
            causes.append(invalid(f"{path}.{field}", value, "must not be greater than 100%"))
    return causes
