"""Rules for StatefulSets: order, strategy, claims, and the few fields that may change later.

A template's mounts may name a claim template in place of a volume, so the template is checked with the volumes
its pods will have.
"""

from __future__ import annotations

from typing import Any, Final

from ktui.engine.api.validation.fields import (
    each_invalid,
    forbidden,
    invalid,
    non_negative,
    required,
    unsupported,
)
from ktui.engine.api.validation.metadata import check_metadata, check_metadata_update
from ktui.engine.api.validation.pod_template import check_template
from ktui.engine.api.validation.workloads import check_int_or_percent, check_selector, is_zero
from ktui.kube import names
from ktui.kube.data import items, section, string
from ktui.kube.errors import Cause
from ktui.kube.intorstring import percent_of
from ktui.kube.resource import Object

_CHANGEABLE: Final = (
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
)
_NUMBERS: Final = (
    "replicas", "readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas",
    "observedGeneration", "collisionCount",
)  # fmt: skip


def validate_stateful_set(stateful_set: Object) -> list[Cause]:
    spec: Object = stateful_set.get("spec") or {}
    service = string(spec, "serviceName")
    return [
        *check_metadata(stateful_set, namespaced=True, name_rule=names.dns_label),
        *_policy(string(spec, "podManagementPolicy")),
        *_strategy(spec.get("updateStrategy") or {}, "spec.updateStrategy"),
        *_retention(section(spec, "persistentVolumeClaimRetentionPolicy")),
        *non_negative("spec.replicas", spec.get("replicas")),
        *non_negative("spec.minReadySeconds", spec.get("minReadySeconds")),
        *non_negative("spec.revisionHistoryLimit", spec.get("revisionHistoryLimit")),
        *non_negative("spec.ordinals.start", section(spec, "ordinals").get("start")),
        *(each_invalid("spec.serviceName", service, names.dns_label(service)) if service else ()),
        *check_selector(spec, "empty selector is invalid for statefulset"),
        *check_template(_with_claims(spec), "spec.template", restart_always="StatefulSet"),
    ]


def validate_stateful_set_update(new: Object, old: Object) -> list[Cause]:
    causes = check_metadata_update(new, old)
    if _fixed(new) != _fixed(old):
        *first, last = (f"'{field}'" for field in _CHANGEABLE)
        why = f"updates to statefulset spec for fields other than {', '.join(first)} and {last} are forbidden"
        causes.append(forbidden("spec", why))
    return causes


def validate_stateful_set_status(new: Object, old: Object) -> list[Cause]:
    """Counts are not negative and none is greater than the number of pods."""
    status, before = section(new, "status"), section(old, "status")
    causes: list[Cause] = []
    for field in _NUMBERS:
        causes += non_negative(f"status.{field}", status.get(field))
    replicas: int = status.get("replicas") or 0
    for field in _NUMBERS[1:5]:
        count: int = status.get(field) or 0
        if count > replicas:
            causes.append(invalid(f"status.{field}", count, "cannot be greater than status.replicas"))
    collisions: int = status.get("collisionCount") or 0
    if collisions < (before.get("collisionCount") or 0):
        causes.append(invalid("status.collisionCount", collisions, "cannot be decremented"))
    return causes


def _fixed(stateful_set: Object) -> Object:
    spec = section(stateful_set, "spec")
    return {
        name: value for name, value in spec.items() if name not in _CHANGEABLE and value not in (None, [])
    }


def _with_claims(spec: Object) -> Object:
    template: Object = spec.get("template") or {}
    claims = [string(section(claim, "metadata"), "name") for claim in items(spec, "volumeClaimTemplates")]
    if not claims:
        return template
    pod = section(template, "spec")
    volumes: list[Object] = [
        *(volume for volume in items(pod, "volumes") if volume.get("name") not in claims),
        *({"name": name, "persistentVolumeClaim": {"claimName": name}} for name in claims if name),
    ]
    return {**template, "spec": {**pod, "volumes": volumes}}


def _policy(policy: str) -> list[Cause]:
    if not policy:
        return [required("spec.podManagementPolicy")]
    if policy not in ("OrderedReady", "Parallel"):
        return [invalid("spec.podManagementPolicy", policy, "must be 'OrderedReady' or 'Parallel'")]
    return []


def _strategy(strategy: Object, path: str) -> list[Cause]:
    rolling: Object | None = strategy.get("rollingUpdate")
    match strategy.get("type") or "":
        case "":
            return [required(path)]
        case "OnDelete":
            if rolling is None:
                return []
            why = "only allowed for updateStrategy 'RollingUpdate'"
            return [invalid(f"{path}.rollingUpdate", rolling, why)]
        case "RollingUpdate":
            return _rolling(rolling or {}, f"{path}.rollingUpdate")
        case _:
            return [invalid(path, strategy, "must be 'RollingUpdate' or 'OnDelete'")]


def _rolling(rolling: Object, path: str) -> list[Cause]:
    unavailable: Any = rolling.get("maxUnavailable")
    causes = non_negative(f"{path}.partition", rolling.get("partition"))
    wrong = check_int_or_percent(unavailable, f"{path}.maxUnavailable")
    if not wrong and unavailable is not None and is_zero(unavailable):
        wrong.append(invalid(f"{path}.maxUnavailable", unavailable, "cannot be 0"))
    if (percent_of(unavailable) or 0) > 100:
        wrong.append(invalid(f"{path}.maxUnavailable", unavailable, "must not be greater than 100%"))
    return causes + wrong


def _retention(policy: Object) -> list[Cause]:
    causes: list[Cause] = []
    for field in ("whenDeleted", "whenScaled"):
        value = policy.get(field)
        if value not in ("Retain", "Delete"):
            causes.append(
                unsupported(f"spec.persistentVolumeClaimRetentionPolicy.{field}", value, ("Delete", "Retain"))
            )
    return causes
