"""ServiceCIDRs: networks of cluster IPs are ready as soon as they are there, and stay as long as Services need them.

A finalizer keeps one that is deleted while a Service has an address that lies in no other; its condition says so
(https://kubernetes.io/docs/reference/networking/virtual-ips/#ip-address-objects).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Final

from lightkube.models.core_v1 import Service
from lightkube.models.networking_v1 import ServiceCIDR

from ktui.client.base import Client, PatchType
from ktui.client.informer import Delta, Informers
from ktui.engine.controllers.objects import is_deleting, meta
from ktui.engine.controllers.runtime import Controller, Result
from ktui.engine.controllers.workqueue import WorkQueue
from ktui.kube.clock import Clock, rfc3339
from ktui.kube.errors import StatusError
from ktui.kube.kinds import SERVICE_CIDRS, SERVICES
from ktui.kube.resource import Object, ObjectKey

FINALIZER: Final = "networking.k8s.io/service-cidr-finalizer"
_GRACE_SECONDS: Final = 10.0
"""How long after its deletion a network stays: a Service that got its address just before is seen by then."""
_READY: Final = ("True", "", "Kubernetes Service CIDR is ready")
_NEEDED: Final = (
    "False",
    "Terminating",
    "There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR",
)

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class ServiceCIDRController(Controller[ObjectKey]):
    """Says that networks are ready, and lets deleted ones go in time."""

    name = "service-cidr-controller"

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    def setup(self, informers: Informers, queue: WorkQueue[ObjectKey]) -> None:
        self._queue = queue
        self._cidrs = informers.of(SERVICE_CIDRS, ServiceCIDR)
        self._services = informers.of(SERVICES, Service)
        self._cidrs.add_handler(self._cidr_changed)
        self._services.add_handler(self._service_changed)

    def _cidr_changed(self, delta: Delta[ServiceCIDR]) -> None:
        # Whether one may go depends on the others.
        for key, _ in self._cidrs.items():
            self._queue.add(key)

    def _service_changed(self, delta: Delta[Service]) -> None:
        if delta.new is None or delta.old is not None:
            for key, cidr in self._cidrs.items():
                if is_deleting(cidr):
                    self._queue.add(key)

    async def reconcile(self, key: ObjectKey) -> Result | None:
        cidr = self._cidrs.get(key)
        if cidr is None:
            return None
        try:
            if not is_deleting(cidr):
                await self._hold(cidr)
                await self._tell(cidr, *_READY)
            elif FINALIZER in (meta(cidr).finalizers or ()):
                return await self._let_go(cidr)
        except StatusError as error:
            if not error.is_not_found:
                raise
        return None

    async def _let_go(self, cidr: ServiceCIDR) -> Result | None:
        if self._is_needed(cidr):
            await self._tell(cidr, *_NEEDED)
            return None
        deleted = meta(cidr).deletionTimestamp
        since = (self._clock.now() - deleted).total_seconds() if deleted else _GRACE_SECONDS
        if since < _GRACE_SECONDS:
            return Result(_GRACE_SECONDS - since)
        left = [each for each in meta(cidr).finalizers or () if each != FINALIZER]
        await self._patch(cidr, {"metadata": {"finalizers": left or None}})
        return None

    def _is_needed(self, cidr: ServiceCIDR) -> bool:
        """Whether a Service has an address that is in none but this one."""
        own = tuple(_networks(cidr))
        others = [
            network
            for _, other in self._cidrs.items()
            if meta(other).name != meta(cidr).name
            for network in _networks(other)
        ]
        return any(
            any(address in network for network in own) and not any(address in network for network in others)
            for _, service in self._services.items()
            for address in _addresses(service)
        )

    async def _hold(self, cidr: ServiceCIDR) -> None:
        finalizers = list(meta(cidr).finalizers or ())
        if FINALIZER not in finalizers:
            await self._patch(cidr, {"metadata": {"finalizers": [*finalizers, FINALIZER]}})

    async def _tell(self, cidr: ServiceCIDR, status: str, reason: str, message: str) -> None:
        held = [each for each in (cidr.status and cidr.status.conditions) or () if each.type == "Ready"]
        if held and (held[0].status, held[0].reason, held[0].message) == (status, reason, message):
            return
        condition = {
            "type": "Ready",
            "status": status,
            "reason": reason,
            "message": message,
            "lastTransitionTime": rfc3339(self._clock.now()),
        }
        await self._client.patch(
            SERVICE_CIDRS,
            meta(cidr).name or "",
            {"status": {"conditions": [condition]}},
            patch_type=PatchType.MERGE,
            subresource="status",
        )

    async def _patch(self, cidr: ServiceCIDR, patch: Object) -> None:
        patch["metadata"]["resourceVersion"] = meta(cidr).resourceVersion
        await self._client.patch(SERVICE_CIDRS, meta(cidr).name or "", patch, patch_type=PatchType.MERGE)


def _networks(cidr: ServiceCIDR) -> Iterator[_Network]:
    for text in (cidr.spec and cidr.spec.cidrs) or ():
        yield ipaddress.ip_network(text, strict=False)


def _addresses(service: Service) -> Iterator[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    spec = service.spec
    for text in (spec.clusterIPs or (spec.clusterIP or "",)) if spec else ():
        if text not in ("", "None"):
            yield ipaddress.ip_address(text)
