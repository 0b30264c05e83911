"""`SimRuntime`: pods in memory with fake addresses, for tests, for scale and for machines without Podman.

Containers do what `sim_behaviour` reads from their image, environment or command, on the injected clock; a
test can also script failures (`fail_next`), exec answers (`answer_exec`) and deaths (`kill`). It writes real
log files in the CRI format, keeps the records Podman would keep, and loses everything when the process ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import ipaddress
import itertools
import shutil
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import Literal

from ktui.client.base import ExecSession
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
from ktui.engine.kubelet.runtime.broadcast import EventBroadcast
from ktui.engine.kubelet.runtime.sim_behaviour import behaviour
from ktui.engine.kubelet.runtime.sim_images import SimImages
from ktui.engine.kubelet.runtime.sim_session import EchoSession, answering_port
from ktui.engine.kubelet.runtime.sim_state import (
    SimContainer,
    SimLatencies,
    SimSandbox,
    made_up_stats,
    write_log,
)
from ktui.kube.clock import Clock, RealClock

ExecAnswer = ExecResult | Exception | Callable[[Sequence[str]], ExecResult]


class SimRuntime:
    """A `Runtime` without containers."""

    def __init__(
        self,
        data_dir: Path,
        *,
        clock: Clock | None = None,
        latencies: SimLatencies | None = None,
        host_ip: str = "127.0.0.1",
        pod_cidr: str = "10.244.0.0/16",
    ) -> None:
        self._clock = clock or RealClock()
        self.latencies = latencies or SimLatencies()
        self.calls: deque[tuple[str, str]] = deque(maxlen=10_000)
        """(method, pod, container or image name) in the order they came."""
        self.closed_ports: set[int] = set()
        """Ports that refuse `dial`."""
        self.memory: dict[str, int] = {}
        """Bytes that containers use, by container name; others use what is made up for them."""
        self.written: dict[str, int] = {}
        """Bytes that containers have written to the disk, by container name."""
        self._log_dir = data_dir / "sim-logs"
        self._host_ip = host_ip
        self._pod_cidr = pod_cidr
        self._addresses = ipaddress.ip_network(pod_cidr).hosts()
        self._free_addresses: deque[str] = deque()
        self._ids = itertools.count(1)
        self._sandboxes: dict[str, SimSandbox] = {}
        self._by_pod: dict[str, list[str]] = {}
        self._containers: dict[str, SimContainer] = {}
        self._images = SimImages(self._clock)
        self._events = EventBroadcast()
        self._failures: defaultdict[str, deque[Exception]] = defaultdict(deque)
        self._exec_answers: dict[str, ExecAnswer] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    # What a test or a demonstration does to it.

    def fail_next(self, method: str, error: Exception | None = None, times: int = 1) -> None:
        """Let the next `times` calls of `method` raise."""
        failure = error or RuntimeCallError(f"sim: {method} failed")
        self._failures[method].extend(itertools.repeat(failure, times))

    def answer_exec(self, container: str, answer: ExecAnswer) -> None:
        """What `exec_sync` gives in containers named `container` ("*": in all others); default is exit 0."""
        self._exec_answers[container] = answer

    def kill(self, container_id: str, exit_code: int = 137, *, oom: bool = False) -> None:
        """End a container's process, as the kernel or the process itself would."""
        self._exit(self._find(container_id), exit_code, oom=oom)

    def kill_sandbox(self, sandbox_id: str) -> None:
        """End a sandbox with everything in it, as a reboot or a killed infra container would."""
        self._stop_sandbox(self._sandbox(sandbox_id))

    def break_events(self) -> None:
        """Pretend that the event stream broke: everyone must look at everything again."""
        self._events.send(RuntimeEvent(""))

    def add_image(self, image: str, *, user: str = "", size_bytes: int = 2_000_000) -> ImageRecord:
        """Make an image present without a pull."""
        return self._images.add(image, user=user, size_bytes=size_bytes)

    def container_spec(self, container_id: str) -> ContainerSpec:
        """What the container was created with."""
        return self._find(container_id).spec

    def sandbox_spec(self, sandbox_id: str) -> SandboxSpec:
        """What the sandbox was created with."""
        return self._sandbox(sandbox_id).spec

    # Runtime

    async def start(self) -> RuntimeInfo:
        """Forget the logs of a process that has ended: its pods have ended with it."""
        await asyncio.to_thread(shutil.rmtree, self._log_dir, ignore_errors=True)
        return RuntimeInfo("sim", "1", {"note": "a simulation: no containers run"})

    async def close(self) -> None:
        """Forget timers; records stay as they are."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def host_ip(self) -> str:
        """The address given for host-network pods."""
        return self._host_ip

    @property
    def pod_cidr(self) -> str:
        """Where the fake addresses come from."""
        return self._pod_cidr

    async def pods(self) -> Sequence[PodRecord]:
        """Every sandbox."""
        return [self._pod_record(sandbox) for sandbox in self._sandboxes.values()]

    async def pod(self, uid: str) -> Sequence[PodRecord]:
        """A pod's sandboxes, newest attempt first."""
        records = [self._pod_record(self._sandboxes[id_]) for id_ in self._by_pod.get(uid, ())]
        return sorted(records, key=lambda record: -record.attempt)

    def events(self) -> AbstractAsyncContextManager[AsyncIterator[RuntimeEvent]]:
        """Events from now on."""
        return self._events.listen()

    async def run_sandbox(self, spec: SandboxSpec) -> str:
        """A record with an address."""
        await self._called("run_sandbox", spec.pod.name, self.latencies.sandbox)
        id_ = self._new_id(f"sandbox/{spec.pod.uid}")
        self._sandboxes[id_] = SimSandbox(
            spec,
            PodRecord(
                id=id_,
                pod=spec.pod,
                attempt=spec.attempt,
                ready=True,
                labels=dict(spec.labels),
                created_at=self._clock.now(),
                ips=[self._host_ip if spec.host_network else self._address()],
            ),
        )
        self._by_pod.setdefault(spec.pod.uid, []).append(id_)
        self._events.send(RuntimeEvent(spec.pod.uid, type="sandbox"))
        return id_

    async def stop_sandbox(self, sandbox_id: str) -> None:
        """Kill its containers and free its address."""
        sandbox = self._sandboxes.get(sandbox_id)
        if sandbox is None:
            return
        await self._called("stop_sandbox", sandbox.spec.pod.name, self.latencies.stop)
        self._stop_sandbox(sandbox)

    async def remove_sandbox(self, sandbox_id: str) -> None:
        """Forget it and its containers."""
        sandbox = self._sandboxes.get(sandbox_id)
        if sandbox is None:
            return
        await self._called("remove_sandbox", sandbox.spec.pod.name)
        self._stop_sandbox(sandbox)
        for id_ in list(sandbox.containers):
            self._forget(id_)
        self._sandboxes.pop(sandbox_id, None)
        with contextlib.suppress(OSError):
            (self._log_dir / sandbox.spec.pod.uid).rmdir()
        uid = sandbox.spec.pod.uid
        self._by_pod[uid].remove(sandbox_id)
        if not self._by_pod[uid]:
            del self._by_pod[uid]
        self._events.send(RuntimeEvent(uid, type="removed"))

    async def create_container(self, sandbox_id: str, spec: ContainerSpec) -> str:
        """A record in state created."""
        sandbox = self._sandbox(sandbox_id)
        await self._called("create_container", spec.name, self.latencies.create)
        image = self._images.find(spec.image)
        if image is None:
            raise NotFoundError(f"{spec.image}: image not known")
        doing = behaviour(self._images.reference(image), spec.env, spec.command, spec.args)
        if doing.create_error:
            raise RuntimeCallError(doing.create_error)
        uid = sandbox.spec.pod.uid
        id_ = self._new_id(f"container/{uid}/{spec.name}/{spec.attempt}")
        record = ContainerRecord(
            id=id_,
            sandbox_id=sandbox_id,
            name=spec.name,
            attempt=spec.attempt,
            image=image.tags[0] if image.tags else spec.image,
            image_id=image.digests[0] if image.digests else image.id,
            state=ContainerState.CREATED,
            labels=dict(spec.labels),
            created_at=self._clock.now(),
            log_path=self._log_dir / uid / f"{spec.name}-{spec.attempt}.log",
        )
        container = SimContainer(record, spec, doing, resources=spec.resources)
        self._containers[id_] = sandbox.containers[id_] = container
        return id_

    async def start_container(self, container_id: str) -> None:
        """Let it do what its behaviour says."""
        container = self._find(container_id)
        await self._called("start_container", container.spec.name, self.latencies.start)
        doing = container.behaviour
        if doing.start_error:
            container.record = replace(
                container.record,
                state=ContainerState.EXITED,
                exit_code=127,
                finished_at=self._clock.now(),
                message=doing.start_error,
            )
            raise RuntimeCallError(doing.start_error)
        container.record = replace(
            container.record,
            state=ContainerState.RUNNING,
            started_at=self._clock.now(),
            pid=100_000 + next(self._ids),
        )
        write_log(container, self._clock.now(), [f"sim: {container.record.image} started", *doing.output])
        self._events.send(RuntimeEvent(self._uid(container), container_id, "started"))
        if doing.run_for is not None:
            container.run = self._spawn(self._run(container, doing.run_for))

    async def stop_container(self, container_id: str, timeout: float) -> None:
        """Ends at once with 143, or after `timeout` with 137 when it ignores SIGTERM."""
        container = self._containers.get(container_id)
        if container is None or container.record.state is not ContainerState.RUNNING:
            return
        await self._called("stop_container", container.spec.name, self.latencies.stop)
        if container.behaviour.ignores_term:
            await self._clock.sleep(timeout)
            self._exit(container, 137)
        else:
            self._exit(container, 143 if timeout > 0 else 137)

    async def remove_container(self, container_id: str) -> None:
        """Forget it and its log."""
        container = self._containers.get(container_id)
        if container is None:
            return
        await self._called("remove_container", container.spec.name)
        self._exit(container, 137)
        self._forget(container_id)
        self._events.send(RuntimeEvent(self._uid(container), container_id, "removed"))

    async def container(self, container_id: str) -> ContainerRecord:
        """Its record."""
        return self._find(container_id).record

    async def update_resources(self, container_id: str, resources: Resources) -> None:
        """Remember them."""
        container = self._find(container_id)
        await self._called("update_resources", container.spec.name)
        container.resources = resources

    async def exec_sync(self, container_id: str, command: Sequence[str], timeout: float) -> ExecResult:
        """What `answer_exec` set up; exit 0 without output otherwise."""
        container = self._running(container_id)
        await self._called("exec_sync", container.spec.name)
        answers = self._exec_answers
        answer = answers.get(container.spec.name) or answers.get("*") or ExecResult(0, b"")
        if self.latencies.exec > timeout:
            await self._clock.sleep(timeout)
            raise TimeoutError(f"command {' '.join(command)!r} timed out after {timeout:g}s")
        if self.latencies.exec:
            await self._clock.sleep(self.latencies.exec)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, ExecResult) else answer(command)

    async def exec(self, container_id: str, command: Sequence[str], *, stdin: bool, tty: bool) -> ExecSession:
        """A session that echoes."""
        container = self._running(container_id)
        await self._called("exec", container.spec.name)
        return EchoSession(command, stdin=stdin, tty=tty)

    async def attach(
        self, container_id: str, *, stdin: bool, tty: bool, ends_stdin: bool = True
    ) -> ExecSession:
        """A session that echoes."""
        container = self._running(container_id)
        await self._called("attach", container.spec.name)
        return EchoSession((), stdin=stdin, tty=tty)

    async def dial(self, sandbox_id: str, port: int) -> tuple[object, object]:
        """A connection that answers HTTP with 200, while a container runs."""
        sandbox = self._sandbox(sandbox_id)
        await self._called("dial", sandbox.spec.pod.name)
        running = any(c.record.state is ContainerState.RUNNING for c in sandbox.containers.values())
        if port in self.closed_ports or not running:
            raise ConnectionRefusedError(f"connect to port {port} of pod {sandbox.spec.pod.name}: refused")
        return await answering_port()

    async def stats(self) -> Sequence[ContainerStats]:
        """Steady figures for each running container."""
        now = self._clock.now()
        return [
            made_up_stats(container, self._uid(container), now, self.memory.get(container.spec.name))
            for container in self._containers.values()
            if container.record.state is ContainerState.RUNNING
        ]

    async def writable_layer(self, container_id: str) -> int:
        """What `written` says of the container's name."""
        await self.container(container_id)
        return self.written.get(self._containers[container_id].spec.name, 0)

    async def pull_image(self, image: str, auth: RegistryAuth | None = None) -> ImageRecord:
        """Succeeds unless the name says otherwise or is malformed."""
        await self._called("pull_image", image, self.latencies.pull)
        return await self._images.pull(image)

    async def image_status(self, image: str) -> ImageRecord | None:
        """None until pulled; local images (`localhost/…`) are always there."""
        return self._images.find(image)

    async def images(self) -> Sequence[ImageRecord]:
        """What was pulled or added."""
        return self._images.all()

    async def remove_image(self, image_id: str) -> None:
        """Forget it."""
        self._images.remove(image_id)

    async def filesystem_usage(self) -> tuple[int, int]:
        """The images' size, of 100 GB."""
        return sum(record.size_bytes for record in self._images.all()), 100_000_000_000

    # Inside

    async def _called(self, method: str, name: str, latency: float = 0.0) -> None:
        self.calls.append((method, name))
        if latency:
            await self._clock.sleep(latency)
        if failures := self._failures[method]:
            raise failures.popleft()

    def _new_id(self, what: str) -> str:
        return hashlib.sha256(f"{what}/{next(self._ids)}".encode()).hexdigest()

    def _address(self) -> str:
        if self._free_addresses:
            return self._free_addresses.popleft()
        address = next(self._addresses, None)
        if address is None:
            raise RuntimeCallError(f"no free address left in {self._pod_cidr}")
        return str(address)

    def _sandbox(self, sandbox_id: str) -> SimSandbox:
        if sandbox := self._sandboxes.get(sandbox_id):
            return sandbox
        raise NotFoundError(f"no sandbox {sandbox_id[:12]}")

    def _find(self, container_id: str) -> SimContainer:
        if container := self._containers.get(container_id):
            return container
        raise NotFoundError(f"no container {container_id[:12]}")

    def _running(self, container_id: str) -> SimContainer:
        container = self._find(container_id)
        if container.record.state is not ContainerState.RUNNING:
            raise RuntimeCallError(f"container {container.spec.name} is not running")
        return container

    def _uid(self, container: SimContainer) -> str:
        return self._sandboxes[container.record.sandbox_id].spec.pod.uid

    def _pod_record(self, sandbox: SimSandbox) -> PodRecord:
        return replace(sandbox.record, containers=[c.record for c in sandbox.containers.values()])

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _run(self, container: SimContainer, seconds: float) -> None:
        await self._clock.sleep(seconds)
        container.run = None
        self._exit(container, container.behaviour.exit_code, oom=container.behaviour.oom)

    def _exit(self, container: SimContainer, exit_code: int, *, oom: bool = False) -> None:
        if container.record.state is not ContainerState.RUNNING:
            return
        if container.run is not None:
            container.run.cancel()
            container.run = None
        container.record = replace(
            container.record,
            state=ContainerState.EXITED,
            exit_code=exit_code,
            oom_killed=oom,
            finished_at=self._clock.now(),
            pid=0,
        )
        uid = self._uid(container)
        kind: Literal["died", "oom"] = "oom" if oom else "died"
        self._events.send(RuntimeEvent(uid, container.record.id, kind))

    def _stop_sandbox(self, sandbox: SimSandbox) -> None:
        for container in sandbox.containers.values():
            self._exit(container, 137)
        if sandbox.record.ready:
            if not sandbox.spec.host_network:
                self._free_addresses.extend(sandbox.record.ips)
            sandbox.record = replace(sandbox.record, ready=False)
            self._events.send(RuntimeEvent(sandbox.spec.pod.uid, type="sandbox"))

    def _forget(self, container_id: str) -> None:
        container = self._containers.pop(container_id)
        self._sandboxes[container.record.sandbox_id].containers.pop(container_id, None)
        if path := container.record.log_path:
            path.unlink(missing_ok=True)
