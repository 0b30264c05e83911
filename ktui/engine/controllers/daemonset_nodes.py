"""Which nodes a DaemonSet wants a pod on, and the pod it puts there. Pure functions.

Each pod is tied to its node by a node affinity on the node's name, so the scheduler places it; the tolerations
that every daemon pod gets keep it where ordinary pods would be refused or evicted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from lightkube.models.apps_v1 import DaemonSet
from lightkube.models.core_v1 import Node, Pod, PodSpec, Toleration

from ktui.engine.controllers.controller_revisions import REVISION_LABEL
from ktui.engine.controllers.objects import annotations_of, labels_of, name_of, node_of, plain, pod_spec
from ktui.engine.controllers.pod_control import pod_from_template
from ktui.kube.data import items, section
from ktui.kube.kinds import DAEMON_SETS
from ktui.kube.node_selector import required_nodes
from ktui.kube.resource import Object
from ktui.kube.tolerations import untolerated

GENERATION: Final = "deprecated.daemonset.template.generation"
GENERATION_LABEL: Final = "pod-template-generation"
_NODE = "node.kubernetes.io/"
_TOLERATED: Final = (
    (f"{_NODE}not-ready", "NoExecute"),
    (f"{_NODE}unreachable", "NoExecute"),
    (f"{_NODE}disk-pressure", "NoSchedule"),
    (f"{_NODE}memory-pressure", "NoSchedule"),
    (f"{_NODE}pid-pressure", "NoSchedule"),
    (f"{_NODE}unschedulable", "NoSchedule"),
)


@dataclass(frozen=True, slots=True)
class _Named:
    """A node as node selectors ask for it."""

    name: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Placement:
    """Whether a node should get a pod, and whether one that is there may stay."""

    should_run: bool
    may_stay: bool


NOWHERE: Final = Placement(False, False)


def placement_on(daemon_set: DaemonSet, node: Node) -> Placement:
    """What the DaemonSet wants on a node: by name, selector, affinity and taints."""
    assert daemon_set.spec is not None
    spec = daemon_set.spec.template.spec or PodSpec(containers=[])
    if spec.nodeName and spec.nodeName != name_of(node):
        return NOWHERE
    required = required_nodes(spec)
    if required is not None and not required.matches(_Named(name_of(node), labels_of(node))):
        return NOWHERE
    taints = (node.spec.taints if node.spec else None) or ()
    tolerations = msgspec.convert(tolerations_of(plain(spec)), list[Toleration])
    if untolerated(tolerations, taints, frozenset({"NoExecute"})):
        return NOWHERE
    fits = untolerated(tolerations, taints, frozenset({"NoSchedule"})) is None
    return Placement(fits, True)


def tolerations_of(spec: Object) -> list[Object]:
    """A template's tolerations with those of every daemon pod."""
    wanted = [*_TOLERATED]
    if spec.get("hostNetwork"):
        wanted.append((f"{_NODE}network-unavailable", "NoSchedule"))
    found = items(spec, "tolerations")
    added = [{"key": key, "operator": "Exists", "effect": effect} for key, effect in wanted]
    return [*found, *(each for each in added if each not in found)]


def daemon_pod(daemon_set: DaemonSet, node: str, hash_text: str) -> Object:
    """The pod for a node."""
    assert daemon_set.spec is not None
    pod = pod_from_template(daemon_set.spec.template, daemon_set, DAEMON_SETS)
    labels: dict[str, str] = {**(pod["metadata"].get("labels") or {}), REVISION_LABEL: hash_text}
    if generation := annotations_of(daemon_set).get(GENERATION):
        labels[GENERATION_LABEL] = generation
    spec: Object = {**(pod.get("spec") or {})}
    spec["affinity"] = _tied(section(spec, "affinity"), node)
    spec["tolerations"] = tolerations_of(spec)
    return {**pod, "metadata": {**pod["metadata"], "labels": labels}, "spec": spec}


def _tied(affinity: Object, node: str) -> Object:
    # The controller has checked the template's own terms already; only the name has to hold for the scheduler.
    field = {"key": "metadata.name", "operator": "In", "values": [node]}
    required = {"nodeSelectorTerms": [{"matchFields": [field]}]}
    of_nodes = {
        **section(affinity, "nodeAffinity"),
        "requiredDuringSchedulingIgnoredDuringExecution": required,
    }
    return {**affinity, "nodeAffinity": of_nodes}


def target_node(pod: Pod) -> str:
    """The node a daemon pod is on, or is tied to while it waits for the scheduler."""
    if name := node_of(pod):
        return name
    affinity = pod_spec(pod).affinity
    required: Any = (
        affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution
        if affinity and affinity.nodeAffinity
        else None
    )
    for term in required.nodeSelectorTerms if required else ():
        for field in term.matchFields or ():
            if field.key == "metadata.name" and field.operator == "In" and len(field.values or ()) == 1:
                return str(field.values[0])
    return ""
