"""The kubelet's own pages, which a real one serves on port 10250 and clients reach through `nodes/<name>/proxy`.

In: a path and its query. Out: a `NodePage`: health, the pods as this node knows them, figures for people and for
Prometheus, logs of containers and of ktui itself, and the configuration in force.
"""

from __future__ import annotations

import asyncio
import html
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import msgspec
from lightkube.models.core_v1 import Pod

from ktui.client.base import LogOptions
from ktui.client.node import NodePage
from ktui.engine.kubelet import pod as pods
from ktui.engine.kubelet.exposition import (
    container_metrics,
    kubelet_metrics,
    resource_metrics,
)
from ktui.engine.kubelet.metrics import UsageMeter
from ktui.engine.kubelet.readings import PodReading, machine_reading, pod_readings
from ktui.engine.kubelet.runtime.base import ContainerState, Runtime, RuntimeCallError
from ktui.engine.kubelet.summary import summary
from ktui.kube.clock import Clock
from ktui.kube.errors import StatusError, bad_request, internal, status
from ktui.kube.prometheus import CONTENT_TYPE, Family, exposed
from ktui.kube.resource import Object

_JSON = "application/json"
_HTML = "text/html; charset=utf-8"
_HEALTH = ("/healthz", "/healthz/ping", "/healthz/log", "/healthz/syncloop")
_TRUE = ("", "1", "t", "T", "true", "TRUE", "True")

Logs = Callable[[Object, LogOptions], AbstractAsyncContextManager[AsyncIterator[bytes]]]


class KubeletPages:
    """The pages of one node."""

    def __init__(
        self,
        runtime: Runtime,
        clock: Clock,
        known: Callable[[], Iterable[Pod]],
        logs: Logs,
        *,
        node_name: str,
        data_dir: Path,
        configuration: Object,
    ) -> None:
        self._runtime = runtime
        self._clock = clock
        self._known = known
        self._logs = logs
        self._node_name = node_name
        self._data_dir = data_dir
        self._configuration = configuration
        self._meter = UsageMeter()
        self._node_cpu = (0.0, 0, 0)
        self._pages: Mapping[str, Callable[[], Awaitable[NodePage]]] = {
            "/pods": self._pod_list,
            "/runningpods": self._running_pods,
            "/stats/summary": self._summary,
            "/metrics": self._metrics,
            "/metrics/resource": self._resource_metrics,
            "/metrics/cadvisor": self._container_metrics,
            "/metrics/probes": self._nothing,
            "/configz": self._configz,
        }

    async def page(self, path: str, query: Mapping[str, str]) -> NodePage:
        """The page at a path; raises StatusError (404) where there is none."""
        plain = path.rstrip("/") or "/"
        if plain in _HEALTH:
            return NodePage(body=b"ok")
        if found := self._pages.get(plain):
            try:
                return await found()
            except RuntimeCallError as error:
                raise internal(f"container runtime: {error}") from error
        match plain.split("/")[1:]:
            case ["containerLogs", namespace, name, container]:
                return self._container_log(namespace, name, container, query)
            case ["logs"]:
                return await asyncio.to_thread(self._log_list)
            case ["logs", name]:
                return await asyncio.to_thread(self._log_file, name)
            case _:
                raise _not_found()

    # Pods

    async def _pod_list(self) -> NodePage:
        return _document(_pod_list(self._known()))

    async def _running_pods(self) -> NodePage:
        running = {record.pod.uid for record in await self._runtime.pods() if record.ready}
        return _document(_pod_list(pod for pod in self._known() if pods.uid(pod) in running))

    def _container_log(self, namespace: str, name: str, container: str, query: Mapping[str, str]) -> NodePage:
        known = (p for p in self._known() if (pods.key(p).namespace, pods.key(p).name) == (namespace, name))
        pod = next(known, None)
        if pod is None:
            raise StatusError(status(404, "NotFound", f'pod "{name}" does not exist'))
        return NodePage(stream=self._logs(msgspec.to_builtins(pod), _log_options(container, query)))

    # Figures

    async def _readings(self) -> list[PodReading]:
        return pod_readings(await self._runtime.stats(), self._known(), self._meter)

    async def _summary(self) -> NodePage:
        readings = await self._readings()
        machine = await asyncio.to_thread(machine_reading)
        disk = await self._runtime.filesystem_usage()
        nanocores = self._node_rate(machine.cpu_nanoseconds)
        return _document(summary(self._node_name, self._clock.now(), machine, nanocores, disk, readings))

    def _node_rate(self, nanoseconds: int) -> int:
        """The machine's CPU in nanocores since it was last asked for."""
        now = self._clock.monotonic()
        then, before, rate = self._node_cpu
        if then and now - then >= 1:
            rate = int(max(0, nanoseconds - before) / (now - then))
        if not then or now - then >= 1:
            self._node_cpu = now, nanoseconds, rate
        return rate

    async def _metrics(self) -> NodePage:
        records = await self._runtime.pods()
        states = {ContainerState.RUNNING: 0, ContainerState.EXITED: 0, ContainerState.CREATED: 0}
        for record in records:
            for container in record.containers:
                if container.state in states:
                    states[container.state] += 1
        sandboxes = sum(record.ready for record in records)
        return _figures(kubelet_metrics(self._node_name, sandboxes, {str(k): n for k, n in states.items()}))

    async def _resource_metrics(self) -> NodePage:
        readings = await self._readings()
        machine = await asyncio.to_thread(machine_reading)
        now = int(self._clock.now().timestamp() * 1000)
        return _figures(resource_metrics(machine, now, readings))

    async def _container_metrics(self) -> NodePage:
        return _figures(container_metrics(await self._readings()))

    async def _nothing(self) -> NodePage:
        return _figures([])

    # ktui itself

    async def _configz(self) -> NodePage:
        return _document({"kubeletconfig": self._configuration})

    def _log_files(self) -> list[Path]:
        return sorted(self._data_dir.glob("ktui.log*"))

    def _log_list(self) -> NodePage:
        names = [html.escape(path.name) for path in self._log_files()]
        links = "".join(f'<a href="{name}">{name}</a>\n' for name in names)
        return NodePage(content_type=_HTML, body=f"<pre>\n{links}</pre>\n".encode())

    def _log_file(self, name: str) -> NodePage:
        """Only of the names listed: no path leads elsewhere."""
        for path in self._log_files():
            if path.name == name:
                return NodePage(body=path.read_bytes())
        raise _not_found()


def _pod_list(known: Iterable[Pod]) -> Object:
    return {
        "kind": "PodList",
        "apiVersion": "v1",
        "metadata": {},
        "items": [{"kind": "Pod", "apiVersion": "v1", **msgspec.to_builtins(pod)} for pod in known],
    }


def _document(content: Object) -> NodePage:
    return NodePage(content_type=_JSON, body=msgspec.json.encode(content))


def _figures(families: Iterable[Family]) -> NodePage:
    return NodePage(content_type=CONTENT_TYPE, body=exposed(families))


def _not_found() -> StatusError:
    return StatusError(status(404, "NotFound", "the server could not find the requested resource"))


def _log_options(container: str, query: Mapping[str, str]) -> LogOptions:
    def flag(name: str) -> bool:
        return name in query and query[name] in _TRUE

    def number(name: str) -> int | None:
        text = query.get(name, "")
        if not text:
            return None
        if not text.isascii() or not text.isdigit():
            raise bad_request(f'invalid value "{text}" for {name}: must be an integer')
        return int(text)

    return LogOptions(
        container=container,
        follow=flag("follow"),
        previous=flag("previous"),
        timestamps=flag("timestamps"),
        since_seconds=number("sinceSeconds"),
        since_time=query.get("sinceTime", ""),
        tail_lines=number("tailLines"),
        limit_bytes=number("limitBytes"),
    )
