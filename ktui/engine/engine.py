"""The composition root: builds every part of the control plane, starts and stops them in order.

In: a data folder and options. Out: a running cluster behind one `Client`. The store's lock keeps a second
engine out of the same data folder. Parts are supervised tasks; stopping leaves containers running unless
asked otherwise, and the next start adopts them.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

from ktui.client.base import Client
from ktui.client.events import EventRecorder
from ktui.client.informer import Informers
from ktui.engine.api.aggregation.authentication import publish
from ktui.engine.api.allocation.service_range import free_service_range
from ktui.engine.api.authn.identity import ADMIN
from ktui.engine.api.authn.jwt import SigningKey
from ktui.engine.api.http.audit import AuditLog
from ktui.engine.api.http.front import HttpFront
from ktui.engine.api.http.metrics import Figures
from ktui.engine.api.http.secure import Address, SecureApi, server_names
from ktui.engine.api.local import LocalClient
from ktui.engine.api.pki.folder import Pki
from ktui.engine.api.rbac.authorizer import Rbac
from ktui.engine.api.rbac.bootstrap import ensure_default_roles
from ktui.engine.api.registry import default_registry
from ktui.engine.api.secrets_at_rest import KeyFile, SecretSeal
from ktui.engine.api.server import ApiServer
from ktui.engine.controllers.all import default_controllers
from ktui.engine.controllers.published_services import Published, api_service, dns_service
from ktui.engine.controllers.runtime import ControllerRunner
from ktui.engine.kubelet.kubelet import Kubelet
from ktui.engine.kubelet.labels import grace_period
from ktui.engine.kubelet.runtime.base import PodRecord, Runtime, RuntimeInfo
from ktui.engine.kubelet.runtime.podman_identity import host_routes
from ktui.engine.kubelet.service_variables import ServiceVariables
from ktui.engine.logs import log_to, stop_logging
from ktui.engine.manifests.folder import Folder
from ktui.engine.manifests.syncer import Syncer
from ktui.engine.networking import Network, NodeFacts, prepare
from ktui.engine.pacing import pace
from ktui.engine.parts import Part, failure_of, stop_within, supervise
from ktui.engine.scheduler.scheduler import Scheduler
from ktui.engine.store import Store, open_store
from ktui.kube.clock import Clock, RealClock
from ktui.kube.resource import Object

log = logging.getLogger(__name__)

RuntimeName = Literal["podman", "sim"]

_READY_SECONDS = 60.0
_STOP_SECONDS = 5.0
_CLOSE_SECONDS = 15.0
"""Most that each thing opened at the start gets to close: stopping is bounded whatever hangs."""
_GRACE_SECONDS = 10.0
"""Most that a container gets to end when everything is stopped, however long its pod's grace period is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """What one engine is."""

    data_dir: Path
    socket: Path
    """Where it serves its API to its owner."""
    listen: Address | None = None
    """Where it serves its API over TLS."""
    encrypt_secrets: Path | None = None
    """The file with the keys that Secrets are encrypted with on the disk; made if it isn't there."""
    manifests: Path | None = None
    runtime: RuntimeName = "podman"
    prune_limit: int = 20
    debug: bool = False


class Engine:
    """One cluster in one event loop. `start`, then `stop`, in the same loop."""

    def __init__(self, options: EngineOptions, clock: Clock | None = None) -> None:
        self.options = options
        self.parts: list[Part] = []
        self.runtime_info: RuntimeInfo | None = None
        self.url = ""
        """Where the API is served over TLS."""
        self._clock = clock or RealClock()
        self._authority = ""
        self._tasks: list[asyncio.Task[None]] = []
        self._closers: list[Callable[[], Awaitable[None]]] = []
        self._server: ApiServer | None = None
        self._runtime: Runtime | None = None
        self._controllers: ControllerRunner | None = None
        self._figures: list[Figures] = []
        self._recorder: EventRecorder | None = None
        self._network: Network | None = None
        self._secure: SecureApi | None = None

    @property
    def client(self) -> Client:
        """The cluster's API for its owner."""
        assert self._server is not None, "the engine has not been started"
        return LocalClient(self._server, ADMIN.name, groups=ADMIN.groups)

    async def start(self) -> None:
        """Bring everything up; returns when the API serves and the node is registered.

        Raises LockedError when another engine has the data folder, CorruptStoreError when the store is
        damaged, KeyFileError or SealError when its Secrets can't be encrypted or decrypted, ListenError or PkiError when the API can't be served over TLS, RuntimeCallError when the
        container runtime can't be used. What was started is stopped then.
        """
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def _start(self) -> None:
        options = self.options
        options.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        store = await self._open_store()
        handler = log_to(options.data_dir, debug=options.debug)
        self._closers.append(_sync(lambda: stop_logging(handler)))
        log.info("engine starts on %s with runtime %s", options.data_dir, options.runtime)
        server = await self._serve(store)
        self._runtime = _make_runtime(options)
        self._closers.append(self._runtime.close)
        info = self.runtime_info = await self._runtime.start()
        published = await self._published(self._runtime, info)
        await prepare(LocalClient(server, "system:ktui-network"), info)
        kubelet = self._start_parts(server, self._runtime, info, published)
        async with asyncio.timeout(_READY_SECONDS):
            await kubelet.ready.wait()
        log.info("engine is ready")

    async def _open_store(self) -> Store:
        """The store with its Secrets encrypted as asked, those written before too."""
        folder, path = self.options.data_dir / "store", self.options.encrypt_secrets
        keys = await asyncio.to_thread(KeyFile.load, path) if path is not None else None
        seal = SecretSeal(keys) if keys is not None else None
        store = await asyncio.to_thread(open_store, folder, clock=self._clock, seal=seal)
        self._closers.append(store.close)
        if keys is not None and keys.is_new:
            await asyncio.to_thread(keys.save)
        if store.is_stale:
            await store.compact()
            log.info("all Secrets are written anew as %s asks for", path)
        return store

    async def _serve(self, store: Store) -> ApiServer:
        server = self._server = ApiServer(
            store,
            default_registry(),
            self._clock,
            authorizer=Rbac(store),
            signing_key=lambda: key,  # asked for once the API is served
            service_range=free_service_range(str(self.options.data_dir.resolve()), host_routes()),
        )
        key, _ = await asyncio.gather(asyncio.to_thread(self._identity), _populate(server))
        await publish(server, Pki(self.options.data_dir / "pki"))
        audit = AuditLog(self.options.data_dir / "audit.log")
        self._closers.append(audit.close)
        front = HttpFront(server, [server.tokens.authenticate], audit, figures=self._figures)
        await front.listen(self.options.socket)
        self._closers.append(front.close)
        self._closers.append(_sync(lambda: self.options.socket.unlink(missing_ok=True)))
        if self.options.listen is not None:
            names = (str(ipaddress.ip_network(server.service_range)[1]),)
            secure = self._secure = SecureApi(
                front, self.options.data_dir, self.options.listen, self._clock, names=names
            )
            await secure.start()
            self.url = secure.url
            self._run("certificates", secure.run)
        return server

    def _identity(self) -> SigningKey:
        """Make or read the cluster's authority, which pods are told of, and the key of their tokens."""
        folder = self.options.data_dir / "pki"
        pki = Pki(folder)
        pki.prepare(list(server_names("127.0.0.1")), self._clock.now())
        pki.prepare_front_proxy(self._clock.now())
        self._authority = pki.authority.decode()
        return SigningKey.in_folder(folder)

    async def _sign(self, request: bytes, usages: Sequence[str], lifetime: timedelta | None) -> bytes:
        """The certificate for an approved request, signed with the cluster's authority."""
        pki = Pki(self.options.data_dir / "pki")
        return await asyncio.to_thread(pki.sign, request, usages, self._clock.now(), lifetime)

    async def _published(self, runtime: Runtime, info: RuntimeInfo) -> list[Published]:
        """What pods reach of the cluster itself, at the host's address on their bridge where there is one."""
        has_bridge = info.details.get("bridge") and info.details.get("rootless") != "true"
        host = info.details["gateway"] if has_bridge else runtime.host_ip
        secure = self._secure
        if secure is None:
            is_served = False
        else:
            is_served = await secure.serve_at(host) if has_bridge else secure.serves(host)
        found = [api_service(host if is_served else "", secure.port if secure else 0)]
        return [*found, dns_service(host)] if has_bridge else found

    def _start_parts(
        self, server: ApiServer, runtime: Runtime, info: RuntimeInfo, published: Sequence[Published]
    ) -> Kubelet:
        options, clock = self.options, self._clock
        node_name = _node_name()

        def client(user: str, manager: str = "") -> LocalClient:
            """Of one of our own parts, which write typed objects."""
            return LocalClient(server, f"system:{user}", manager=manager or user, trusted=True)

        recorder = self._recorder = EventRecorder(client("ktui"), "ktui", clock=clock)
        informers = Informers(client("ktui"), clock)
        controllers = self._controllers = ControllerRunner(
            default_controllers(
                client("kube-controller-manager"),
                recorder,
                clock,
                authority=self._authority,
                sign=self._sign,
                published=published,
                volumes=options.data_dir.resolve() / "volumes",
                adapters=server.aggregator,
            ),
            informers,
            clock,
        )
        facts = NodeFacts(
            node=node_name,
            host_address=runtime.host_ip,
            pod_cidr=runtime.pod_cidr,
            service_cidr=server.service_range,
            data_dir=options.data_dir,
            api_socket=options.socket,
            debug=options.debug,
        )
        network = self._network = Network(info, facts)
        scheduler = Scheduler(client("kube-scheduler"), informers, clock, recorder.named("default-scheduler"))
        kubelet = Kubelet(
            client(f"node:{node_name}", "kubelet"),
            informers,
            runtime,
            info,
            node_name=node_name,
            data_dir=options.data_dir,
            clock=clock,
            recorder=recorder.named("kubelet", host=node_name),
            cluster_dns=network.cluster_dns,
            leave_services=network.leave_services,
            service_variables=ServiceVariables(informers),
        )
        self._figures.append(controllers.figures)
        server.register_node(node_name, kubelet.agent)
        self._run("api server", server.run)
        self._run("events", recorder.run)
        self._run("controllers", controllers.run, component="controller-manager")
        self._run("informers", informers.run)
        self._run("scheduler", scheduler.run, component="scheduler")
        self._run("kubelet", kubelet.run)
        for name, run in network.parts(client("ktui-network"), informers, kubelet.agent.dial, clock).items():
            self._run(name, run)
        if network.limits:
            recorder.event(_node(node_name), "Normal", "NetworkLimited", network.limits)
        if options.manifests is not None:
            syncer = Syncer(
                LocalClient(server, "system:ktui-manifests", manager="ktui"),
                Folder(options.manifests, clock),
                clock=clock,
                prune_limit=options.prune_limit,
            )
            self._run("manifests", syncer.run)
        self._run("pacing", pace)
        return kubelet

    def _run(self, name: str, run: Callable[[], Awaitable[None]], *, component: str = "") -> None:
        part = Part(name)
        self.parts.append(part)
        if component and self._server is not None:
            self._server.components.register(component, lambda: failure_of(part))
        task = supervise(part, run, self._clock, self._tell_crash)
        self._tasks.append(asyncio.create_task(task, name=name))

    def _tell_crash(self, part: Part) -> None:
        """Show it where people look: as a Warning about the node."""
        if self._recorder is not None:
            message = f"ktui's part {part.name} failed and is started again: {part.last_error}"
            self._recorder.event(_node(_node_name()), "Warning", "PartFailed", message)

    async def stop(self, *, stop_pods: bool = False) -> None:
        """End every part and let go of the data folder. Containers keep running unless `stop_pods`."""
        for part in self.parts:
            part.is_stopping = True
        if self._controllers is not None:
            await self._controllers.stop()
        tasks, self._tasks = self._tasks, []
        await asyncio.gather(*(stop_within(task, _STOP_SECONDS) for task in tasks))
        if stop_pods and self._runtime is not None and self.runtime_info is not None:
            await _stop_pods(self._runtime)
            if self._network is not None:
                await self._network.remove()
        closers, self._closers = self._closers, []
        for close in reversed(closers):
            try:
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await close()
            except Exception:
                log.exception("closing: %s failed", getattr(close, "__qualname__", close))


def _make_runtime(options: EngineOptions) -> Runtime:
    if options.runtime == "sim":
        from ktui.engine.kubelet.runtime.sim import SimRuntime

        return SimRuntime(options.data_dir / "sim")
    from ktui.engine.kubelet.runtime.podman import PodmanRuntime

    return PodmanRuntime(options.data_dir / "podman")


async def _stop_pods(runtime: Runtime) -> None:
    """Stop and remove what runs; the pods stay in the store and are started again with the next engine."""

    async def one(record: PodRecord) -> None:
        await asyncio.gather(
            *(
                runtime.stop_container(container.id, min(_GRACE_SECONDS, grace_period(container.labels)))
                for container in record.containers
            ),
            return_exceptions=True,
        )
        await runtime.stop_sandbox(record.id)
        await runtime.remove_sandbox(record.id)

    results = await asyncio.gather(*(one(record) for record in await runtime.pods()), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            log.error("a pod was not stopped: %s", result)


async def _populate(server: ApiServer) -> None:
    """Make what a cluster begins with."""
    await server.start()
    await ensure_default_roles(server)


def _sync(work: Callable[[], object]) -> Callable[[], Awaitable[None]]:
    async def close() -> None:
        work()

    return close


def _node(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}


def _node_name() -> str:
    """The host's name as a node may be called."""
    name = re.sub(r"[^a-z0-9.-]+", "-", socket.gethostname().lower()).strip("-.")
    return name[:63].rstrip("-.") or "localhost"
