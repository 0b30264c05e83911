"""Recording Events (core/v1) about objects: what `kubectl describe` shows under Events.

In: `recorder.event(obj, "Normal", "SuccessfulCreate", "Created pod: x")`, which never blocks and never fails.
Out: Events written by one owned task (`run`). Correlated as client-go does: the same event again raises the
count of the first, many similar ones are combined, and an object that spams is cut off. When the queue is
full, events are dropped: they are best effort.
"""

from __future__ import annotations

import asyncio
import copy
import itertools
import logging
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar, cast

from ktui.client.base import Client
from ktui.kube import kinds
from ktui.kube.clock import Clock, RealClock, rfc3339
from ktui.kube.errors import StatusError
from ktui.kube.resource import Object

log = logging.getLogger(__name__)

V = TypeVar("V")

EventKind = Literal["Normal", "Warning"]

CACHE_SIZE = 4096
QUEUE_SIZE = 1000
SIMILAR_LIMIT = 10
"""From this many different messages of one reason within `SIMILAR_SECONDS` on, they are combined."""
SIMILAR_SECONDS = 600.0
SPAM_BURST = 25.0
"""An object's events that pass at once; then one each `1 / SPAM_RATE` seconds."""
SPAM_RATE = 1 / 300
COMBINED_PREFIX = "(combined from similar events): "


class _Recent(Generic[V]):
    """The last `CACHE_SIZE` values used, by key."""

    def __init__(self) -> None:
        self._values: OrderedDict[Hashable, V] = OrderedDict()

    def get(self, key: Hashable) -> V | None:
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: Hashable, value: V) -> None:
        self._values[key] = value
        self._values.move_to_end(key)
        if len(self._values) > CACHE_SIZE:
            self._values.popitem(last=False)

    def drop(self, key: Hashable) -> None:
        self._values.pop(key, None)


@dataclass(slots=True)
class _Similar:
    last: float
    messages: set[str] = field(default_factory=set[str])


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled: float


@dataclass(slots=True)
class _Written:
    """An Event in the API that further occurrences are counted on."""

    name: str
    namespace: str
    count: int
    first_timestamp: str


class Correlator:
    """Decides what becomes of an event: dropped as spam, combined with similar ones, or counted up."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._similar: _Recent[_Similar] = _Recent()
        self._buckets: _Recent[_Bucket] = _Recent()
        self.written: _Recent[_Written] = _Recent()

    def is_spam(self, event: Object) -> bool:
        """Take a token of the object's bucket; True when it is empty."""
        now = self._clock.monotonic()
        key = _involved(event)
        bucket = self._buckets.get(key) or _Bucket(SPAM_BURST, now)
        bucket.tokens = min(SPAM_BURST, bucket.tokens + (now - bucket.filled) * SPAM_RATE)
        bucket.filled = now
        self._buckets.put(key, bucket)
        if bucket.tokens < 1:
            return True
        bucket.tokens -= 1
        return False

    def combine(self, event: Object) -> tuple[Object, Hashable]:
        """The event, its message marked when it is one of many similar, and the key to count it under."""
        now = self._clock.monotonic()
        key = (_involved(event), event["type"], event["reason"])
        similar = self._similar.get(key)
        if similar is None or now - similar.last > SIMILAR_SECONDS:
            similar = _Similar(now)
            self._similar.put(key, similar)
        similar.last = now
        similar.messages.add(event["message"])
        if len(similar.messages) < SIMILAR_LIMIT:
            return event, (key, event["message"])
        similar.messages.pop()
        return {**event, "message": COMBINED_PREFIX + event["message"]}, key


class EventRecorder:
    """Records events in the name of a component; `run` must be running for them to be written."""

    def __init__(self, client: Client, component: str, *, host: str = "", clock: Clock | None = None) -> None:
        self._client = client
        self._component = component
        self._host = host
        self._clock = clock or RealClock()
        self._correlator = Correlator(self._clock)
        self._queue: asyncio.Queue[Object] = asyncio.Queue(QUEUE_SIZE)
        self._serial = itertools.count(1)

    def named(self, component: str, *, host: str = "") -> EventRecorder:
        """A recorder for another component; what it records is written by this one's `run`."""
        other = copy.copy(self)
        other._component = component
        other._host = host
        return other

    def event(self, obj: Any, kind: EventKind, reason: str, message: str, *, field_path: str = "") -> None:
        """Record what happened to `obj` (a typed object, a dict, or an ObjectReference as a dict).

        `field_path` names a part of it: `spec.containers{web}`.
        """
        try:
            self._queue.put_nowait(self._build(reference(obj, field_path), kind, reason, message))
        except asyncio.QueueFull:
            log.debug("%s: event %s dropped, the queue is full: %s", self._component, reason, message)

    async def run(self) -> None:
        """Write events until cancelled."""
        while True:
            event = await self._queue.get()
            try:
                await self._write(event)
            except (StatusError, OSError, TimeoutError) as error:
                log.warning("event %s not recorded: %s", event["reason"], error)
            except Exception:
                log.exception("event %s not recorded", event["reason"])
            finally:
                self._queue.task_done()

    async def flush(self) -> None:
        """Return when everything recorded so far has been written (or dropped)."""
        await self._queue.join()

    def _build(self, involved: Object, kind: EventKind, reason: str, message: str) -> Object:
        now = self._clock.now()
        stamp = rfc3339(now)
        # client-go names events by the nanosecond; the serial keeps a standing (fake) clock's names apart.
        unique = int(now.timestamp() * 1_000_000) * 1000 + next(self._serial) % 1000
        source = {"component": self._component} | ({"host": self._host} if self._host else {})
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": f"{involved.get('name', '')}.{unique:x}",
                "namespace": involved.get("namespace") or "default",
            },
            "involvedObject": involved,
            "reason": reason,
            "message": message,
            "type": kind,
            "count": 1,
            "firstTimestamp": stamp,
            "lastTimestamp": stamp,
            "source": source,
            "reportingComponent": self._component,
            "reportingInstance": self._host,
        }

    async def _write(self, event: Object) -> None:
        event, key = self._correlator.combine(event)
        written = self._correlator.written.get(key)
        if self._correlator.is_spam(event):
            return
        if written is not None:
            patch: Object = {
                "count": written.count + 1,
                "message": event["message"],
                "lastTimestamp": event["lastTimestamp"],
            }
            try:
                await self._client.patch(kinds.EVENTS, written.name, patch, written.namespace)
                written.count += 1
                return
            except StatusError as error:
                if not error.is_not_found:
                    raise
                event = {**event, "count": written.count + 1, "firstTimestamp": written.first_timestamp}
                self._correlator.written.drop(key)
        metadata: Object = event["metadata"]
        created = await self._client.create(kinds.EVENTS, event, metadata["namespace"])
        self._correlator.written.put(
            key,
            _Written(
                created["metadata"]["name"], metadata["namespace"], event["count"], event["firstTimestamp"]
            ),
        )


def reference(obj: Any, field_path: str = "") -> Object:
    """An `ObjectReference` to a typed object or a dict; a dict that is a reference already stays one."""
    if isinstance(obj, dict):
        plain = cast(Object, obj)
        metadata: Object = plain.get("metadata") or plain
        fields: Object = {name: metadata.get(name) for name in _REFERENCE_METADATA}
        fields |= {"kind": plain.get("kind"), "apiVersion": plain.get("apiVersion")}
        field_path = field_path or plain.get("fieldPath") or ""
    else:
        fields = {name: getattr(obj.metadata, name) for name in _REFERENCE_METADATA}
        fields |= {"kind": obj.kind, "apiVersion": obj.apiVersion}
    if field_path:
        fields["fieldPath"] = field_path
    return {name: value for name, value in fields.items() if value}


_REFERENCE_METADATA = ("namespace", "name", "uid", "resourceVersion")


def _involved(event: Object) -> Hashable:
    involved: Object = event["involvedObject"]
    names = ("kind", "namespace", "name", "uid", "apiVersion", "fieldPath")
    return (
        event["reportingComponent"],
        event["reportingInstance"],
        *(involved.get(name, "") for name in names),
    )
