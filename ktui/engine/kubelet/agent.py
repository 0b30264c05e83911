"""What the API server asks of this node: logs, exec, attach, port-forward and metrics of its pods, and its pages.

Finds the container that is meant from the pod's status, as the kubelet does, and refuses in the kubelet's words.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from lightkube.models.core_v1 import ContainerStatus, Pod

from ktui.client.base import ExecOptions, ExecSession, LogOptions
from ktui.client.node import NodePage
from ktui.engine.kubelet import pod as pods
from ktui.engine.kubelet.logs import container_log
from ktui.engine.kubelet.metrics import UsageMeter
from ktui.engine.kubelet.observed import PodRuntime
from ktui.engine.kubelet.pages import KubeletPages
from ktui.engine.kubelet.runtime.base import (
    ContainerRecord,
    ContainerState,
    NotFoundError,
    Runtime,
    RuntimeCallError,
)
from ktui.kube.clock import Clock
from ktui.kube.errors import StatusError, bad_request, internal
from ktui.kube.resource import Object


class KubeletAgent:
    """The `NodeAgent` of one node. `known` gives the pods the kubelet looks after, with their latest status."""

    def __init__(
        self,
        runtime: Runtime,
        clock: Clock,
        known: Callable[[], Iterable[Pod]],
        *,
        node_name: str,
        data_dir: Path,
        configuration: Object,
    ) -> None:
        self._runtime = runtime
        self._clock = clock
        self._known = known
        self._meter = UsageMeter()
        self._pages = KubeletPages(
            runtime,
            clock,
            known,
            self.logs,
            node_name=node_name,
            data_dir=data_dir,
            configuration=configuration,
        )

    @asynccontextmanager
    async def logs(self, pod: Object, options: LogOptions) -> AsyncGenerator[AsyncIterator[bytes]]:
        """Chunks of whole lines. Raises StatusError."""
        typed = self._latest(pod)
        name = _container_name(typed, options.container)
        status = _status_of(typed, name)
        container_id = log_container_id(typed, name, status, previous=options.previous)
        try:
            async with container_log(self._runtime, container_id, options, self._clock) as chunks:
                yield chunks
        except NotFoundError as error:
            raise bad_request(f"unable to retrieve container logs for {container_id}: {error}") from error

    async def exec(self, pod: Object, options: ExecOptions) -> ExecSession:
        record = await self._running(pod, options.container)
        try:
            return await self._runtime.exec(record.id, options.command, stdin=options.stdin, tty=options.tty)
        except RuntimeCallError as error:
            raise internal(f"error executing command in container: {error}") from error

    async def attach(self, pod: Object, options: ExecOptions) -> ExecSession:
        record = await self._running(pod, options.container)
        container = pods.find_container(self._latest(pod), record.name)
        has_terminal = bool(container and container.tty)
        ends_stdin = bool(container and container.stdinOnce)
        try:
            return await self._runtime.attach(
                record.id, stdin=options.stdin, tty=has_terminal, ends_stdin=ends_stdin
            )
        except RuntimeCallError as error:
            raise internal(f"error attaching to container: {error}") from error

    async def dial(self, pod: Object, port: int) -> tuple[object, object]:
        typed = self._latest(pod)
        current = PodRuntime(await self._runtime.pod(pods.uid(typed))).current
        if current is None:
            raise bad_request(f"pod not found ({pods.full_name(typed)})")
        try:
            return await self._runtime.dial(current.id, port)
        except RuntimeCallError as error:
            raise internal(f"error forwarding port {port} to pod {pods.key(typed)}: {error}") from error

    async def stats(self) -> Sequence[Object]:
        try:
            stats = await self._runtime.stats()
        except RuntimeCallError as error:
            raise internal(f"container statistics: {error}") from error
        return self._meter.pod_metrics(stats, self._known(), self._clock.now())

    async def page(self, path: str, query: Mapping[str, str]) -> NodePage:
        return await self._pages.page(path, query)

    def _latest(self, pod: Object) -> Pod:
        """The pod as the kubelet last knew it, or as the API server had it."""
        metadata: Object = pod.get("metadata") or {}
        uid = metadata.get("uid")
        return next((p for p in self._known() if pods.uid(p) == uid), None) or msgspec.convert(pod, Pod)

    async def _running(self, pod: Object, container: str) -> ContainerRecord:
        typed = self._latest(pod)
        name = _container_name(typed, container)
        record = PodRuntime(await self._runtime.pod(pods.uid(typed))).in_current(name)
        if record is None or record.state is not ContainerState.RUNNING:
            raise bad_request(f'container not found ("{name}")')
        return record


def _container_name(pod: Pod, wanted: str) -> str:
    name = pods.meta(pod).name
    if wanted:
        if pods.find_container(pod, wanted) is None:
            raise bad_request(f"container {wanted} is not valid for pod {name}")
        return wanted
    names = [container.name for container in pods.containers(pod)]
    if len(names) == 1:
        return names[0]
    raise bad_request(
        f"a container name must be specified for pod {name}, choose one of: [{' '.join(names)}]"
    )


def _status_of(pod: Pod, name: str) -> ContainerStatus | None:
    status = pods.status(pod)
    for group in (status.containerStatuses, status.initContainerStatuses, status.ephemeralContainerStatuses):
        for container in group or ():
            if container.name == name:
                return container
    return None


def log_container_id(pod: Pod, name: str, status: ContainerStatus | None, *, previous: bool) -> str:
    """The runtime's id of the container whose log is meant. Raises StatusError."""
    pod_name = pods.meta(pod).name
    if status is None or status.state is None:
        raise bad_request(f'container "{name}" in pod "{pod_name}" is not available')
    state, last = status.state, status.lastState.terminated if status.lastState else None
    if previous:
        if last is None or not last.containerID:
            raise bad_request(f'previous terminated container "{name}" in pod "{pod_name}" not found')
        return _bare(last.containerID)
    if state.running is not None and status.containerID:
        return _bare(status.containerID)
    if state.terminated is not None and state.terminated.containerID:
        return _bare(state.terminated.containerID)
    if last is not None and last.containerID:
        return _bare(last.containerID)
    raise _nothing_to_log(name, pod_name or "", state.waiting.reason if state.waiting else None)


def _nothing_to_log(name: str, pod_name: str, reason: str | None) -> StatusError:
    start = f'container "{name}" in pod "{pod_name}" is waiting to start'
    if reason == "ErrImagePull":
        return bad_request(f"{start}: image can't be pulled")
    if reason == "ImagePullBackOff":
        return bad_request(f"{start}: trying and failing to pull image")
    return bad_request(f"{start}: {reason}" if reason else f"{start} - no logs yet")


def _bare(container_id: str) -> str:
    """`podman://<id>` without the scheme."""
    return container_id.rpartition("//")[2]
