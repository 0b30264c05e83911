"""Keeps the Node and its Lease alive: registers, renews the Lease every 10 s, writes the status when it changed.

An unchanged status is written every 5 minutes; the Lease alone tells the node life-cycle controller that the
kubelet lives. Failures are logged and tried again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ktui.client.base import Client, PatchType, WriteOptions
from ktui.engine.kubelet.machine import Machine
from ktui.engine.kubelet.node_object import (
    NodeIdentity,
    differs,
    extended_allocatable,
    new_node,
    node_labels,
    node_status,
)
from ktui.engine.kubelet.pressure import Pressure
from ktui.engine.kubelet.recording import EventKind, Recorder
from ktui.engine.kubelet.runtime.base import ImageRecord, Runtime, RuntimeCallError, RuntimeInfo
from ktui.kube.clock import Clock, rfc3339_micro
from ktui.kube.data import section
from ktui.kube.errors import StatusError
from ktui.kube.kinds import CSI_NODES, LEASES, NODES
from ktui.kube.resource import Object

log = logging.getLogger(__name__)

LEASE_NAMESPACE = "kube-node-lease"
LEASE_SECONDS = 40
RENEW_SECONDS = 10.0
STATUS_SECONDS = 300.0
_OPTIONS = WriteOptions(field_manager="kubelet")


class NodeRegistration:
    """This machine as a Node of the cluster."""

    def __init__(
        self,
        client: Client,
        runtime: Runtime,
        info: RuntimeInfo,
        identity: NodeIdentity,
        read: Callable[[], Machine],
        pressure: Pressure,
        clock: Clock,
        recorder: Recorder | None,
    ) -> None:
        self._client = client
        self._runtime = runtime
        self._info = info
        self._identity = identity
        self._read = read
        self._pressure = pressure
        self._clock = clock
        self._recorder = recorder
        self._changed = asyncio.Event()
        self._runtime_error = ""
        self._node: Object = {}
        self._written_at = 0.0
        self._images: Sequence[ImageRecord] = ()
        self._images_stale = True

    @property
    def labels(self) -> dict[str, str]:
        """The Node's labels as last written or read."""
        metadata: Object = self._node.get("metadata") or {}
        return metadata.get("labels") or {}

    def seen(self, version: str, capacity: Mapping[str, str], allocatable: Mapping[str, str]) -> None:
        """The API shows the Node: what others advertise on it is allocated from now on."""
        metadata: Object = self._node.get("metadata") or {}
        if int(version or 0) <= int(metadata.get("resourceVersion") or 0):
            return  # Older than what was written last.
        amounts: Object = {"capacity": capacity, "allocatable": allocatable}
        self._node = {**self._node, "status": {**section(self._node, "status"), **amounts}}
        if any(allocatable.get(name) != amount for name, amount in extended_allocatable(amounts).items()):
            self._changed.set()

    def runtime_state(self, error: str) -> None:
        """Tell whether the container runtime answers ("" when it does)."""
        if error != self._runtime_error:
            self._runtime_error = error
            self._changed.set()

    def pressure_changed(self) -> None:
        """Tell at once that the node came under pressure, or is free of it."""
        self._changed.set()

    def images_changed(self) -> None:
        """An image came: the next heartbeat lists them anew."""
        self._images_stale = True

    async def register(self) -> None:
        """Make sure that the Node and its Lease exist and are fresh. Raises StatusError."""
        machine = await asyncio.to_thread(self._read)
        try:
            node = await self._client.create(NODES, self._new_node(machine), options=_OPTIONS)
        except StatusError as error:
            if not error.is_already_exists:
                raise
            patch: Object = {"metadata": {"labels": node_labels(self._identity, machine)}}
            node = await self._client.patch(NODES, self._identity.name, patch, options=_OPTIONS)
        self._node = node
        self.event("Normal", "Starting", "Starting kubelet.")
        await self.renew_lease()
        await self._list_drivers()
        await self.write_status(force=True)
        self.event("Normal", "NodeReady", f"Node {self._identity.name} status is now: NodeReady")

    def _new_node(self, machine: Machine) -> Object:
        """With its status: a scheduler that sees the Node at once must not find it without room."""
        status = node_status(
            self._identity,
            machine,
            self._pressure.observe(machine),
            self._info,
            self._images,
            self._runtime_error,
            {},
            self._clock.now(),
        )
        return {**new_node(self._identity, machine), "status": status}

    async def run(self) -> None:
        """Heartbeats until cancelled."""
        while True:
            timer = asyncio.ensure_future(self._clock.sleep(RENEW_SECONDS))
            changed = asyncio.ensure_future(self._changed.wait())
            try:
                await asyncio.wait([timer, changed], return_when=asyncio.FIRST_COMPLETED)
            finally:
                timer.cancel()
                changed.cancel()
            self._changed.clear()
            try:
                await self.renew_lease()
                await self.write_status()
            except (StatusError, OSError, TimeoutError) as error:
                log.warning("node %s: heartbeat: %s", self._identity.name, error)

    async def renew_lease(self) -> None:
        name = self._identity.name
        spec: Object = {
            "holderIdentity": name,
            "leaseDurationSeconds": LEASE_SECONDS,
            "renewTime": rfc3339_micro(self._clock.now()),
        }
        try:
            await self._client.patch(LEASES, name, {"spec": spec}, LEASE_NAMESPACE, options=_OPTIONS)
        except StatusError as error:
            if not error.is_not_found:
                raise
            owner = self._owner()
            lease: Object = {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": name, "namespace": LEASE_NAMESPACE, "ownerReferences": [owner]},
                "spec": spec,
            }
            await self._client.create(LEASES, lease, LEASE_NAMESPACE, options=_OPTIONS)

    async def _list_drivers(self) -> None:
        """The node's list of storage drivers: empty, and there for those who bring some."""
        name, metadata = self._identity.name, {"ownerReferences": [self._owner()]}
        try:
            await self._client.patch(CSI_NODES, name, {"metadata": metadata}, options=_OPTIONS)
        except StatusError as error:
            if not error.is_not_found:
                raise
            csi_node: Object = {"metadata": {"name": name, **metadata}, "spec": {"drivers": []}}
            await self._client.create(CSI_NODES, csi_node, options=_OPTIONS)

    def _owner(self) -> Object:
        """What goes with the Node."""
        return {"apiVersion": "v1", "kind": "Node", "name": self._identity.name, "uid": self._uid()}

    async def write_status(self, *, force: bool = False) -> None:
        """Write the Node's status if it changed, or if it was not written for long."""
        machine = await asyncio.to_thread(self._read)
        overdue = self._clock.monotonic() - self._written_at >= STATUS_SECONDS
        if force or overdue or self._images_stale:
            await self._list_images()
        before: Object = self._node.get("status") or {}
        pressed = self._pressure.observe(machine)
        after = node_status(
            self._identity,
            machine,
            pressed,
            self._info,
            self._images,
            self._runtime_error,
            before,
            self._clock.now(),
        )
        if not (force or overdue or differs(before, after)):
            return
        self._tell_pressure(before, pressed)
        patch: Object = {"status": _with_replaced_addresses(after)}
        try:
            self._node = await self._client.patch(
                NODES,
                self._identity.name,
                patch,
                patch_type=PatchType.STRATEGIC,
                subresource="status",
                options=_OPTIONS,
            )
        except StatusError as error:
            if not error.is_not_found:
                raise
            # Someone deleted the Node while its kubelet lives: it comes back, as with Kubernetes.
            self._node = await self._client.create(NODES, self._new_node(machine), options=_OPTIONS)
            self._changed.set()
            return
        self._written_at = self._clock.monotonic()

    async def _list_images(self) -> None:
        self._images_stale = False
        try:
            self._images = await self._runtime.images()
        except RuntimeCallError as error:
            log.info("node %s: images not listed: %s", self._identity.name, error)

    def event(self, kind: EventKind, reason: str, message: str) -> None:
        if self._recorder is not None:
            involved: Object = {
                "apiVersion": "v1",
                "kind": "Node",
                "name": self._identity.name,
                "uid": self._uid(),
            }
            self._recorder.event(involved, kind, reason, message)

    def _uid(self) -> str:
        metadata: Object = self._node.get("metadata") or {}
        return str(metadata.get("uid") or "")

    def _tell_pressure(self, before: Object, now: dict[str, bool]) -> None:
        conditions: list[Any] = before.get("conditions") or []
        known = {c["type"]: c["status"] == "True" for c in conditions}
        words = {
            "MemoryPressure": ("NodeHasSufficientMemory", "NodeHasInsufficientMemory"),
            "DiskPressure": ("NodeHasNoDiskPressure", "NodeHasDiskPressure"),
            "PIDPressure": ("NodeHasSufficientPID", "NodeHasInsufficientPID"),
        }
        for kind, pressed in now.items():
            if known.get(kind) != pressed:
                word = words[kind][pressed]
                self.event("Normal", word, f"Node {self._identity.name} status is now: {word}")


def _with_replaced_addresses(status: Object) -> Object:
    """Addresses merge by type in a strategic patch: an old one must not stay."""
    return {**status, "addresses": [{"$patch": "replace"}, *status["addresses"]]}
