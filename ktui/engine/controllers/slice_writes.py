"""Writing a packing of slices: labels, owner, trigger time, and waiting for the cache to see what was written.

What a controller wrote and its cache does not show yet would be written twice; so the generation of every slice
that was written, and the slices that were deleted, are remembered until the cache has caught up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lightkube.models.discovery_v1 import Endpoint, EndpointPort, EndpointSlice

from ktui.client.base import Client, DeleteOptions
from ktui.client.informer import Delta, Informer, Informers
from ktui.engine.controllers.objects import (
    annotations_of,
    is_deleting,
    labels_of,
    meta,
    name_of,
    namespace_of,
    plain,
)
from ktui.engine.controllers.slice_packing import Packing
from ktui.engine.controllers.trigger_times import TRIGGER_TIME
from ktui.kube.errors import StatusError
from ktui.kube.kinds import ENDPOINT_SLICES
from ktui.kube.resource import Object, ObjectKey
from ktui.kube.service import MANAGED_BY_LABEL, SERVICE_NAME_LABEL

_BY_SERVICE = "managed service"


class Slices:
    """The slices that one controller writes (`managed_by`), by the service they belong to."""

    def __init__(self, client: Client, informers: Informers, managed_by: str) -> None:
        self._client = client
        self._managed_by = managed_by
        self._informer: Informer[EndpointSlice] = informers.of(ENDPOINT_SLICES, EndpointSlice)
        self._informer.add_index(_BY_SERVICE, _service_of)
        self._written: dict[ObjectKey, dict[str, int]] = {}
        """By service and slice: the generation it has at least; 0: it is deleted."""
        self._waiting: set[ObjectKey] = set()

    def on_change(self, changed: Any) -> None:
        """Call `changed` with each service whose slices are not as this controller left them."""

        def handle(delta: Delta[EndpointSlice]) -> None:
            for obj in (delta.old, delta.new):
                if obj is None or labels_of(obj).get(MANAGED_BY_LABEL) != self._managed_by:
                    continue
                service = ObjectKey(delta.key.namespace, labels_of(obj).get(SERVICE_NAME_LABEL, ""))
                if self._observed(service, delta):
                    changed(service)

        self._informer.add_handler(handle)

    def _observed(self, service: ObjectKey, delta: Delta[EndpointSlice]) -> bool:
        """Whether the service has to be looked at."""
        written = self._written.get(service, {})
        expected = written.get(delta.key.name)
        if delta.new is None:
            written.pop(delta.key.name, None)
            unexpected = expected != 0
        else:
            unexpected = expected is None or (meta(delta.new).generation or 0) > expected
        if service in self._waiting and self.is_current(service):
            self._waiting.discard(service)
            return True
        return unexpected

    def of(self, service: ObjectKey) -> list[EndpointSlice]:
        """Its slices that are not on their way out."""
        found = self._informer.by_index(_BY_SERVICE, f"{service}/{self._managed_by}")
        return [each for each in found if not is_deleting(each)]

    def is_current(self, service: ObjectKey) -> bool:
        """Whether the cache shows all that was written. When not, `on_change` tells as soon as it does."""
        shown = {name_of(each): meta(each).generation or 0 for each in self.of(service)}
        for name, generation in self._written.get(service, {}).items():
            if generation == 0 and name in shown:
                break
            if generation and shown.get(name, 0) < generation:
                break
        else:
            return True
        self._waiting.add(service)
        return False

    def forget(self, service: ObjectKey) -> None:
        self._written.pop(service, None)
        self._waiting.discard(service)

    async def write(
        self,
        service: ObjectKey,
        packing: Packing,
        *,
        address_type: str,
        labels: Mapping[str, str],
        annotations: Mapping[str, str],
        owner: Object,
    ) -> None:
        """Create, change and delete as the packing says; slices it keeps get new labels where those changed."""
        for new in packing.create:
            metadata: Object = {
                "generateName": f"{service.name}-",
                "namespace": service.namespace,
                "labels": dict(labels),
                "ownerReferences": [owner],
            }
            if annotations:
                metadata["annotations"] = dict(annotations)
            body = _body(metadata, address_type, new.ports, new.endpoints)
            self._record(service, await self._client.create(ENDPOINT_SLICES, body, service.namespace))
        for change in packing.update:
            await self._update(service, change.slice, change.endpoints, labels, annotations)
        for kept in packing.keep:
            if labels_of(kept) != labels:
                await self._update(service, kept, kept.endpoints or [], labels, annotations)
        await self.delete(service, packing.delete)

    async def _update(
        self,
        service: ObjectKey,
        found: EndpointSlice,
        endpoints: Sequence[Endpoint],
        labels: Mapping[str, str],
        annotations: Mapping[str, str],
    ) -> None:
        metadata: Object = plain(meta(found))
        metadata["labels"] = dict(labels)
        kept = {key: value for key, value in annotations_of(found).items() if key != TRIGGER_TIME}
        metadata["annotations"] = {**kept, **annotations}
        body = _body(metadata, found.addressType, found.ports or [], endpoints)
        self._record(service, await self._client.update(ENDPOINT_SLICES, body))

    async def delete(self, service: ObjectKey, slices: Iterable[EndpointSlice]) -> None:
        for found in slices:
            self._written.setdefault(service, {})[name_of(found)] = 0
            try:
                options = DeleteOptions(uid=meta(found).uid or "")
                await self._client.delete(
                    ENDPOINT_SLICES, name_of(found), namespace_of(found), options=options
                )
            except StatusError as error:
                if not error.is_not_found:
                    self._written[service].pop(name_of(found), None)
                    raise

    def _record(self, service: ObjectKey, written: Object) -> None:
        metadata: Object = written["metadata"]
        self._written.setdefault(service, {})[metadata["name"]] = int(metadata.get("generation") or 1)


def _service_of(found: EndpointSlice) -> Iterable[str]:
    labels = labels_of(found)
    name = labels.get(SERVICE_NAME_LABEL)
    if not name:
        return ()
    return (f"{ObjectKey(namespace_of(found), name)}/{labels.get(MANAGED_BY_LABEL, '')}",)


def _body(
    metadata: Object, address_type: str, ports: Sequence[EndpointPort], endpoints: Sequence[Endpoint]
) -> Object:
    return {
        "apiVersion": ENDPOINT_SLICES.api_version,
        "kind": ENDPOINT_SLICES.kind,
        "metadata": metadata,
        "addressType": address_type,
        "endpoints": [plain(endpoint) for endpoint in endpoints],
        "ports": [plain(port) for port in ports],
    }
