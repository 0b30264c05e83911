"""Events live for an hour: what was last seen longer ago is swept out of the store, a slice at a time."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import msgspec

from ktui.engine.store.base import RevisionConflictError, Store
from ktui.kube.clock import Clock
from ktui.kube.kinds import EVENTS

EVENT_TTL = timedelta(hours=1)
SWEEP_SECONDS = 60.0
_SLICE = 200


class _Meta(msgspec.Struct):
    creationTimestamp: datetime | None = None  # noqa: N815 - the API's field names


class _Series(msgspec.Struct):
    lastObservedTime: datetime | None = None  # noqa: N815 - the API's own name


class _Event(msgspec.Struct):
    metadata: _Meta
    lastTimestamp: datetime | None = None  # noqa: N815 - the API's own name
    eventTime: datetime | None = None  # noqa: N815 - the API's own name
    series: _Series | None = None


_decode = msgspec.json.Decoder(_Event).decode


def last_seen(data: bytes) -> datetime | None:
    """When an encoded Event happened last."""
    event = _decode(data)
    times = (
        event.metadata.creationTimestamp,
        event.lastTimestamp,
        event.eventTime,
        event.series.lastObservedTime if event.series else None,
    )
    return max((time for time in times if time is not None), default=None)


async def sweep(store: Store, now: datetime) -> int:
    """Delete the events that are over; returns how many."""
    swept = 0
    for index, entry in enumerate(store.list(EVENTS.key).entries):
        seen = last_seen(entry.data)
        if seen is not None and now - seen >= EVENT_TTL:
            try:
                await store.delete(entry.key, expected=entry.revision)
                swept += 1
            except RevisionConflictError:
                continue
        if index % _SLICE == _SLICE - 1:
            await asyncio.sleep(0)
    return swept


async def keep_swept(store: Store, clock: Clock) -> None:
    """Sweep every minute, until cancelled."""
    while True:
        await clock.sleep(SWEEP_SECONDS)
        await sweep(store, clock.now())
