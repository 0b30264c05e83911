"""The logs of a pod, a container or all pods of a workload, followed through restarts, waits and lost connections.

In: a client and a `LogTarget`. Out: calls on a `LogSink`: sources as containers appear, their stamped lines, and
notes about what happens to them. Pods are watched, so that a rollout's new pods join by themselves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ktui.client.base import Client, ListOptions, LogOptions, WatchOptions
from ktui.kube.errors import StatusError
from ktui.kube.kinds import PODS
from ktui.kube.resource import Object, ObjectKey, Resource
from ktui.kube.selector import Selector
from ktui.screens.container_state import ContainerNow, container_names, container_now, explain

MAX_STREAMS = 50
_RETRY_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LogTarget:
    """Whose logs. `container` "" is all containers."""

    resource: Resource
    namespace: str
    name: str
    container: str = ""

    @property
    def title(self) -> str:
        kind = self.resource.singular or self.resource.kind.lower()
        return f"{kind}/{self.name}" + (f" › {self.container}" if self.container else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogScope:
    """How much of the log."""

    previous: bool = False
    since_seconds: int | None = None
    tail: int | None = None


class LogSink(Protocol):
    """Who is told; calls come on the loop and must not block."""

    def add_source(self, pod: str, container: str) -> int:
        """A container appeared; returns the number its lines come under."""
        ...

    async def take(self, source: int, lines: Sequence[bytes]) -> None:
        """Lines came; returns when there is room for more."""
        ...

    def end(self, source: int) -> None:
        """Nothing comes from the source for now."""
        ...

    def note(self, source: int | None, text: str) -> None:
        """Something to say between the lines."""
        ...


@dataclass(slots=True)
class _Stream:
    """One container, and what is known of it."""

    pod: str
    container: str
    source: int
    now: ContainerNow = field(default_factory=ContainerNow)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    last: bytes = b""
    """The timestamp of the last line taken."""
    said: str = ""


class LogStreams:
    """Follows one target until cancelled."""

    def __init__(self, client: Client, target: LogTarget, scope: LogScope, sink: LogSink) -> None:
        self._client = client
        self._target = target
        self._scope = scope
        self._sink = sink
        self._streams: dict[tuple[str, str], _Stream] = {}
        self._group: asyncio.TaskGroup | None = None
        self._refused = 0

    async def run(self) -> None:
        """Watch the pods and stream each container; ends by itself only when nothing more can come."""
        options = await self._selection()
        async with asyncio.TaskGroup() as group:
            self._group = group
            await self._watch_pods(options)

    async def _selection(self) -> tuple[str, str]:
        """The label and field selector of the target's pods."""
        target = self._target
        if target.resource == PODS:
            return "", f"metadata.name={target.name}"
        obj = await self._client.get(target.resource, target.name, target.namespace)
        wanted: Object = (obj.get("spec") or {}).get("selector") or {}
        structured = "matchLabels" in wanted or "matchExpressions" in wanted
        selector = Selector.of(wanted) if structured else Selector.of_labels(wanted)
        if selector.nothing or selector.empty:
            raise ValueError(f"{target.title} selects no pods, so it has no logs")
        return str(selector), ""

    async def _watch_pods(self, selection: tuple[str, str]) -> None:
        labels, fields = selection
        told = ""
        while True:
            try:
                listing = await self._client.list(
                    PODS,
                    self._target.namespace,
                    options=ListOptions(label_selector=labels, field_selector=fields),
                )
                told = self._reconnected(told)
                present = listing.items
                self._drop_missing({pod["metadata"].get("uid") or "" for pod in present})
                for pod in present:
                    self._see(pod)
                if not self._streams:
                    self._say_none()
                options = WatchOptions(
                    label_selector=labels, field_selector=fields, resource_version=listing.resource_version
                )
                async with self._client.watch(PODS, self._target.namespace, options=options) as batches:
                    async for batch in batches:
                        for event in batch:
                            if event.type == "DELETED":
                                self._drop(event.object["metadata"].get("uid") or "")
                            elif event.type != "BOOKMARK":
                                self._see(event.object)
            except StatusError as error:
                if not error.is_expired:
                    told = self._lost(told, error.message)
            except OSError as error:
                told = self._lost(told, str(error))
            await asyncio.sleep(_RETRY_SECONDS)

    def _lost(self, told: str, message: str) -> str:
        if told != message:
            self._sink.note(None, f"lost the cluster: {message}; trying again")
        return message

    def _reconnected(self, told: str) -> str:
        if told:
            self._sink.note(None, "connected again")
        return ""

    def _say_none(self) -> None:
        target = self._target
        what = "it is gone" if target.resource == PODS else "waiting for its first pod"
        self._sink.note(None, f"{target.title} has no pods in {target.namespace}: {what}")

    # -- pods ------------------------------------------------------------------------------------------------

    def _see(self, pod: Object) -> None:
        """Start streams of containers not seen yet; tell the others how their container does."""
        uid: str = pod["metadata"].get("uid") or ""
        for name in container_names(pod):
            if self._target.container and name != self._target.container:
                continue
            stream = self._streams.get((uid, name))
            if stream is None:
                stream = self._start(pod, uid, name)
            if stream is None:
                continue
            now = container_now(pod, name)
            if now != stream.now:
                stream.now = now
                stream.changed.set()

    def _start(self, pod: Object, uid: str, name: str) -> _Stream | None:
        if len(self._streams) >= MAX_STREAMS:
            if not self._refused:
                self._sink.note(None, f"more than {MAX_STREAMS} containers: the others are left out")
            self._refused += 1
            return None
        pod_name: str = ObjectKey.of(pod).name
        stream = _Stream(pod_name, name, self._sink.add_source(pod_name, name), container_now(pod, name))
        self._streams[uid, name] = stream
        assert self._group is not None
        follow = self._once if self._scope.previous else self._follow
        self._group.create_task(follow(stream), name=f"log of {pod_name}/{name}")
        return stream

    def _drop_missing(self, present: set[str]) -> None:
        for uid in {uid for uid, _ in self._streams} - present:
            self._drop(uid)

    def _drop(self, uid: str) -> None:
        pods: set[str] = set()
        for key in [key for key in self._streams if key[0] == uid]:
            stream = self._streams.pop(key)
            stream.now = ContainerNow(gone=True)
            stream.changed.set()
            pods.add(stream.pod)
        for pod in pods:
            self._sink.note(None, f"pod/{pod} is gone; its lines stay here")

    # -- one container ---------------------------------------------------------------------------------------

    async def _once(self, stream: _Stream) -> None:
        """The log of the run before, which only ends."""
        try:
            await self._read(stream, self._options(follow=False))
        except StatusError as error:
            self._say(stream, error.message)
        except OSError as error:
            self._say(stream, str(error))
        self._sink.end(stream.source)

    async def _follow(self, stream: _Stream) -> None:
        shown_run: int | None = None
        ended_run: int | None = None
        while not stream.now.gone:
            stream.changed.clear()
            now = stream.now
            if not now.has_log or ended_run == now.run:
                self._sink.end(stream.source)
                self._say(stream, explain(now))
                await stream.changed.wait()
                continue
            if shown_run is not None and now.run != shown_run:
                self._say(stream, f"restarted: {explain(now)}")
            again = shown_run == now.run
            shown_run = now.run
            try:
                await self._read(stream, self._options(follow=True, after=stream.last if again else b""))
            except StatusError as error:
                self._say(stream, error.message)
                await self._pause(stream)
                continue
            except OSError as error:
                self._say(stream, f"lost the log: {error}; trying again")
                await self._pause(stream)
                continue
            if stream.now.run == shown_run and stream.now.running:
                # The end of a log is known before the status that tells of it.
                await self._pause(stream)
                continue
            ended_run = shown_run
        self._sink.end(stream.source)

    async def _pause(self, stream: _Stream) -> None:
        self._sink.end(stream.source)
        try:
            async with asyncio.timeout(_RETRY_SECONDS):
                await stream.changed.wait()
        except TimeoutError:
            return

    async def _read(self, stream: _Stream, options: LogOptions) -> None:
        options = LogOptions(
            container=stream.container,
            follow=options.follow,
            previous=options.previous,
            since_seconds=options.since_seconds,
            since_time=options.since_time,
            timestamps=True,
            tail_lines=options.tail_lines,
        )
        skip = stream.last if options.since_time else b""
        async with self._client.logs(stream.pod, self._target.namespace, options=options) as chunks:
            async for chunk in chunks:
                lines = chunk.split(b"\n")
                if not lines[-1]:
                    lines.pop()
                if skip:
                    lines = [line for line in lines if _stamp(line) > skip]
                if not lines:
                    continue
                stream.said = ""
                stream.last = max(stream.last, _stamp(lines[-1]))
                await self._sink.take(stream.source, lines)

    def _options(self, *, follow: bool, after: bytes = b"") -> LogOptions:
        if after:
            return LogOptions(follow=follow, since_time=after.decode("ascii", "replace") + "Z")
        scope = self._scope
        return LogOptions(
            follow=follow, previous=scope.previous, since_seconds=scope.since_seconds, tail_lines=scope.tail
        )

    def _say(self, stream: _Stream, text: str) -> None:
        if text != stream.said:
            stream.said = text
            self._sink.note(stream.source, f"{stream.pod}/{stream.container} {text}")


def _stamp(line: bytes) -> bytes:
    return line.partition(b" ")[0].rstrip(b"Z")
