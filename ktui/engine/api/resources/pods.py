"""Pod: containers that share a node, a network and volumes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from ktui.client.base import DeleteOptions
from ktui.engine.api.declaration import Cell, Column, Declaration
from ktui.engine.api.documents import with_metadata
from ktui.engine.api.resources.columns import AGE, NAME, NONE, text
from ktui.engine.api.resources.pod_defaults import default_pod_alone, default_pod_spec
from ktui.engine.api.resources.strategy import keep_status, status_and_metadata
from ktui.engine.api.validation.pods import validate_pod, validate_pod_update
from ktui.kube.data import section, string
from ktui.kube.kinds import PODS
from ktui.kube.pod_summary import PodSummary, summarize
from ktui.kube.qos import qos_class
from ktui.kube.resource import Object


def default(pod: Object) -> Object:
    return {**pod, "spec": default_pod_alone(default_pod_spec(section(pod, "spec")))}


def prepare_create(pod: Object) -> Object:
    """A new pod is Pending, of a class that follows from its resources, and gated if its spec says so."""
    status: Object = {"phase": "Pending", "qosClass": qos_class(pod)}
    spec = section(pod, "spec")
    if spec.get("schedulingGates"):
        status["conditions"] = [
            {
                "type": "PodScheduled",
                "status": "False",
                "reason": "SchedulingGated",
                "message": "Scheduling is blocked due to non-empty scheduling gates",
            }
        ]
    return {
        **pod,
        "spec": _with_label_keys(spec, section(pod, "metadata").get("labels") or {}),
        "status": status,
    }


def _with_label_keys(spec: Object, labels: dict[str, str]) -> Object:
    """`matchLabelKeys` become part of the selectors they belong to, with the pod's own labels as values."""
    changed = spec
    constraints: list[Object] = spec.get("topologySpreadConstraints") or []
    if any(constraint.get("matchLabelKeys") for constraint in constraints):
        changed = {**changed, "topologySpreadConstraints": [_keyed(c, labels) for c in constraints]}
    affinity: Object = spec.get("affinity") or {}
    for kind in ("podAffinity", "podAntiAffinity"):
        if kind in affinity:
            affinity = {**affinity, kind: _keyed_affinity(affinity[kind], labels)}
    return {**changed, "affinity": affinity} if affinity else changed


def _keyed_affinity(terms: Object, labels: dict[str, str]) -> Object:
    changed = {**terms}
    required: list[Object] = terms.get("requiredDuringSchedulingIgnoredDuringExecution") or []
    preferred: list[Object] = terms.get("preferredDuringSchedulingIgnoredDuringExecution") or []
    if required:
        changed["requiredDuringSchedulingIgnoredDuringExecution"] = [
            _keyed(term, labels) for term in required
        ]
    if preferred:
        changed["preferredDuringSchedulingIgnoredDuringExecution"] = [
            {**term, "podAffinityTerm": _keyed(term.get("podAffinityTerm") or {}, labels)}
            for term in preferred
        ]
    return changed


def _keyed(term: Object, labels: dict[str, str]) -> Object:
    selector: Object | None = term.get("labelSelector")
    if selector is None:
        return term
    expressions: list[Any] = list(selector.get("matchExpressions") or ())
    known = len(expressions)
    for field, operator in (("matchLabelKeys", "In"), ("mismatchLabelKeys", "NotIn")):
        keys: list[str] = term.get(field) or []
        for key in keys:
            expression = {"key": key, "operator": operator, "values": [labels.get(key, "")]}
            if key in labels:
                expressions.append(expression)
    if len(expressions) == known:
        return term
    return {**term, "labelSelector": {**selector, "matchExpressions": expressions}}


def prepare_update(new: Object, old: Object) -> Object:
    return keep_status(new, old)


def prepare_status(new: Object, old: Object) -> Object:
    """The class of service never changes, and neither do the owners here."""
    changed = status_and_metadata(new, old)
    owners = section(old, "metadata").get("ownerReferences")
    changed = with_metadata(changed, ownerReferences=owners)
    qos = section(old, "status").get("qosClass")
    if qos and section(changed, "status").get("qosClass") != qos:
        changed = {**changed, "status": {**section(changed, "status"), "qosClass": qos}}
    return changed


def grace_period(pod: Object, options: DeleteOptions) -> int:
    """As asked, else the pod's own; at once for a pod that runs nowhere, or no longer."""
    spec = section(pod, "spec")
    if not spec.get("nodeName") or section(pod, "status").get("phase") in ("Succeeded", "Failed"):
        return 0
    seconds = options.grace_period_seconds
    if seconds is None:
        own = spec.get("terminationGracePeriodSeconds")
        seconds = 30 if own is None else int(own)
    return seconds if seconds >= 0 else 1


class _Summaries:
    """The last pod's summary: its three cells are asked for one after the other."""

    def __init__(self) -> None:
        self._pod: Object | None = None
        self._summary: PodSummary | None = None

    def of(self, pod: Object) -> PodSummary:
        if self._summary is None or self._pod is not pod:
            self._pod, self._summary = pod, summarize(pod)
        return self._summary


_summary = _Summaries().of


def _ready(pod: Object) -> Cell:
    summary = _summary(pod)
    return f"{summary.ready}/{summary.total}"


def _restarts(summary: PodSummary, now: datetime) -> Cell:
    return summary.restarts_text(now)


def _ip(pod: Object) -> str:
    status = section(pod, "status")
    addresses: list[Object] = status.get("podIPs") or []
    return str(addresses[0].get("ip") or "") if addresses else str(status.get("podIP") or "")


def _gates(pod: Object) -> Cell:
    gates: list[Object] = section(pod, "spec").get("readinessGates") or []
    if not gates:
        return NONE
    conditions: list[Object] = section(pod, "status").get("conditions") or []
    true = {c.get("type") for c in conditions if c.get("status") == "True"}
    return f"{sum(gate.get('conditionType') in true for gate in gates)}/{len(gates)}"


def _spec(field: str, otherwise: str = "") -> Callable[[Object], str]:
    def read(pod: Object) -> str:
        return string(section(pod, "spec"), field) or otherwise

    return read


def _status(field: str, otherwise: str = "") -> Callable[[Object], str]:
    def read(pod: Object) -> str:
        return string(section(pod, "status"), field) or otherwise

    return read


def _host_network(pod: Object) -> str:
    return "true" if section(pod, "spec").get("hostNetwork") else "false"


DECLARATIONS = (
    Declaration(
        resource=PODS,
        schema="io.k8s.api.core.v1.Pod",
        returns_deleted=True,
        columns=(
            NAME,
            text("Ready", _ready, "Containers that are ready, of all."),
            text("Status", lambda pod: _summary(pod).status, "What the pod does, or why it does not."),
            Column(
                name="Restarts",
                read=_summary,
                show=_restarts,
                description="Container restarts, and when the last was.",
            ),
            AGE,
            text("IP", lambda pod: _ip(pod) or NONE, "The pod's address.", priority=1),
            text("Node", _spec("nodeName", NONE), "The node it was scheduled to.", priority=1),
            text(
                "Nominated Node",
                _status("nominatedNodeName", NONE),
                "Where preemption makes room.",
                priority=1,
            ),
            text("Readiness Gates", _gates, "Conditions met, of those it waits for.", priority=1),
        ),
        default=default,
        prepare_create=prepare_create,
        prepare_update=prepare_update,
        prepare_status=prepare_status,
        validate_create=validate_pod,
        validate_update=validate_pod_update,
        has_status=True,
        has_generation=True,
        grace_period=grace_period,
        selectable_fields={
            "spec.nodeName": _spec("nodeName"),
            "spec.restartPolicy": _spec("restartPolicy"),
            "spec.schedulerName": _spec("schedulerName"),
            "spec.serviceAccountName": _spec("serviceAccountName"),
            "spec.hostNetwork": _host_network,
            "status.phase": _status("phase"),
            "status.podIP": _ip,
            "status.podIPs": _ip,
            "status.nominatedNodeName": _status("nominatedNodeName"),
        },
    ),
)
