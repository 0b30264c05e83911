"""Whole descriptions, compared with files that were checked against kubectl's own output.

To accept a wanted change, run `python tests/describe/test_describe_kinds.py` and read the difference.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import autoscaling_objects
import batch_objects
import network_objects
import objects
import pod_objects
import pytest
import storage_objects
import workload_objects

from ktui.client.base import Client
from ktui.describe import describe
from ktui.engine.api.local import LocalClient
from ktui.engine.api.registry import default_registry
from ktui.engine.api.server import ApiServer
from ktui.engine.store.base import Key
from ktui.engine.store.store import open_store
from ktui.kube import kinds
from ktui.kube.clock import parse_time
from ktui.kube.errors import forbidden
from ktui.kube.resource import Resource

EXPECTED = Path(__file__).parent / "expected"

CASES: list[tuple[Resource, dict[str, Any]]] = [
    (kinds.PODS, pod_objects.POD),
    (kinds.PODS, pod_objects.PENDING),
    (kinds.PODS, pod_objects.LEAVING),
    (kinds.REPLICA_SETS, workload_objects.NEW_SET),
    (kinds.REPLICA_SETS, workload_objects.OLD_SET),
    (kinds.REPLICA_SETS, workload_objects.OLDER_SET),
    (kinds.DEPLOYMENTS, workload_objects.DEPLOYMENT),
    (kinds.NODES, objects.NODE),
    (kinds.LEASES, objects.LEASE),
    (kinds.CONFIG_MAPS, objects.CONFIG_MAP),
    (kinds.SECRETS, objects.SECRET),
    (kinds.SECRETS, objects.TOKEN),
    (kinds.SERVICE_ACCOUNTS, objects.SERVICE_ACCOUNT),
    (kinds.NAMESPACES, objects.NAMESPACE),
    (kinds.CONTROLLER_REVISIONS, workload_objects.REVISION),
    (kinds.RESOURCE_QUOTAS, objects.QUOTA),
    (kinds.LIMIT_RANGES, objects.LIMIT_RANGE),
    (kinds.PRIORITY_CLASSES, objects.PRIORITY_CLASS),
    *((kinds.EVENTS, event) for event in objects.EVENTS),
    *network_objects.CASES,
    *autoscaling_objects.CASES,
    *batch_objects.CASES,
    *storage_objects.CASES,
]


async def cluster() -> Client:
    store = open_store(None)
    for resource, obj in CASES:
        metadata = obj["metadata"]
        await store.write(Key(resource.key, metadata.get("namespace", ""), metadata["name"]), obj)
    return LocalClient(ApiServer(store, default_registry()))


async def description(client: Client, resource: Resource, obj: dict[str, Any]) -> str:
    return await describe(client, resource, obj, now=parse_time(objects.NOW))


def expected_file(resource: Resource, obj: dict[str, Any]) -> Path:
    return EXPECTED / f"{resource.singular}-{obj['metadata']['name']}.txt"


@pytest.mark.parametrize(
    ("resource", "obj"), [case for case in CASES if expected_file(*case).exists()], ids=lambda value: None
)
async def test_a_description_is_as_kubectl_writes_it(resource, obj):
    written = await description(await cluster(), resource, obj)
    assert written == expected_file(resource, obj).read_text()


def test_every_kind_has_an_expected_description():
    described = {resource.key for resource, obj in CASES if expected_file(resource, obj).exists()}
    assert described == {resource.key for resource, _ in CASES}


class NothingElse:
    """A client that may see the object only."""

    async def list(self, resource, namespace="", **options):
        raise forbidden(resource, "", "no")

    async def get(self, resource, name, namespace="", **options):
        raise forbidden(resource, name, "no")


@pytest.mark.parametrize(
    ("resource", "obj", "says"),
    [
        (kinds.NODES, objects.NODE, "Pods: not authorized"),
        (kinds.REPLICA_SETS, workload_objects.NEW_SET, "error in fetching pods"),
        (kinds.PODS, pod_objects.PENDING, "QoS Class: BestEffort"),
    ],
    ids=["node", "replicaset", "pod"],
)
async def test_what_may_not_be_read_is_left_out(resource, obj, says):
    written = await description(NothingElse(), resource, obj)
    assert says in " ".join(written.split())
    assert "Events" not in written


async def test_a_custom_kind_is_described_field_by_field():
    widget = Resource("example.com", "v1", "widgets", "Widget", False)
    obj = {
        "apiVersion": "example.com/v1",
        "kind": "Widget",
        "metadata": {"name": "w", "managedFields": [{"manager": "x"}], "uid": "u"},
        "spec": {"sizeURL": "x", "apiHost": "h", "list": [1, "a", [1, 2]], "with.dots": True, "none": None},
    }
    assert await description(await cluster(), widget, obj) == (
        "Name:         w\n"
        "Namespace:    \n"
        "Labels:       <none>\n"
        "Annotations:  <none>\n"
        "API Version:  example.com/v1\n"
        "Kind:         Widget\n"
        "Metadata:\n"
        "  UID:  u\n"
        "Spec:\n"
        "  API Host:  h\n"
        "  List:\n"
        "    1\n"
        "    a\n"
        "    [1 2]\n"
        "  None:       <nil>\n"
        "  Size URL:   x\n"
        "  with.dots:  true\n"
        "Events:       <none>\n"
    )


async def test_an_object_can_not_play_tricks_on_the_terminal():
    obj = {**objects.CONFIG_MAP, "data": {"evil": "\x1b[2Jgone\r"}}
    assert "^[[2Jgone\\r" in await description(await cluster(), kinds.CONFIG_MAPS, obj)


async def _accept() -> None:
    client = await cluster()
    for resource, obj in CASES:
        if resource is not kinds.EVENTS or obj is objects.EVENTS[0]:
            expected_file(resource, obj).write_text(await description(client, resource, obj))


if __name__ == "__main__":
    asyncio.run(_accept())
