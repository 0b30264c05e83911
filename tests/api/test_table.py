"""Tables: the columns of every kind, as `kubectl get` and `-o wide` print them."""

from datetime import UTC, datetime
from typing import Any

import pytest
from kind_cases import REGISTRY, kind

from ktui.engine.api.documents import decode, encode
from ktui.engine.api.local import LocalClient
from ktui.engine.api.registry import default_registry
from ktui.engine.api.server import ApiServer
from ktui.engine.api.table import table
from ktui.engine.store import Store
from ktui.kube.clock import FakeClock
from ktui.kube.kinds import CONFIG_MAPS

NOW = datetime(2026, 1, 1, 1, tzinfo=UTC)
META = {"name": "x", "namespace": "default", "creationTimestamp": "2026-01-01T00:00:00Z"}
WORKLOAD = {
    "replicas": 3,
    "selector": {"matchLabels": {"app": "web"}},
    "template": {"spec": {"containers": [{"name": "a", "image": "i:1"}, {"name": "b", "image": "j"}]}},
}

CASES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "pods",
        {
            "spec": {
                "containers": [{"name": "a"}],
                "nodeName": "n1",
                "readinessGates": [{"conditionType": "a/b"}, {"conditionType": "c"}],
            },
            "status": {
                "phase": "Running",
                "podIPs": [{"ip": "10.0.0.9"}],
                "conditions": [{"type": "a/b", "status": "True"}],
                "containerStatuses": [
                    {
                        "name": "a",
                        "ready": True,
                        "restartCount": 1,
                        "state": {"running": {}},
                        "lastState": {"terminated": {"finishedAt": "2026-01-01T00:58:00Z"}},
                    }
                ],
            },
        },
        {
            "Name": "x",
            "Ready": "1/1",
            "Status": "Running",
            "Restarts": "1 (2m ago)",
            "Age": "60m",
            "IP": "10.0.0.9",
            "Node": "n1",
            "Nominated Node": "<none>",
            "Readiness Gates": "1/2",
        },
    ),
    (
        "deployments",
        {"spec": WORKLOAD, "status": {"readyReplicas": 1, "updatedReplicas": 2, "availableReplicas": 1}},
        {
            "Name": "x",
            "Ready": "1/3",
            "Up-to-date": 2,
            "Available": 1,
            "Age": "60m",
            "Containers": "a,b",
            "Images": "i:1,j",
            "Selector": "app=web",
        },
    ),
    (
        "replicasets",
        {"spec": WORKLOAD, "status": {"replicas": 2}},
        {
            "Name": "x",
            "Desired": 3,
            "Current": 2,
            "Ready": 0,
            "Age": "60m",
            "Containers": "a,b",
            "Images": "i:1,j",
            "Selector": "app=web",
        },
    ),
    (
        "nodes",
        {
            "metadata": {
                **META,
                "labels": {"node-role.kubernetes.io/worker": "", "kubernetes.io/role": "edge"},
            },
            "spec": {"unschedulable": True},
            "status": {
                "conditions": [{"type": "Ready", "status": "Unknown"}],
                "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}],
                "nodeInfo": {
                    "kubeletVersion": "v1.37.0",
                    "osImage": "Debian",
                    "kernelVersion": "6.1",
                    "containerRuntimeVersion": "podman://4.3",
                },
            },
        },
        {
            "Name": "x",
            "Status": "NotReady,SchedulingDisabled",
            "Roles": "edge,worker",
            "Age": "60m",
            "Version": "v1.37.0",
            "Internal-IP": "10.0.0.1",
            "External-IP": "<none>",
            "OS-Image": "Debian",
            "Kernel-Version": "6.1",
            "Container-Runtime": "podman://4.3",
        },
    ),
    ("namespaces", {"status": {"phase": "Active"}}, {"Name": "x", "Status": "Active", "Age": "60m"}),
    (
        "configmaps",
        {"data": {"a": "1", "b": "2"}, "binaryData": {"c": "eA=="}},
        {"Name": "x", "Data": 3, "Age": "60m"},
    ),
    (
        "secrets",
        {"type": "Opaque", "data": {"a": "eA=="}},
        {"Name": "x", "Type": "Opaque", "Data": 1, "Age": "60m"},
    ),
    ("serviceaccounts", {}, {"Name": "x", "Secrets": 0, "Age": "60m"}),
    ("leases", {"spec": {"holderIdentity": "me"}}, {"Name": "x", "Holder": "me", "Age": "60m"}),
    (
        "controllerrevisions",
        {
            "metadata": {
                **META,
                "ownerReferences": [
                    {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "d", "controller": True}
                ],
            },
            "revision": 4,
        },
        {"Name": "x", "Controller": "daemonset.apps/d", "Revision": 4, "Age": "60m"},
    ),
    (
        "events",
        {
            "type": "Warning",
            "reason": "BackOff",
            "message": " Back-off restarting\n",
            "involvedObject": {"kind": "Pod", "name": "p", "fieldPath": "spec.containers{a}"},
            "source": {"component": "kubelet", "host": "n1"},
            "firstTimestamp": "2026-01-01T00:50:00Z",
            "lastTimestamp": "2026-01-01T00:59:30Z",
            "count": 7,
        },
        {
            "Last Seen": "30s",
            "Type": "Warning",
            "Reason": "BackOff",
            "Object": "pod/p",
            "Subobject": "spec.containers{a}",
            "Source": "kubelet, n1",
            "Message": "Back-off restarting",
            "First Seen": "10m",
            "Count": 7,
            "Name": "x",
        },
    ),
    (
        "events",
        {
            "involvedObject": {"kind": "Node"},
            "reportingComponent": "scheduler",
            "eventTime": "2026-01-01T00:50:00.000000Z",
            "series": {"count": 3, "lastObservedTime": "2026-01-01T00:59:00.000000Z"},
        },
        {
            "Last Seen": "60s",
            "Type": "",
            "Reason": "",
            "Object": "node",
            "Subobject": "",
            "Source": "scheduler",
            "Message": "",
            "First Seen": "10m",
            "Count": 3,
            "Name": "x",
        },
    ),
    (
        "priorityclasses",
        {"value": 5, "preemptionPolicy": "Never"},
        {"Name": "x", "Value": 5, "Global-Default": False, "Age": "60m", "PreemptionPolicy": "Never"},
    ),
    (
        "manifestfiles",
        {
            "spec": {"path": "a.yaml"},
            "status": {"state": "Failed", "message": "a.yaml:3:1: no", "objects": [{}, {}]},
        },
        {
            "Name": "x",
            "File": "a.yaml",
            "State": "Failed",
            "Objects": 2,
            "Message": "a.yaml:3:1: no",
            "Age": "60m",
        },
    ),
]


def printed_table(declaration, obj: dict[str, Any], **options: Any) -> dict[str, Any]:
    return decode(table(declaration, [encode(obj)], NOW, **options).encoded())


@pytest.mark.parametrize(("name", "obj", "expected"), CASES)
def test_cells(name, obj, expected) -> None:
    printed = printed_table(kind(name), {"metadata": META, **obj})
    names = [column["name"] for column in printed["columnDefinitions"]]
    assert dict(zip(names, printed["rows"][0]["cells"], strict=True)) == expected


def test_a_table_is_the_one_of_meta_v1() -> None:
    pod = {"metadata": META, "spec": {}}
    printed = printed_table(kind("pods"), pod, list_metadata={"resourceVersion": "7"})
    assert (printed["kind"], printed["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    assert printed["metadata"] == {"resourceVersion": "7"}
    assert printed["columnDefinitions"][0] == {
        "name": "Name",
        "type": "string",
        "format": "name",
        "description": "The object's name, unique in its namespace.",
        "priority": 0,
    }
    assert [c["name"] for c in printed["columnDefinitions"] if c["priority"] == 0] == [
        "Name",
        "Ready",
        "Status",
        "Restarts",
        "Age",
    ]
    assert printed["rows"][0]["object"] == {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": META,
    }


def test_rows_carry_what_is_asked_for() -> None:
    pod = {"metadata": META}
    assert printed_table(kind("pods"), pod, include_object="Object")["rows"][0]["object"] == pod
    assert "object" not in printed_table(kind("pods"), pod, include_object="None")["rows"][0]


def test_every_kind_prints_an_empty_object() -> None:
    for declaration in REGISTRY:
        assert len(printed_table(declaration, {})["rows"][0]["cells"]) == len(declaration.columns)


async def test_a_list_printed_again_shows_what_changed_and_how_old_it_has_become(
    store: Store, clock: FakeClock
) -> None:
    server = ApiServer(store, default_registry(), clock)
    await server.start()
    client = LocalClient(server, "alice")
    for name in ("a", "b"):
        await client.create(CONFIG_MAPS, {"metadata": {"name": name}}, "default")

    async def cells() -> list[list[Any]]:
        return [row["cells"] for row in (await client.table(CONFIG_MAPS, "default"))["rows"]]

    assert await cells() == [["a", 0, "0s"], ["b", 0, "0s"]]
    await clock.advance(5)
    await client.patch(CONFIG_MAPS, "a", {"data": {"x": "y"}}, "default")
    assert await cells() == [["a", 1, "5s"], ["b", 0, "5s"]]
    await client.delete(CONFIG_MAPS, "b", "default")
    await client.create(CONFIG_MAPS, {"metadata": {"name": "b"}}, "default")
    assert await cells() == [["a", 1, "5s"], ["b", 0, "0s"]]
