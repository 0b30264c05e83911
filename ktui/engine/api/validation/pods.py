"""Rules for pods: creation, and the few changes an update may make."""

from __future__ import annotations

import re
from typing import Any, Final

from ktui.engine.api.validation.difference import difference
from ktui.engine.api.validation.fields import forbidden, immutable, invalid
from ktui.engine.api.validation.metadata import check_metadata, check_metadata_update
from ktui.engine.api.validation.pod_spec import check_pod_spec
from ktui.engine.api.validation.scheduling import REQUIRED
from ktui.kube.data import items, mapping, section, string
from ktui.kube.errors import Cause
from ktui.kube.resource import Object

_DELETION_COST: Final = "controller.kubernetes.io/pod-deletion-cost"
_MIRROR: Final = "kubernetes.io/config.mirror"
_LARGEST_DEADLINE: Final = 2**31 - 1
_SHOWN_CHANGES: Final = 20
_UPDATABLE: Final = (
    "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` "
    "(only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it "
    "was previously negative)"
)


def validate_pod(pod: Object) -> list[Cause]:
    spec, metadata = section(pod, "spec"), section(pod, "metadata")
    causes = check_metadata(pod, namespaced=True) + _annotations(metadata, spec)
    causes += check_pod_spec(spec, "spec", is_pod=True, pod_name=string(metadata, "name"))
    if not metadata.get("resourceVersion") and spec.get("ephemeralContainers"):
        causes.append(forbidden("spec.ephemeralContainers", "cannot be set on create"))
    if spec.get("nodeName") and spec.get("schedulingGates"):
        why = "cannot be set until all schedulingGates have been cleared"
        causes.append(forbidden("spec.nodeName", why))
    return causes


def _annotations(metadata: Object, spec: Object) -> list[Cause]:
    annotations = mapping(metadata, "annotations")
    causes: list[Cause] = []
    if _MIRROR in annotations and not spec.get("nodeName"):
        why = "must set spec.nodeName if mirror pod annotation is set"
        causes.append(invalid(f"metadata.annotations[{_MIRROR}]", annotations[_MIRROR], why))
    cost = annotations.get(_DELETION_COST)
    if cost is not None and not (
        re.fullmatch(r"0|-?[1-9][0-9]*", cost, re.ASCII) and -(2**31) <= int(cost) < 2**31
    ):
        causes.append(invalid(f"metadata.annotations[{_DELETION_COST}]", cost, "must be a 32bit integer"))
    return causes


def validate_pod_update(new: Object, old: Object) -> list[Cause]:
    """A pod is fixed but for images, deadlines, added tolerations, and gates that are lifted."""
    causes = check_metadata_update(new, old) + _mirror(new, old)
    causes += immutable(
        "status.qosClass", section(new, "status").get("qosClass"), section(old, "status").get("qosClass")
    )
    after, before = section(new, "spec"), section(old, "spec")
    if after == before:
        return causes
    for kind in ("containers", "initContainers"):
        if len(items(after, kind)) != len(items(before, kind)):
            return [*causes, forbidden(f"spec.{kind}", "pod updates may not add or remove containers")]
    causes += _deadline(after, before)
    causes += _tolerations(items(after, "tolerations"), items(before, "tolerations"))
    causes += _gates(items(after, "schedulingGates"), items(before, "schedulingGates"))
    kept = _with_fixed(after, before)
    if items(before, "schedulingGates"):
        kept, found = _gated(kept, before)
        causes += found
    if kept != before:
        changes = "\n".join(difference(before, kept)[:_SHOWN_CHANGES])
        why = f"pod updates may not change fields other than {_UPDATABLE}\n{changes}"
        causes.append(forbidden("spec", why))
    return causes


def _mirror(new: Object, old: Object) -> list[Cause]:
    after = mapping(section(new, "metadata"), "annotations")
    before = mapping(section(old, "metadata"), "annotations")
    if after.get(_MIRROR) == before.get(_MIRROR):
        return []
    what = "remove or update" if _MIRROR in before else "add"
    return [forbidden(f"metadata.annotations[{_MIRROR}]", f"may not {what} mirror pod annotation")]


def _deadline(after: Object, before: Object) -> list[Cause]:
    path = "spec.activeDeadlineSeconds"
    new, old = after.get("activeDeadlineSeconds"), before.get("activeDeadlineSeconds")
    if new is None:
        if old is None:
            return []
        return [invalid(path, None, "must not update from a positive integer to nil value")]
    if not 0 <= new <= _LARGEST_DEADLINE:
        return [invalid(path, new, f"must be between 0 and {_LARGEST_DEADLINE}, inclusive")]
    if old is not None and old < new:
        return [invalid(path, new, "must be less than or equal to previous value")]
    return []


def _tolerations(after: list[Object], before: list[Object]) -> list[Cause]:
    def fixed(toleration: Object) -> Object:
        return {key: value for key, value in toleration.items() if key != "tolerationSeconds"}

    kept = [fixed(toleration) for toleration in after]
    if all(fixed(toleration) in kept for toleration in before):
        return []
    why = "existing toleration can not be modified except its tolerationSeconds"
    return [forbidden("spec.tolerations", why)]


def _gates(after: list[Object], before: list[Object]) -> list[Cause]:
    known = {string(gate, "name") for gate in before}
    return [
        forbidden(
            f"spec.schedulingGates[{index}].name",
            f"only deletion is allowed, but found new scheduling gate '{gate.get('name')}'",
        )
        for index, gate in enumerate(after)
        if string(gate, "name") not in known
    ]


def _with_fixed(after: Object, before: Object) -> Object:
    """The new spec with all that may change put back."""
    kept = {**after}
    for kind in ("containers", "initContainers"):
        if kind in after:
            pairs = zip(items(after, kind), items(before, kind), strict=True)
            kept[kind] = [{**new, "image": old.get("image")} for new, old in pairs]
    for field in ("activeDeadlineSeconds", "tolerations", "schedulingGates"):
        _put_back(kept, before, field)
    grace = before.get("terminationGracePeriodSeconds")
    if grace is not None and grace < 0 and after.get("terminationGracePeriodSeconds") == 1:
        kept["terminationGracePeriodSeconds"] = grace
    return kept


def _put_back(kept: dict[str, Any], before: Object, field: str) -> None:
    if field in before:
        kept[field] = before[field]
    else:
        kept.pop(field, None)


def _gated(kept: Object, before: Object) -> tuple[Object, list[Cause]]:
    """Before it is scheduled a gated pod may be narrowed down to fewer nodes."""
    causes: list[Cause] = []
    changed = {**kept}
    wanted, had = mapping(kept, "nodeSelector"), mapping(before, "nodeSelector")
    if wanted != had:
        if any(wanted.get(key) != value for key, value in had.items()):
            why = "no key/value mutation, only additions are allowed"
            causes.append(invalid("spec.nodeSelector", wanted, why))
        _put_back(changed, before, "nodeSelector")
    new = section(kept, "affinity", "nodeAffinity")
    old = section(before, "affinity", "nodeAffinity")
    if new != old:
        causes += _narrowed(section(new, REQUIRED), section(old, REQUIRED))
        affinity = {key: value for key, value in section(kept, "affinity").items() if key != "nodeAffinity"}
        if old:
            affinity["nodeAffinity"] = old
        changed["affinity"] = affinity
        if not affinity:
            _put_back(changed, before, "affinity")
    return changed, causes


def _narrowed(new: Object, old: Object) -> list[Cause]:
    path = f"spec.affinity.nodeAffinity.{REQUIRED}.nodeSelectorTerms"
    after, before = items(new, "nodeSelectorTerms"), items(old, "nodeSelectorTerms")
    if not before:
        return []
    if len(after) != len(before):
        return [
            invalid(path, after, "no additions/deletions to non-empty NodeSelectorTerms list are allowed")
        ]
    causes: list[Cause] = []
    for index, (wanted, had) in enumerate(zip(after, before, strict=True)):
        for field in ("matchExpressions", "matchFields"):
            if items(wanted, field)[: len(items(had, field))] != items(had, field):
                why = "only additions are allowed (no mutations or deletions)"
                causes.append(invalid(f"{path}[{index}]", wanted, why))
                break
    return causes
