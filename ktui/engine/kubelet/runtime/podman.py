"""`PodmanRuntime`: one node's pods as Podman pods, through a Podman service of ktui's own.

A sandbox is a Podman pod with its infra container, containers join it; labels on each say whose they are, and
nothing without this engine's label is ever looked at. Starts run a few at a time (more only slow each other
down). Containers outlive `close()`, and are found again by the next `start()`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ktui.client.base import ExecSession
from ktui.engine.kubelet.runtime import cgroups
from ktui.engine.kubelet.runtime.base import (
    ContainerRecord,
    ContainerSpec,
    ContainerState,
    ContainerStats,
    ExecResult,
    ImageRecord,
    NotFoundError,
    PodRecord,
    RegistryAuth,
    Resources,
    RuntimeCallError,
    RuntimeEvent,
    RuntimeInfo,
    SandboxSpec,
)
from ktui.engine.kubelet.runtime.netns import connect_inside
from ktui.engine.kubelet.runtime.podman_config import cgroup_manager, cgroup_version, raise_descriptor_limit
from ktui.engine.kubelet.runtime.podman_events import PodmanEvents
from ktui.engine.kubelet.runtime.podman_exec import PodmanExec
from ktui.engine.kubelet.runtime.podman_identity import load_identity
from ktui.engine.kubelet.runtime.podman_images import PodmanImages
from ktui.engine.kubelet.runtime.podman_pods import PodIndex, Sandbox
from ktui.engine.kubelet.runtime.podman_records import pod_ips
from ktui.engine.kubelet.runtime.podman_rest import PodmanREST
from ktui.engine.kubelet.runtime.podman_service import PodmanService
from ktui.engine.kubelet.runtime.podman_setup import PodmanSetup
from ktui.engine.kubelet.runtime.podman_specs import (
    container_body,
    engine_filter,
    infra_name,
    pod_body,
    resources_body,
)
from ktui.engine.kubelet.runtime.podman_stats import read_stats

JSON = dict[str, Any]

log = logging.getLogger(__name__)

_STARTS_AT_ONCE = 4
"""2 cores: 7.6 pods/s one at a time, 11.8 with four, 10.8 with eight."""
_WITH_VOLUMES = {"force": "true", "timeout": "0", "v": "true", "volumes": "true"}
"""Those that an image's VOLUME made. Podman's documents say `v`, Podman 4 reads `volumes`."""
_IMAGE_PATH_SINCE = (5, 4)
_KILL_SECONDS = 10.0
_ATTACH_END_SECONDS = 2.0


class PodmanRuntime:
    """A `Runtime` on real containers."""

    def __init__(self, data_dir: Path, *, host_ip: str = "") -> None:
        data_dir.mkdir(parents=True, exist_ok=True)
        self._data_dir = data_dir
        self._host_ip = host_ip or _own_address()
        self.identity = load_identity(data_dir)
        """The engine's id, network, bridge, gateway and subnet."""
        self._service = PodmanService(data_dir, self.identity.engine)
        self._rest = PodmanREST(self._service.socket_path)
        self._index = PodIndex(self._rest, self.identity.engine, self._host_ip)
        self._images = PodmanImages(self._rest)
        self._exec = PodmanExec(self._rest, "", {})
        self._starts = asyncio.Semaphore(_STARTS_AT_ONCE)
        self._network: str | None = None
        self._version: tuple[int, int] = (0, 0)
        self._events = PodmanEvents(self._rest, self._service, self._index, self.identity.engine)

    async def start(self) -> RuntimeInfo:
        """Start the service, choose an OCI runtime, make the network, take in what runs already."""
        try:
            raise_descriptor_limit()
            setup = PodmanSetup(self._data_dir, self.identity, self._service, self._rest)
            self.identity = await setup.prepare()
            chosen = self.identity.runtime
            assert chosen is not None
            self._network = self.identity.network if chosen.rootless_bridge else None
            self._exec = PodmanExec(self._rest, chosen.name, self._service.environment)
            info = await self._images.info()
            major, minor, *_ = str(info["version"]["Version"]).split(".")
            self._version = (int(major), int(minor))
            await self._events.start(chosen.name)
        except BaseException:
            await self.close()
            raise
        return self._info(info, chosen.name)

    def _info(self, info: JSON, oci_runtime: str) -> RuntimeInfo:
        host: JSON = info["host"]
        distribution: JSON = host.get("distribution") or {}
        return RuntimeInfo(
            "podman",
            str(info["version"]["Version"]),
            {
                "engine": self.identity.engine,
                "socket": str(self._service.socket_path),
                "ociRuntime": oci_runtime,
                "cgroups": cgroup_version(),
                "cgroupManager": cgroup_manager(),
                "rootless": str(bool(host["security"]["rootless"])).lower(),
                "network": self._network or "slirp4netns",
                "bridge": self.identity.bridge if self._network else "",
                "gateway": self.identity.gateway if self._network else "",
                "storage": str(info["store"]["graphDriverName"]),
                "kernel": str(host.get("kernel") or ""),
                "os": str(distribution.get("distribution") or ""),
            },
        )

    async def close(self) -> None:
        """End the service; containers keep running."""
        await self._events.close()
        await self._index.close()
        await self._images.close()
        await self._exec.close()
        await self._rest.close()
        await self._service.stop()

    async def remove_everything(self) -> None:
        """Remove all of this engine's pods and its network: for tests, and for who leaves ktui."""
        await self._index.relist()
        await asyncio.gather(*(self.remove_sandbox(record.id) for record in self._index.pods()))
        for container in await self._rest.get_list(
            "containers/json", all="true", filters=engine_filter(self.identity.engine)
        ):
            await self._rest.delete(f"containers/{container['Id']}", **_WITH_VOLUMES)
        await self._rest.delete(f"networks/{self.identity.network}", force="true")

    @property
    def host_ip(self) -> str:
        """The address this machine has on its way out."""
        return self._host_ip

    @property
    def pod_cidr(self) -> str:
        """The engine's own subnet; rootless pods without a bridge share an address behind NAT."""
        return self.identity.subnet if self._network else "10.0.2.0/24"

    async def pods(self) -> Sequence[PodRecord]:
        """Everything of this engine, as last seen."""
        return self._index.pods()

    async def pod(self, uid: str) -> Sequence[PodRecord]:
        """One pod's records, newest attempt first."""
        return self._index.pod(uid)

    def events(self) -> AbstractAsyncContextManager[AsyncIterator[RuntimeEvent]]:
        """Events from now on."""
        return self._index.events.listen()

    # Sandboxes

    async def run_sandbox(self, spec: SandboxSpec) -> str:
        """A running Podman pod with its address."""
        body = pod_body(self.identity.engine, spec, self._network, socket.gethostname())
        async with self._starts:
            pod_id = await self._create("pods", body)
            try:
                infra = await self._start_infra(pod_id, infra_name(body["name"]))
            except BaseException:
                await asyncio.shield(self._rest.delete(f"pods/{pod_id}", force="true", timeout="0"))
                raise
        self._index.add_sandbox(
            Sandbox(
                pod_id,
                body["labels"],
                datetime.now(UTC),
                infra_id=str(infra["Id"]),
                ips=pod_ips(infra, self._host_ip),
            )
        )
        self._index.take_in(infra)
        self._index.events.send(RuntimeEvent(spec.pod.uid, type="sandbox"))
        return pod_id

    async def _create(self, kind: str, body: JSON) -> str:
        """Create a pod or container. One of that name is what a killed ktui had begun (the name carries our
        engine, the pod and the attempt): it gives way."""
        try:
            created = await self._rest.post(f"{kind}/create", body)
        except RuntimeCallError as error:
            if "already in use" not in str(error) and "already exists" not in str(error):
                raise
            log.warning("removing the unfinished %s", body["name"])
            await self._rest.delete(f"{kind}/{body['name']}", force="true", timeout="0")
            created = await self._rest.post(f"{kind}/create", body)
        return str(created["Id"])

    async def _start_infra(self, pod_id: str, infra: str) -> JSON:
        started = await self._rest.post(f"pods/{pod_id}/start")
        if errors := started.get("Errs"):
            raise RuntimeCallError(str(errors[0]))
        return await self._rest.get(f"containers/{infra}/json")

    async def stop_sandbox(self, sandbox_id: str) -> None:
        """Kill everything in it. Its network goes with the infra container."""
        with contextlib.suppress(NotFoundError):
            sandbox = self._index.sandbox(sandbox_id)
            running = [c.id for c in sandbox.containers.values() if c.state is ContainerState.RUNNING]
            await asyncio.gather(*(self._kill(container_id) for container_id in running))
            if sandbox.ready:
                await self._kill(sandbox.infra_id)

    async def remove_sandbox(self, sandbox_id: str) -> None:
        """Remove it with its containers and their logs."""
        await self.stop_sandbox(sandbox_id)
        async with self._starts:
            await self._rest.delete(f"pods/{sandbox_id}", force="true", timeout="0")
        with contextlib.suppress(NotFoundError):
            uid = self._index.sandbox(sandbox_id).pod.uid
            self._index.drop_sandbox(sandbox_id)
            self._index.events.send(RuntimeEvent(uid, type="removed"))

    # Containers

    async def create_container(self, sandbox_id: str, spec: ContainerSpec) -> str:
        """Create it in the sandbox; raises RuntimeCallError with Podman's words."""
        sandbox = self._index.sandbox(sandbox_id)
        image = await self._images.status(spec.image)
        if image is None:
            raise NotFoundError(f"{spec.image}: image not known")
        if any(mount.image_path for mount in spec.mounts) and self._version < _IMAGE_PATH_SINCE:
            raise RuntimeCallError("subPath of an image volume needs Podman 5.4 or newer")
        target = self._index.find(spec.process_namespace_of) if spec.process_namespace_of else None
        body = container_body(
            self.identity.engine,
            sandbox_id,
            sandbox.labels,
            sandbox.pod,
            spec,
            image,
            target.pid if target else 0,
        )
        container_id = await self._create("containers", body)
        self._index.add_container(sandbox_id, container_id)
        await self._index.refresh(container_id)
        return container_id

    async def start_container(self, container_id: str) -> None:
        """Start it; raises RuntimeCallError with the OCI runtime's words."""
        uid = self._pod_uid(container_id)
        oom_kills = cgroups.system_oom_kills()
        async with self._starts:
            try:
                await self._rest.post(f"containers/{container_id}/start")
            except RuntimeCallError:
                await self._index.refresh(container_id)
                raise
        await self._index.started(container_id, oom_kills)
        self._index.events.send(RuntimeEvent(uid, container_id, "started"))

    def _pod_uid(self, container_id: str) -> str:
        return self._index.sandbox(self._index.container(container_id).sandbox_id).pod.uid

    async def stop_container(self, container_id: str, timeout: float) -> None:
        """Its stop signal, SIGKILL after `timeout`, and the certainty that it ended."""
        record = self._index.find(container_id)
        if record is None or record.state is not ContainerState.RUNNING:
            return
        if timeout > 0:
            await self._signal(container_id, self._index.stop_signal(container_id))
            try:
                async with asyncio.timeout(timeout):
                    await self._index.wait_end(container_id)
                return
            except TimeoutError:
                log.info("container %s did not end in %gs: killing it", container_id[:12], timeout)
        await self._kill(container_id)

    async def _kill(self, container_id: str) -> None:
        await self._signal(container_id, signal.SIGKILL)
        try:
            async with asyncio.timeout(_KILL_SECONDS):
                await self._index.wait_end(container_id)
        except TimeoutError as error:
            raise RuntimeCallError(
                f"container {container_id[:12]} was killed, but has not ended in {_KILL_SECONDS:g}s"
            ) from error

    async def _signal(self, container_id: str, number: int) -> None:
        if self._index.signal(container_id, number):
            return
        try:
            await self._rest.post(f"containers/{container_id}/kill", signal=str(number))
        except RuntimeCallError:
            # Ended meanwhile: a look tells, and wakes who waits for its end.
            await self._index.refresh(container_id)
            self._index.notify_if_ended(container_id)

    async def remove_container(self, container_id: str) -> None:
        """Remove it, running or not, with its log."""
        record = self._index.find(container_id)
        if record is not None and record.state is ContainerState.RUNNING:
            await self._kill(container_id)
        await self._rest.delete(f"containers/{container_id}", **_WITH_VOLUMES)
        if record is not None:
            uid = self._pod_uid(container_id) if self._index.find(container_id) else ""
            if self._index.drop_container(container_id):
                self._index.events.send(RuntimeEvent(uid, container_id, "removed"))

    async def container(self, container_id: str) -> ContainerRecord:
        """Its record as last seen."""
        return self._index.container(container_id)

    async def update_resources(self, container_id: str, resources: Resources) -> None:
        """Change the limits of a running container."""
        self._index.container(container_id)
        await self._rest.post(f"containers/{container_id}/update", resources_body(resources))

    async def exec_sync(self, container_id: str, command: Sequence[str], timeout: float) -> ExecResult:
        """Run to the end, at most `timeout`."""
        self._require_running(container_id)
        return await self._exec.sync(container_id, command, timeout)

    async def exec(self, container_id: str, command: Sequence[str], *, stdin: bool, tty: bool) -> ExecSession:
        """An interactive command."""
        self._require_running(container_id)
        return await self._exec.session(container_id, command, stdin=stdin, tty=tty)

    async def attach(
        self, container_id: str, *, stdin: bool, tty: bool, ends_stdin: bool = True
    ) -> ExecSession:
        """The container's own streams. How it ended is told by its pod, and not by the session."""
        self._require_running(container_id)

        async def exit_code() -> int:
            # The streams end a moment before the process, or without it when the session was hung up.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_ATTACH_END_SECONDS):
                    await self._index.wait_end(container_id)
            return 0

        stays_open = stdin and (tty or not ends_stdin)
        return await self._exec.attach(
            container_id, stdin=stdin, tty=tty, stays_open=stays_open, exit_code=exit_code
        )

    def _require_running(self, container_id: str) -> None:
        record = self._index.container(container_id)
        if record.state is not ContainerState.RUNNING or not self._index.is_alive(container_id):
            raise RuntimeCallError(f"container {record.name} is not running")

    async def dial(self, sandbox_id: str, port: int) -> tuple[object, object]:
        """A connection to localhost inside the pod, or else to the pod's address; raises OSError."""
        sandbox = self._index.sandbox(sandbox_id)
        if not sandbox.infra_pid:
            raise ConnectionRefusedError(f"pod {sandbox.pod.name} is not running")
        return await connect_inside(sandbox.infra_pid, ["127.0.0.1", *sandbox.ips], port)

    async def stats(self) -> Sequence[ContainerStats]:
        """Of running containers, out of their cgroups; none where an ordinary user has no cgroups."""
        return await asyncio.to_thread(read_stats, self._index.running_cgroups())

    async def writable_layer(self, container_id: str) -> int:
        """As Podman counts it: it walks through the layer."""
        inspected = await self._rest.get(f"containers/{container_id}/json", size="true")
        return int(inspected.get("SizeRw") or 0)

    # Images

    async def pull_image(self, image: str, auth: RegistryAuth | None = None) -> ImageRecord:
        """Raises ImageError."""
        return await self._images.pull(image, auth)

    async def image_status(self, image: str) -> ImageRecord | None:
        """None when it isn't there."""
        return await self._images.status(image)

    async def images(self) -> Sequence[ImageRecord]:
        """All of the store, other people's too: they share it."""
        return await self._images.all()

    async def remove_image(self, image_id: str) -> None:
        """Raises RuntimeCallError while a container uses it."""
        await self._images.remove(image_id)

    async def filesystem_usage(self) -> tuple[int, int]:
        """(used, capacity) of Podman's store."""
        return await self._images.filesystem_usage()


def _own_address() -> str:
    """The source address of packets to elsewhere; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.254", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"
