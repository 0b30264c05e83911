"""A local port that leads to a pod, or to whichever pod of a Service or workload is ready.

In: a client, what to forward to, where to listen. Out: a listening socket whose connections go through the API's
port-forward, and figures of them. The pods behind the name are watched: when the one in use goes, the next
connection goes to another, and `on_news` is told. Used by the screens and by `ktui port-forward`.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from ktui.client.base import Client, PortStream
from ktui.client.forward_ports import PortError, PortPair, container_port, own_number
from ktui.client.informer import Delta, Informer
from ktui.client.podsof import likely
from ktui.kube.address import join_host_port
from ktui.kube.data import items, section, string
from ktui.kube.errors import StatusError
from ktui.kube.kinds import PODS, SERVICES
from ktui.kube.resource import Object, Resource
from ktui.kube.selector import Selector

_CHUNK: Final = 64 * 1024
_LIST_SECONDS: Final = 10.0
LOCALHOST: Final = "localhost"
"""Both loopback addresses, as far as the machine has them."""


class ForwardError(OSError):
    """Nothing to forward to, or no place to listen; the message is for the user."""


class ListenError(ForwardError):
    """A local address that can't be had."""

    def __init__(self, address: str, port: int, cause: OSError) -> None:
        self.address, self.port, self.cause = address, port, cause
        where = join_host_port(address, port)
        if cause.errno == errno.EADDRINUSE:
            text = f"{where} is taken by another program; choose another local port"
        elif cause.errno in (errno.EACCES, errno.EPERM):
            text = f"{where} is not allowed: ports below 1024 need rights; choose a higher local port"
        else:
            text = f"{where} can't be listened on: {cause.strerror or cause}"
        super().__init__(text)


class State(StrEnum):
    """How a forward is."""

    ACTIVE = "Active"
    WAITING = "Waiting"
    """No pod to forward to just now."""
    STOPPED = "Stopped"


@dataclass(frozen=True, slots=True)
class Target:
    """What is forwarded to: a pod, or an object that selects pods."""

    resource: Resource
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.resource.singular or self.resource.kind.lower()}/{self.name}"


@dataclass(slots=True)
class Figures:
    """What has gone through a forward."""

    open: int = 0
    total: int = 0
    sent: int = 0
    """Bytes to the pod."""
    received: int = 0


@dataclass(eq=False)
class Forward:
    """One local port. `start` it, `stop` it; what it tells is in its fields meanwhile."""

    client: Client
    target: Target
    pair: PortPair
    addresses: Sequence[str] = (LOCALHOST,)
    on_news: Callable[[str], object] = lambda text: None
    """Told in words when the pod changes or a connection fails."""
    on_connection: Callable[[], object] = lambda: None

    state: State = State.WAITING
    pod: str = ""
    """The pod in use, "" while there is none."""
    local: int = 0
    """The local port."""
    remote: int = 0
    """The container's port."""
    problem: str = ""
    """Why the last connection failed, "" when it went well."""
    figures: Figures = field(default_factory=Figures)

    def __post_init__(self) -> None:
        self._object: Object = {}
        self._pods: Informer[dict[str, Any]] | None = None
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._following: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self.listening: list[tuple[str, int]] = []
        """The addresses that are listened on."""

    async def start(self, patience: float = 0.0) -> None:
        """Find a pod (within `patience` seconds) and listen. Raises StatusError, PortError or ForwardError."""
        try:
            await self._follow()
            pod = await self._first_pod(patience)
            self.remote = container_port(self._object, pod, self.pair.remote)
            wanted = self.pair.local
            self.local = own_number(self._object, pod, self.pair.remote) if wanted is None else wanted
            await self._listen()
            self.pod, self.state = _name(pod), State.ACTIVE
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop listening and end all connections."""
        self.state = State.STOPPED
        for server in self._servers:
            server.close()
        tasks = [*self._tasks, *([self._following] if self._following else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- which pod -------------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        target = self.target
        self._object = await self.client.get(target.resource, target.name, target.namespace)
        if target.resource.key == PODS.key:
            fields, labels = f"metadata.name={target.name}", ""
        else:
            fields, labels = "", selector_of(self._object)
            if not labels:
                raise ForwardError(
                    f"invalid service '{target.name}': Service is defined without a selector"
                    if target.resource.key == SERVICES.key
                    else f"{target} selects no pods"
                )
        pods: Informer[dict[str, Any]] = Informer(
            self.client, PODS, dict, namespace=target.namespace, label_selector=labels, field_selector=fields
        )
        pods.add_handler(self._pod_changed)
        self._pods = pods
        self._following = asyncio.create_task(pods.run(), name=f"pods of {target}")
        try:
            async with asyncio.timeout(_LIST_SECONDS):
                await pods.wait_synced()
        except TimeoutError:
            raise ForwardError(f"the cluster does not list the pods of {target}") from None

    async def _first_pod(self, patience: float) -> Object:
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while (pod := self._best()) is None:
                    self._changed.clear()
                    await self._changed.wait()
                return pod
        if (pod := self._best()) is None:
            raise ForwardError(self._why_none())
        return pod

    def _known(self) -> list[Object]:
        return self._pods.list() if self._pods is not None else []

    def _best(self) -> Object | None:
        """The pod in use if it still is as good as any, else the best one that runs."""
        running = sorted((pod for pod in self._known() if _runs(pod)), key=likely)
        ready = [pod for pod in running if is_ready(pod)]
        choice = ready or running
        return next((pod for pod in choice if _name(pod) == self.pod), choice[0] if choice else None)

    def _why_none(self) -> str:
        pods = self._known()
        if self.target.resource.key == PODS.key:
            phase = string(section(pods[0], "status"), "phase") if pods else "deleted"
            return f"unable to forward port because pod is not running. Current status={phase}"
        if not pods:
            return f"{self.target} has no pods"
        phases = ", ".join(f"{_name(pod)} is {_phase(pod)}" for pod in sorted(pods, key=likely)[:3])
        more = f" and {len(pods) - 3} more" if len(pods) > 3 else ""
        return f"no pod of {self.target} is running: {phases}{more}"

    def _pod_changed(self, _: Delta[dict[str, Any]]) -> None:
        self._changed.set()
        if self.listening and self.state is not State.STOPPED:
            self._use(self._best())

    def _use(self, pod: Object | None) -> None:
        """Forward to this pod from now on, and say so when it is another."""
        before, self.pod = self.pod, _name(pod) if pod else ""
        if pod is None:
            if self.state is State.ACTIVE:
                self.state = State.WAITING
                self.on_news(f"{self._where}: {before} has gone; waiting for a pod that runs")
            return
        if self.pod == before:
            return
        try:
            self.remote = container_port(self._object, pod, self.pair.remote)
        except PortError as error:
            self.problem = str(error)
        self.state = State.ACTIVE
        gone = f"{before} has gone; " if before else ""
        self.on_news(f"{self._where}: {gone}now forwarding to {self.pod}")

    @property
    def _where(self) -> str:
        return f"{self.target} on port {self.local}"

    # -- listening and carrying ------------------------------------------------------------------------------

    async def _listen(self) -> None:
        """Every address that was asked for, and at least one of both loopback addresses."""
        for wanted in self.addresses:
            loopbacks = ("127.0.0.1", "::1") if wanted == LOCALHOST else (wanted,)
            failed: list[ListenError] = []
            for address in loopbacks:
                family = _family(address)
                try:
                    await self._listen_on(address, family)
                except OSError as error:
                    failed.append(ListenError(address, self.local, error))
            if len(failed) == len(loopbacks):
                raise failed[0]

    async def _listen_on(self, address: str, family: socket.AddressFamily) -> None:
        bound = socket.create_server((address, self.local), family=family)
        self._servers.append(await asyncio.start_server(self._accepted, sock=bound))
        # A port of the system's choice is the same on the second loopback address.
        self.local = int(bound.getsockname()[1])
        self.listening.append((address, self.local))

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.figures.open += 1
        self.figures.total += 1
        self.on_connection()
        try:
            stream = await self._connect()
            try:
                await self._carry(reader, writer, stream)
            finally:
                await stream.close()
            self.problem = ""
        except (StatusError, PortError, OSError) as error:
            self._failed(str(error))
        finally:
            self._tasks.discard(task)
            self.figures.open -= 1
            writer.close()

    def _failed(self, text: str) -> None:
        if text != self.problem and self.state is not State.STOPPED:
            self.on_news(f"{self._where}: {text}")
        self.problem = text

    async def _connect(self) -> PortStream:
        pod = self._best()
        if pod is None:
            raise ForwardError(self._why_none())
        self._use(pod)
        port = container_port(self._object, pod, self.pair.remote)
        return await self.client.port_forward(_name(pod), self.target.namespace, port)

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, stream: PortStream
    ) -> None:
        """Both ways, until the pod has sent everything or the other end is gone."""
        upward = asyncio.create_task(self._upward(reader, stream))
        try:
            while data := await stream.read():
                self.figures.received += len(data)
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            # Who asked has hung up: no fault of the pod's.
            if not writer.is_closing() and reader.exception() is None:
                raise
        finally:
            upward.cancel()
            await asyncio.gather(upward, return_exceptions=True)

    async def _upward(self, reader: asyncio.StreamReader, stream: PortStream) -> None:
        try:
            while data := await reader.read(_CHUNK):
                self.figures.sent += len(data)
                await stream.write(data)
            await stream.end()
        except OSError:
            await stream.close()


def selector_of(obj: Object) -> str:
    """The label selector of what selects pods, "" for what selects none."""
    wanted: Object | None = section(obj, "spec").get("selector")
    found = (
        Selector.of_labels(wanted)
        if obj.get("kind") in ("Service", "ReplicationController")
        else Selector.of(wanted)
    )
    return "" if found.nothing or found.empty else str(found)


def is_ready(pod: Object) -> bool:
    """Its Ready condition holds."""
    conditions = items(section(pod, "status"), "conditions")
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)


def _family(address: str) -> socket.AddressFamily:
    try:
        return socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET
    except ValueError:
        raise ForwardError(f"{address} is not a valid IP") from None


def _runs(pod: Object) -> bool:
    return _phase(pod) == "Running"


def _phase(pod: Object) -> str:
    if section(pod, "metadata").get("deletionTimestamp"):
        return "Terminating"
    return string(section(pod, "status"), "phase") or "Pending"


def _name(pod: Object) -> str:
    return string(section(pod, "metadata"), "name")
