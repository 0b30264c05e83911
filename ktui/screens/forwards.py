"""The forwards of a running app: started by an action, listed as rows of the browser, ended with the app.

In: `Forward`s of the client. Out: Table rows of them, refreshed while the view is open.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ktui.client.port_forward import Forward
from ktui.kube.address import join_host_port
from ktui.kube.clock import rfc3339
from ktui.kube.resource import Object, Resource
from ktui.screens.live_table import Link, Sink

FORWARDS = Resource("", "", "portforwards", "PortForward", True, "portforward", ("pf",), verbs=("list",))
"""Not a kind of the API: the local ports of this app. Actions name it in `kinds`; `Item.pod` is the pod in use."""

_COLUMNS = [
    {"name": "Name", "type": "string"},
    {"name": "Status", "type": "string"},
    {"name": "Local", "type": "string"},
    {"name": "Remote", "type": "string"},
    {"name": "Pod", "type": "string"},
    {"name": "Open", "type": "integer"},
    {"name": "Total", "type": "integer"},
    {"name": "Sent", "type": "string"},
    {"name": "Received", "type": "string"},
    {"name": "Age", "type": "string"},
    {"name": "Problem", "type": "string"},
]
_EVERY_SECONDS = 1.0
_UNITS = ("B", "Ki", "Mi", "Gi", "Ti")


@dataclass(frozen=True, slots=True)
class Listed:
    """A forward in the list."""

    uid: str
    forward: Forward
    started: float

    @property
    def row(self) -> Object:
        """It as a Table row."""
        forward, figures = self.forward, self.forward.figures
        target = forward.target
        cells = [
            str(target),
            str(forward.state),
            local_address(forward),
            forward.pair.remote if forward.pair.remote == str(forward.remote) else f"{forward.pair.remote} ({forward.remote})",
            forward.pod or None,
            figures.open,
            figures.total,
            bytes_text(figures.sent),
            bytes_text(figures.received),
            "",
            forward.problem,
        ]  # fmt: skip
        metadata = {
            "name": str(target),
            "namespace": target.namespace,
            "uid": self.uid,
            "creationTimestamp": rfc3339(datetime.fromtimestamp(self.started, UTC)),
        }
        return {"cells": cells, "pod": forward.pod, "object": {"metadata": metadata}}


@dataclass(slots=True)
class Forwards:
    """The list. Empty until something is added; `close` ends all."""

    _listed: dict[str, Listed] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, forward: Forward, now: float) -> None:
        """Take a forward that was started into the list."""
        uid = f"forward-{next(self._numbers)}"
        self._listed[uid] = Listed(uid, forward, now)
        self.changed.set()

    def get(self, uid: str) -> Forward | None:
        found = self._listed.get(uid)
        return found and found.forward

    def all(self) -> list[Listed]:
        return list(self._listed.values())

    async def stop(self, uid: str) -> Forward | None:
        """End one, and take it off the list."""
        found = self._listed.pop(uid, None)
        if found is None:
            return None
        await found.forward.stop()
        self.changed.set()
        return found.forward

    async def close(self) -> None:
        """End them all."""
        listed, self._listed = self.all(), {}
        await asyncio.gather(*(each.forward.stop() for each in listed), return_exceptions=True)


class ForwardSource:
    """Rows of the forwards."""

    def __init__(self, forwards: Forwards) -> None:
        self._forwards = forwards

    async def run(self, sink: Sink) -> None:
        sink.on_columns(_COLUMNS)
        sink.on_link(Link.LIVE, "")
        shown: dict[str, Object] = {}
        sink.on_rows([], append=False, more=False)
        while True:
            rows = {each.uid: each.row for each in self._forwards.all()}
            changes: dict[str, Object | None] = {
                uid: row for uid, row in rows.items() if shown.get(uid) != row
            }
            changes.update((uid, None) for uid in shown.keys() - rows.keys())
            if changes:
                sink.on_changes(changes)
            shown = rows
            self._forwards.changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(_EVERY_SECONDS):
                    await self._forwards.changed.wait()


def local_address(forward: Forward) -> str:
    """Where it listens: the first address is enough to know it by."""
    return join_host_port(*forward.listening[0]) if forward.listening else ""


def bytes_text(count: int) -> str:
    """`1.4Ki`; exact below a thousand."""
    size, unit = float(count), 0
    while size >= 1000 and unit < len(_UNITS) - 1:
        size, unit = size / 1024, unit + 1
    return f"{count}B" if unit == 0 else f"{size:.1f}{_UNITS[unit]}"
