"""Slices of hand-made Endpoints: who reads EndpointSlices alone sees them as well.

Woken by Endpoints, by services (only those without selector are mirrored) and by slices that somebody touched.
Endpoints labelled `endpointslice.kubernetes.io/skip-mirror: "true"` and leader locks are left alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from lightkube.models.core_v1 import EndpointAddress, Endpoints, Service
from lightkube.models.discovery_v1 import Endpoint, EndpointConditions, EndpointPort

from ktui.client.base import Client
from ktui.client.informer import Delta, Informers
from ktui.engine.controllers.objects import annotations_of, is_deleting, labels_of, name_of, plain
from ktui.engine.controllers.ownership import controller_reference
from ktui.engine.controllers.pod_control import is_namespace_terminating
from ktui.engine.controllers.runtime import Controller, Result
from ktui.engine.controllers.service_pods import selector_of
from ktui.engine.controllers.slice_packing import group, pack
from ktui.engine.controllers.slice_writes import Slices
from ktui.engine.controllers.trigger_times import TRIGGER_TIME
from ktui.engine.controllers.workqueue import WorkQueue
from ktui.kube.errors import StatusError
from ktui.kube.kinds import ENDPOINTS, SERVICES
from ktui.kube.resource import ObjectKey
from ktui.kube.service import MANAGED_BY_LABEL, SERVICE_NAME_LABEL

MANAGED_BY: Final = "endpointslicemirroring-controller.k8s.io"
SKIP_LABEL: Final = "endpointslice.kubernetes.io/skip-mirror"
_LEADER: Final = "control-plane.alpha.kubernetes.io/leader"
_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
_MOST: Final = 1000
"""Addresses of one subset that are mirrored."""


class EndpointSliceMirroring(Controller[ObjectKey]):
    """Keeps slices in step with Endpoints that no controller of ours makes."""

    name = "endpointslicemirroring-controller"

    def __init__(self, client: Client) -> None:
        self._client = client

    def setup(self, informers: Informers, queue: WorkQueue[ObjectKey]) -> None:
        self._services = informers.of(SERVICES, Service)
        self._endpoints = informers.of(ENDPOINTS, Endpoints)
        self._slices = Slices(self._client, informers, MANAGED_BY)

        def changed(delta: Delta[Endpoints] | Delta[Service]) -> None:
            queue.add(delta.key)

        self._endpoints.add_handler(changed)
        self._services.add_handler(changed)
        self._slices.on_change(queue.add)

    async def reconcile(self, key: ObjectKey) -> Result | None:
        found, service = self._endpoints.get(key), self._services.get(key)
        if not self._slices.is_current(key):
            return None
        existing = self._slices.of(key)
        if found is None or service is None or not _is_mirrored(found, service):
            await self._slices.delete(key, existing)
            if not existing:
                self._slices.forget(key)
            return None
        by_family: dict[str, list[tuple[list[EndpointPort], Endpoint]]] = {}
        for family, ports, endpoint in _endpoints(found):
            by_family.setdefault(family, []).append((ports, endpoint))
        try:
            await self._slices.delete(key, [each for each in existing if each.addressType not in by_family])
            for family, endpoints in by_family.items():
                await self._slices.write(
                    key,
                    pack([each for each in existing if each.addressType == family], group(endpoints)),
                    address_type=family,
                    labels=_labels(found),
                    annotations=_annotations(found),
                    owner=plain(controller_reference(found, ENDPOINTS)),
                )
        except StatusError as error:
            if not is_namespace_terminating(error):
                raise
        return None


def _is_mirrored(found: Endpoints, service: Service) -> bool:
    is_made_by_us = bool(selector_of(service))
    left_alone = labels_of(found).get(SKIP_LABEL) == "true" or _LEADER in annotations_of(found)
    return not (is_made_by_us or left_alone or is_deleting(found))


def _labels(found: Endpoints) -> dict[str, str]:
    return {
        **labels_of(found),
        SERVICE_NAME_LABEL: name_of(found),
        MANAGED_BY_LABEL: MANAGED_BY,
    }


def _annotations(found: Endpoints) -> Mapping[str, str]:
    return {
        name: text for name, text in annotations_of(found).items() if name not in (_APPLIED, TRIGGER_TIME)
    }


def _endpoints(found: Endpoints) -> Iterator[tuple[str, list[EndpointPort], Endpoint]]:
    """Each address with its family and ports."""
    for subset in found.subsets or ():
        ports = [
            EndpointPort(
                name=port.name or "",
                port=port.port,
                protocol=port.protocol or "TCP",
                appProtocol=port.appProtocol,
            )
            for port in subset.ports or ()
        ]
        marked = [
            *((address, True) for address in subset.addresses or ()),
            *((address, False) for address in subset.notReadyAddresses or ()),
        ]
        for address, ready in marked[:_MOST]:
            yield "IPv6" if ":" in address.ip else "IPv4", ports, _endpoint(address, ready)


def _endpoint(address: EndpointAddress, ready: bool) -> Endpoint:
    return Endpoint(
        addresses=[address.ip],
        conditions=EndpointConditions(ready=ready),
        hostname=address.hostname,
        nodeName=address.nodeName,
        targetRef=address.targetRef,
    )
