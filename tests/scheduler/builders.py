"""Short ways to say pods, nodes and clusters in the scheduler's tests."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from lightkube.models.core_v1 import Node, Pod

from ktui.engine.scheduler.algorithm import Algorithm, Placement, Unfit
from ktui.engine.scheduler.framework import Profile
from ktui.engine.scheduler.nodeinfo import NodeInfo
from ktui.engine.scheduler.plugins import default_profile
from ktui.engine.scheduler.podinfo import PodInfo
from ktui.engine.scheduler.snapshot import Snapshot

_pod = msgspec.json.Decoder(Pod).decode
_node = msgspec.json.Decoder(Node).decode


def pod_object(
    name: str = "web",
    *,
    namespace: str = "default",
    labels: Mapping[str, str] | None = None,
    requests: Mapping[str, str] | None = None,
    node: str = "",
    uid: str = "",
    ports: Iterable[Mapping[str, Any]] = (),
    image: str = "busybox",
    status: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    **spec: Any,
) -> dict[str, Any]:
    container: dict[str, Any] = {"name": "main", "image": image}
    if requests:
        container["resources"] = {"requests": dict(requests)}
    if ports:
        container["ports"] = list(ports)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": uid or f"uid-{namespace}-{name}",
            "labels": dict(labels or {}),
            **(metadata or {}),
        },
        "spec": {"containers": [container], **({"nodeName": node} if node else {}), **spec},
        "status": dict(status or {}),
    }


def pod(name: str = "web", **fields: Any) -> PodInfo:
    return PodInfo(_pod(msgspec.json.encode(pod_object(name, **fields))))


def node_object(
    name: str = "node1",
    *,
    cpu: str = "4",
    memory: str = "8Gi",
    pods: str = "110",
    labels: Mapping[str, str] | None = None,
    allocatable: Mapping[str, str] | None = None,
    images: Mapping[str, int] | None = None,
    **spec: Any,
) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **(labels or {})}},
        "spec": spec,
        "status": {
            "allocatable": {"cpu": cpu, "memory": memory, "pods": pods, **(allocatable or {})},
            "images": [{"names": [image], "sizeBytes": size} for image, size in (images or {}).items()],
        },
    }


def node(name: str = "node1", *running: PodInfo, **fields: Any) -> NodeInfo:
    info = NodeInfo(_node(msgspec.json.encode(node_object(name, **fields))))
    for placed in running:
        info.add(placed)
    return info


def cluster(*nodes: NodeInfo, namespaces: Mapping[str, Mapping[str, str]] | None = None) -> Snapshot:
    return Snapshot({info.name: info for info in nodes}, namespaces or {"default": {}})


def schedule(
    wanted: PodInfo, *nodes: NodeInfo, profile: Profile | None = None, **nominated: Any
) -> Placement | Unfit:
    algorithm = Algorithm(profile or default_profile(), random.Random(0))
    return algorithm.schedule(wanted, cluster(*nodes), nominated)


def refusals(wanted: PodInfo, *nodes: NodeInfo, namespaces: Any = None) -> dict[str, tuple[str, ...]]:
    """Each node's first refusal's reasons; () for the feasible ones."""
    algorithm = Algorithm(default_profile(), random.Random(0))
    snapshot = cluster(*nodes, namespaces=namespaces)
    verdicts = algorithm.verdicts(wanted, list(snapshot.nodes), snapshot)
    return {name: found[0].rejection.reasons if found else () for name, found in verdicts.items()}
