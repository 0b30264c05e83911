"""A kind and its objects in one folder: the object waits for its kind, then comes at once."""

import asyncio
import contextlib

import yaml
from synced_folder import SyncedFolder

from ktui.engine.api.local import LocalClient
from ktui.engine.api.registry import default_registry
from ktui.engine.api.server import ApiServer
from ktui.engine.store import open_store
from ktui.kube.resource import Resource

WIDGETS = Resource("example.com", "v1", "widgets", "Widget", True, "widget")
OBJECT = "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\nspec: {size: 3}\n"
KIND = yaml.safe_dump(
    {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "widgets", "kind": "Widget"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "properties": {
                                "spec": {"type": "object", "properties": {"size": {"type": "integer"}}}
                            },
                        }
                    },
                }
            ],
        },
    }
)


async def test_objects_wait_for_their_kind_and_come_with_it(tmp_path):
    store = open_store(None)
    server = ApiServer(store, default_registry())
    await server.start()
    running = asyncio.create_task(server.run())
    synced = SyncedFolder(LocalClient(server, "system:test"), tmp_path)
    synced.write("a-object.yaml", OBJECT)
    synced.start()
    try:
        await synced.until_state("a-object.yaml", "Invalid")
        synced.write("b-kind.yaml", KIND)
        async with asyncio.timeout(3):
            await synced.until_state("a-object.yaml", "Synced")
            await synced.until_state("b-kind.yaml", "Synced")
        assert (await synced.get(WIDGETS, "w"))["spec"] == {"size": 3}
    finally:
        await synced.stop()
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        await store.close()
