"""The tree around an object, from plain objects."""

from __future__ import annotations

from typing import Any

import pytest

from ktui.describe.topology import CRON_JOBS, DAEMON_SETS, JOBS, Knot, state_of, tree_of
from ktui.kube.kinds import (
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    INGRESSES,
    NODES,
    PODS,
    REPLICA_SETS,
    SERVICES,
)
from ktui.kube.resource import Object, Resource


def made(kind: Resource, name: str, owner: Object | None = None, **fields: Any) -> Object:
    metadata: Object = {"name": name, "uid": f"{kind.singular}-{name}", **fields.pop("metadata", {})}
    if kind.namespaced:
        metadata["namespace"] = "shop"
    if owner is not None:
        kind_of_owner = {"deployment": "Deployment", "replicaset": "ReplicaSet", "cronjob": "CronJob"}
        uid: str = owner["metadata"]["uid"]
        reference = {"kind": kind_of_owner[uid.partition("-")[0]], "name": owner["metadata"]["name"]}
        metadata["ownerReferences"] = [{**reference, "uid": uid, "controller": True}]
    return {"metadata": metadata, **fields}


def pod(name: str, owner: Object | None = None, *, ready: bool = True) -> Object:
    status = {
        "phase": "Running",
        "podIP": "10.1.0.1",
        "containerStatuses": [{"name": "main", "ready": ready, "state": {"running": {}}}],
    }
    return made(PODS, name, owner, spec={"nodeName": "node-1", "containers": [{}]}, status=status)


def world() -> dict[str, list[Object]]:
    deployment = made(DEPLOYMENTS, "web", spec={"replicas": 2}, status={"readyReplicas": 1})
    former = made(REPLICA_SETS, "web-1", deployment, spec={"replicas": 0})
    present = made(REPLICA_SETS, "web-2", deployment, spec={"replicas": 2}, status={"readyReplicas": 1})
    endpoints = [
        {"conditions": {"ready": name == "a"}, "targetRef": {"kind": "Pod", "name": name, "uid": name}}
        for name in "ab"
    ]
    labels = {"labels": {"kubernetes.io/service-name": "web"}}
    paths = [{"backend": {"service": {"name": name}}} for name in ("web", "gone", "web")]
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    return {
        DEPLOYMENTS.key: [deployment],
        REPLICA_SETS.key: [former, present],
        PODS.key: [pod("b", present, ready=False), pod("a", present)],
        NODES.key: [made(NODES, "node-1", status=ready)],
        SERVICES.key: [made(SERVICES, "web", spec={"type": "ClusterIP", "clusterIPs": ["10.96.0.9"]})],
        ENDPOINT_SLICES.key: [
            made(ENDPOINT_SLICES, "web-x", metadata=labels, endpoints=endpoints, ports=[{}])
        ],
        INGRESSES.key: [made(INGRESSES, "shop", spec={"rules": [{"http": {"paths": paths}}]})],
    }


def lines(knot: Knot, depth: int = 0) -> list[str]:
    own = f"{'  ' * depth}{knot.path} {knot.tone or '-'} {knot.state}"
    return [own, *(line for each in knot.below for line in lines(each, depth + 1))]


PODS_BELOW = [
    "pod/a good Running 1/1, 10.1.0.1",
    "  node/node-1 good Ready",
    "pod/b warn Running 0/1, 10.1.0.1",
    "  node/node-1 good Ready",
]


def indented(depth: int, *texts: str) -> list[str]:
    return ["  " * depth + text for text in texts]


def test_down_from_an_ingress_and_what_it_names_in_vain() -> None:
    tree = tree_of(world(), INGRESSES, "shop", "shop")
    assert tree is not None
    assert tree.above == ()
    assert lines(tree.itself) == [
        "ingress/shop warn * no address yet",
        "  service/web warn ClusterIP 10.96.0.9, 1/2 ready",
        "    endpointslice/web-x warn 1/2 ready",
        *indented(3, *PODS_BELOW),
        "  service/gone bad there is no such service",
    ]


def test_down_from_a_deployment_and_up_through_its_services() -> None:
    tree = tree_of(world(), DEPLOYMENTS, "shop", "web")
    assert tree is not None
    assert [line for knot in tree.above for line in lines(knot)] == [
        "service/web warn ClusterIP 10.96.0.9, 1/2 ready",
        "  ingress/shop warn * no address yet",
    ]
    assert lines(tree.itself) == [
        "deployment/web warn 1/2 ready",
        "  replicaset/web-2 warn 1/2 ready",
        *indented(2, *PODS_BELOW),
    ]


def test_up_from_a_pod_by_owner_and_by_service() -> None:
    tree = tree_of(world(), PODS, "shop", "a")
    assert tree is not None
    assert [line.split()[0] for knot in tree.above for line in lines(knot)] == [
        "replicaset/web-2",
        "deployment/web",
        "endpointslice/web-x",
        "service/web",
        "ingress/shop",
    ]
    assert lines(tree.itself)[1:] == ["  node/node-1 good Ready"]


def test_up_from_a_node() -> None:
    tree = tree_of(world(), NODES, "", "node-1")
    assert tree is not None
    assert [knot.path for knot in tree.above] == ["pod/a", "pod/b"]


def test_what_is_not_there_has_no_tree() -> None:
    assert tree_of(world(), PODS, "shop", "none") is None
    assert tree_of({}, SERVICES, "shop", "web") is None


def test_a_cron_job_leads_to_its_jobs() -> None:
    nightly = made(CRON_JOBS, "nightly", spec={"schedule": "0 3 * * *"})
    job = made(JOBS, "nightly-1", nightly, status={"succeeded": 1})
    tree = tree_of({CRON_JOBS.key: [nightly], JOBS.key: [job]}, CRON_JOBS, "shop", "nightly")
    assert tree is not None
    assert lines(tree.itself) == ["cronjob/nightly - 0 3 * * *", "  job/nightly-1 - 1/1 done"]


CRASHED = {"containerStatuses": [{"name": "main", "restartCount": 2, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "obj", "state"),
    [
        (PODS, {"status": {"phase": "Running", **CRASHED}}, ("CrashLoopBackOff 0/0, 2 restarts", "bad")),
        (PODS, {"status": {"phase": "Pending"}}, ("Pending 0/0", "warn")),
        (PODS, {"status": {"phase": "Succeeded"}}, ("Succeeded 0/0", "dim")),
        (NODES, {"spec": {"unschedulable": True}}, ("NotReady,SchedulingDisabled", "bad")),
        (SERVICES, {"spec": {"type": "ExternalName", "externalName": "x.org"}}, ("ExternalName x.org", "")),
        (SERVICES, {"spec": {"type": "ClusterIP", "clusterIPs": ["None"]}}, ("ClusterIP headless, 0/0 ready", "bad")),
        (DAEMON_SETS, {"status": {"numberReady": 0, "desiredNumberScheduled": 2}}, ("0/2 ready", "bad")),
        (DEPLOYMENTS, {"spec": {"replicas": 0}}, ("0/0 ready", "dim")),
    ],
)  # fmt: skip
def test_states(kind: Resource, obj: Object, state: tuple[str, str]) -> None:
    assert state_of(kind, obj) == state
