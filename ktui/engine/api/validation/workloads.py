"""Rules for Deployments and ReplicaSets: selectors that fit their templates, strategies, numbers."""

from __future__ import annotations

from typing import Any

from ktui.engine.api.validation.fields import immutable, invalid, non_negative, required, unsupported
from ktui.engine.api.validation.metadata import check_metadata, check_metadata_update
from ktui.engine.api.validation.pod_template import check_template
from ktui.engine.api.validation.selectors import check_label_selector, is_empty
from ktui.kube import names
from ktui.kube.data import mapping, section
from ktui.kube.errors import Cause
from ktui.kube.intorstring import percent_of
from ktui.kube.resource import Object
from ktui.kube.selector import Selector, SelectorError


def validate_replica_set(replica_set: Object) -> list[Cause]:
    spec: Object = replica_set.get("spec") or {}
    return [
        *check_metadata(replica_set, namespaced=True),
        *non_negative("spec.replicas", spec.get("replicas")),
        *non_negative("spec.minReadySeconds", spec.get("minReadySeconds")),
        *check_selector(spec, "empty selector is invalid for deployment"),
        *check_template(spec.get("template") or {}, "spec.template", restart_always="ReplicaSet"),
    ]


def validate_replica_set_update(new: Object, old: Object) -> list[Cause]:
    return check_metadata_update(new, old) + same_selector(new, old)


def validate_deployment(deployment: Object) -> list[Cause]:
    spec: Object = deployment.get("spec") or {}
    return [
        *check_metadata(deployment, namespaced=True),
        *non_negative("spec.replicas", spec.get("replicas")),
        *check_selector(spec, "empty selector is invalid for deployment"),
        *check_template(spec.get("template") or {}, "spec.template", restart_always="ReplicaSet"),
        *_strategy(spec.get("strategy") or {}, "spec.strategy"),
        *non_negative("spec.minReadySeconds", spec.get("minReadySeconds")),
        *non_negative("spec.revisionHistoryLimit", spec.get("revisionHistoryLimit")),
        *_deadline(spec),
    ]


def validate_deployment_update(new: Object, old: Object) -> list[Cause]:
    return check_metadata_update(new, old) + same_selector(new, old)


def check_selector(spec: Object, empty: str, path: str = "spec") -> list[Cause]:
    """A workload's selector is there, valid, not empty, and picks the pods of its template."""
    selector: Object | None = spec.get("selector")
    if selector is None:
        causes = [required(f"{path}.selector")]
    else:
        causes = check_label_selector(selector, f"{path}.selector")
        if is_empty(selector):
            causes.append(invalid(f"{path}.selector", selector, empty))
    return causes + check_picks_template(spec, path)


def check_picks_template(spec: Object, path: str = "spec") -> list[Cause]:
    """The selector matches the labels of the template's pods; one that can't be read is refused elsewhere."""
    selector: Object | None = spec.get("selector")
    labels = mapping(section(spec, "template", "metadata"), "labels")
    try:
        matches = is_empty(selector) or Selector.of(selector).matches(labels)
    except SelectorError:
        return []
    if matches:
        return []
    why = "`selector` does not match template `labels`"
    return [invalid(f"{path}.template.metadata.labels", labels, why)]


def same_selector(new: Object, old: Object) -> list[Cause]:
    """A workload's selector never changes."""
    after: Object = new.get("spec") or {}
    before: Object = old.get("spec") or {}
    return immutable("spec.selector", after.get("selector"), before.get("selector"))


def _deadline(spec: Object) -> list[Cause]:
    deadline = spec.get("progressDeadlineSeconds")
    if deadline is None:
        return []
    causes = non_negative("spec.progressDeadlineSeconds", deadline)
    if deadline <= (spec.get("minReadySeconds") or 0):
        causes.append(
            invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds")
        )
    return causes


def _strategy(strategy: Object, path: str) -> list[Cause]:
    rolling: Object | None = strategy.get("rollingUpdate")
    match strategy.get("type") or "":
        case "Recreate":
            if rolling is not None:
                return [
                    Cause(
                        f"{path}.rollingUpdate",
                        "FieldValueForbidden",
                        "Forbidden: may not be specified when strategy `type` is 'Recreate'",
                    )
                ]
            return []
        case "RollingUpdate":
            if rolling is None:
                return [required(f"{path}.rollingUpdate", "this should be defaulted and never be nil")]
            return _rolling(rolling, f"{path}.rollingUpdate")
        case kind:
            return [unsupported(path, strategy or kind, ("Recreate", "RollingUpdate"))]


def _rolling(rolling: Object, path: str) -> list[Cause]:
    unavailable, surge = rolling.get("maxUnavailable"), rolling.get("maxSurge")
    causes = [
        *check_int_or_percent(unavailable, f"{path}.maxUnavailable"),
        *check_int_or_percent(surge, f"{path}.maxSurge"),
    ]
    if not causes and is_zero(unavailable) and is_zero(surge):
        causes.append(invalid(f"{path}.maxUnavailable", unavailable, "may not be 0 when `maxSurge` is 0"))
    share = percent_of(unavailable)
    if share is not None and share > 100:
        causes.append(invalid(f"{path}.maxUnavailable", unavailable, "must not be greater than 100%"))
    return causes


def check_int_or_percent(value: Any, path: str) -> list[Cause]:
    """A number that is not negative, or a percentage."""
    if value is None:
        return []
    if isinstance(value, str):
        return [invalid(path, value, problem) for problem in names.percent(value)]
    return non_negative(path, value)


def is_zero(value: Any) -> bool:
    """No number, 0 or 0%."""
    return value in (None, 0) or percent_of(value) == 0
