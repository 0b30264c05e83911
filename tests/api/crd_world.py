"""A server with CustomResourceDefinitions at work, and definitions of a kind Widget to play with."""

from __future__ import annotations

import asyncio
import contextlib

from ktui.engine.api.local import LocalClient
from ktui.engine.api.registry import default_registry
from ktui.engine.api.server import ApiServer
from ktui.engine.store import open_store
from ktui.kube.clock import FakeClock, settle
from ktui.kube.kinds import CUSTOM_RESOURCE_DEFINITIONS
from ktui.kube.resource import Resource

SPEC = {
    "type": "object",
    "required": ["size"],
    "properties": {
        "size": {"type": "integer", "minimum": 1, "maximum": 10},
        "color": {"type": "string", "enum": ["red", "green"], "default": "red"},
        "code": {"type": "string", "pattern": "^[a-z]+$", "minLength": 2, "maxLength": 4},
        "port": {"x-kubernetes-int-or-string": True},
        "note": {"type": "string", "nullable": True},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "tags": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
        "parts": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"type": "string"}, "count": {"type": "integer", "default": 1}},
            },
        },
        "template": {
            "type": "object",
            "x-kubernetes-embedded-resource": True,
            "x-kubernetes-preserve-unknown-fields": True,
        },
        "since": {"type": "string", "format": "date-time"},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}
STATUS = {
    "type": "object",
    "properties": {"ready": {"type": "integer"}, "selector": {"type": "string"}},
}


def version(name="v1", spec=None, **more):
    schema = {"type": "object", "properties": {"spec": spec or SPEC, "status": STATUS}}
    return {
        "name": name,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
        **more,
    }


def definition(*versions, kind="Widget", plural="widgets", group="example.com", names=None, **spec):
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind, "shortNames": ["wd"], **(names or {})},
            "versions": list(versions) or [version()],
            **spec,
        },
    }


def resource(version="v1", kind="Widget", plural="widgets", group="example.com", namespaced=True):
    return Resource(group, version, plural, kind, namespaced, kind.lower())


def widget(name="w", version="v1", **spec):
    return {
        "apiVersion": f"example.com/{version}",
        "kind": "Widget",
        "metadata": {"name": name},
        "spec": {"size": 3, **spec},
    }


class CrdWorld:
    """A running server, its store and a client."""

    def __init__(self, store=None):
        self.clock = FakeClock()
        self.store = store or open_store(None, clock=self.clock)
        self.server = ApiServer(self.store, default_registry(), self.clock)
        self.warnings = []
        self.client = LocalClient(self.server, "alice", manager="kubectl", on_warning=self.warnings.append)
        self._task = None

    async def start(self):
        await self.server.start()
        self._task = asyncio.create_task(self.server.run())
        await settle(20)

    async def stop(self):
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def define(self, *versions, **more):
        """Create a definition and wait until it is established (or refused)."""
        created = await self.client.create(CUSTOM_RESOURCE_DEFINITIONS, definition(*versions, **more))
        await settle(30)
        return await self.client.get(CUSTOM_RESOURCE_DEFINITIONS, created["metadata"]["name"])

    async def create(self, obj, kind=None, **options):
        return await self.client.create(kind or resource(), obj, "default", **options)
