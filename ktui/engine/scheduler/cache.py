"""The scheduler's own picture of nodes and pods: the informers' truth plus what it has just decided.

A pod is *assumed* on its node from the moment it is chosen until the informer shows it bound (or the binding
fails), so that a stale informer never lets a node be booked twice.
"""

from __future__ import annotations

from collections.abc import Mapping

from lightkube.models.core_v1 import Node

from ktui.engine.scheduler.nodeinfo import NodeInfo
from ktui.engine.scheduler.podinfo import PodInfo
from ktui.engine.scheduler.snapshot import Snapshot
from ktui.engine.scheduler.volumes import Volumes
from ktui.kube.resource import ObjectKey


class Cache:
    """Nodes with their pods, kept up to date by deltas."""

    def __init__(self) -> None:
        self._nodes: dict[str, NodeInfo] = {}
        self._homeless: dict[str, dict[ObjectKey, PodInfo]] = {}
        """Pods bound to a node that is not (or no longer) known."""
        self._places: dict[ObjectKey, tuple[str, str]] = {}
        """Where each placed pod is: node name and pod UID."""
        self._assumed: set[ObjectKey] = set()
        self._namespaces: dict[str, Mapping[str, str]] = {}
        self.volumes = Volumes()

    def snapshot(self) -> Snapshot:
        """The cluster as of now; valid until the next change (see `Snapshot`)."""
        return Snapshot(self._nodes, self._namespaces, self.volumes)

    def set_node(self, name: str, node: Node) -> None:
        known = self._nodes.get(name)
        if known is not None:
            known.set_node(node)
            return
        info = self._nodes[name] = NodeInfo(node)
        for pod in self._homeless.pop(name, {}).values():
            info.add(pod)

    def remove_node(self, name: str) -> None:
        info = self._nodes.pop(name, None)
        if info is not None and info.pods:
            self._homeless[name] = dict(info.pods)

    def set_namespace(self, name: str, labels: Mapping[str, str] | None) -> None:
        """None: the namespace is gone."""
        if labels is None:
            self._namespaces.pop(name, None)
        else:
            self._namespaces[name] = labels

    def set_pod(self, pod: PodInfo, node: str) -> PodInfo | None:
        """The API says this pod is on this node. Gives what was counted under its name before."""
        self._assumed.discard(pod.key)
        before = self._displace(pod.key)
        self._place(pod, node)
        return before

    def confirm(self, key: ObjectKey, uid: str, node: str) -> bool:
        """Whether the pod was assumed to be just there; then it is known to be from now on."""
        if key not in self._assumed or self._places.get(key) != (node, uid):
            return False
        self._assumed.discard(key)
        return True

    def remove_pod(self, key: ObjectKey) -> bool:
        """The pod is gone, or takes nothing from its node any more; says whether it was counted."""
        self._assumed.discard(key)
        return self._displace(key) is not None

    def assume(self, pod: PodInfo, node: str) -> None:
        """Count the pod on the node chosen for it."""
        self._assumed.add(pod.key)
        self._place(pod, node)

    def forget(self, pod: PodInfo) -> None:
        """Take back `assume`, unless the API has confirmed it or another pod took the name meanwhile."""
        place = self._places.get(pod.key)
        if pod.key in self._assumed and place is not None and place[1] == pod.uid:
            self._assumed.discard(pod.key)
            self._displace(pod.key)

    def is_assumed(self, key: ObjectKey, uid: str) -> bool:
        place = self._places.get(key)
        return key in self._assumed and place is not None and place[1] == uid

    def _place(self, pod: PodInfo, node: str) -> None:
        self._displace(pod.key)
        self._places[pod.key] = (node, pod.uid)
        info = self._nodes.get(node)
        if info is not None:
            info.add(pod)
        else:
            self._homeless.setdefault(node, {})[pod.key] = pod

    def _displace(self, key: ObjectKey) -> PodInfo | None:
        place = self._places.pop(key, None)
        if place is None:
            return None
        info = self._nodes.get(place[0])
        if info is not None:
            return info.remove(key)
        homeless = self._homeless[place[0]]
        pod = homeless.pop(key)
        if not homeless:
            del self._homeless[place[0]]
        return pod
