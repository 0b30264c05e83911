"""Where an Ingress leads, as rows of the browser: one a path, with its service and what is ready behind it.

In: the Ingress, the services and EndpointSlices of its namespace, watched while the view is open. Out: Table rows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ktui.client.base import Client
from ktui.client.informer import Delta, Informer
from ktui.kube.data import items, section, string
from ktui.kube.kinds import ENDPOINT_SLICES, INGRESSES, SERVICES
from ktui.kube.resource import Object, ObjectKey, Resource
from ktui.kube.service import ports_of, type_of
from ktui.screens.endpoint_counts import NONE, endpoint_counts
from ktui.screens.live_table import BATCH_SECONDS, Link, Sink

BACKENDS = Resource("", "", "backends", "Backend", True, "backend", verbs=("list",))
"""Not a kind of the API: what the paths of an Ingress lead to."""

_COLUMNS = [
    {"name": "Name", "type": "string"},
    {"name": "Host", "type": "string"},
    {"name": "Path", "type": "string"},
    {"name": "Port", "type": "string"},
    {"name": "Endpoints", "type": "string"},
    {"name": "Status", "type": "string"},
]


def backends_of(ingress: Object) -> Iterator[tuple[str, str, Object]]:
    """(host, path, backend) in the order written, the default backend last."""
    spec = section(ingress, "spec")
    for rule in items(spec, "rules"):
        for path in items(section(rule, "http"), "paths"):
            yield string(rule, "host") or "*", string(path, "path") or "/", section(path, "backend")
    if spec.get("defaultBackend"):
        yield "*", "*", section(spec, "defaultBackend")


def backend_rows(ingress: Object, services: Iterable[Object], slices: Iterable[Object]) -> list[Object]:
    """A row for each path."""
    metadata = section(ingress, "metadata")
    namespace = string(metadata, "namespace")
    known = {string(section(service, "metadata"), "name"): service for service in services}
    counts = endpoint_counts(slices)
    rows: list[Object] = []
    for host, path, backend in backends_of(ingress):
        wanted, resource = section(backend, "service"), section(backend, "resource")
        name = string(wanted, "name") or f"{string(resource, 'kind')}/{string(resource, 'name')}"
        port = section(wanted, "port")
        ready = counts.get(ObjectKey(namespace, name), NONE)
        status = backend_status(wanted, known, ready) if wanted else "Resource"
        shown = str(port.get("number") or string(port, "name") or NONE)
        about = {
            "name": name,
            "namespace": namespace,
            "uid": f"{metadata.get('uid')}/{host}{path}/{len(rows)}",
            "creationTimestamp": metadata.get("creationTimestamp"),
        }
        rows.append({"cells": [name, host, path, shown, ready, status], "object": {"metadata": about}})
    return rows


def backend_status(wanted: Object, services: Mapping[str, Object], ready: str) -> str:
    """`Ready`, or what keeps requests from being answered."""
    service = services.get(string(wanted, "name"))
    if service is None:
        return "Invalid: there is no such service"
    port = section(wanted, "port")
    number, name = port.get("number"), string(port, "name")
    if not any(
        (number and p.get("port") == number) or (name and p.get("name") == name) for p in ports_of(service)
    ):
        return f"Invalid: the service has no port {number or name}"
    if type_of(service) == "ExternalName":
        return "ExternalName"
    return "Ready" if ready not in (NONE,) and not ready.startswith("0/") else "NotReady: no endpoints"


class BackendSource:
    """Rows of one Ingress, live."""

    def __init__(self, client: Client, namespace: str, name: str) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name

    async def run(self, sink: Sink) -> None:
        sink.on_columns(_COLUMNS)
        ingress = self._informer(INGRESSES, f"metadata.name={self._name}")
        services, slices = self._informer(SERVICES), self._informer(ENDPOINT_SLICES)
        changed = asyncio.Event()

        def wake(_: Delta[dict[str, Any]]) -> None:
            changed.set()

        async with asyncio.TaskGroup() as group:
            for informer in (ingress, services, slices):
                informer.add_handler(wake)
                group.create_task(informer.run(), name=f"backends: {informer.resource}")
            for informer in (ingress, services, slices):
                await informer.wait_synced()
            while True:
                found = next(iter(ingress.list()), None)
                if found is None:
                    sink.on_link(Link.REFUSED, f'ingress "{self._name}" is gone')
                else:
                    rows = backend_rows(found, services.list(), slices.list())
                    sink.on_rows(rows, append=False, more=False)
                    sink.on_link(Link.LIVE, "")
                await changed.wait()
                await asyncio.sleep(BATCH_SECONDS)
                changed.clear()

    def _informer(self, resource: Resource, field_selector: str = "") -> Informer[dict[str, Any]]:
        return Informer(
            self._client, resource, dict, namespace=self._namespace, field_selector=field_selector
        )
