"""How a write takes what it needs from a stock, and gives it back when it fails.

A claim is made before an object is checked and written, and ends with the write: kept when the write is
durable, dropped when it failed, whatever became of the caller meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Protocol, Self

from ktui.engine.store.base import Entry, Key
from ktui.kube.resource import Object


class Claim(Protocol):
    """What a write took. A context manager: what was not settled is given back at the end."""

    @property
    def object(self) -> Object:
        """The object with what was allocated to it."""
        ...

    async def settle(self, write: Awaitable[Entry]) -> Entry:
        """Wait for the write; the claim follows it, also when the caller goes away."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...


class Stock(Protocol):
    """What one kind of object gets its share from."""

    def claim(self, key: Key, new: Object, old: Object | None, *, dry_run: bool) -> Claim:
        """Allocate for a new object or a change. Raises StatusError."""
        ...

    def released(self, entry: Entry) -> None:
        """An object is gone for good; `entry` is its last state."""
        ...


class Nothing:
    """The claim of kinds that need none."""

    def __init__(self, obj: Object) -> None:
        self.object = obj

    async def settle(self, write: Awaitable[Entry]) -> Entry:
        return await write

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        return


class Stocks:
    """The stocks of all kinds that have one, by `Resource.key`."""

    def __init__(self, by_kind: Mapping[str, Stock] | None = None) -> None:
        self._by_kind = by_kind or {}

    def claim(self, key: Key, new: Object, old: Object | None, *, dry_run: bool = False) -> Claim:
        """What a write of an object needs. Raises StatusError."""
        stock = self._by_kind.get(key.resource)
        return Nothing(new) if stock is None else stock.claim(key, new, old, dry_run=dry_run)

    async def release(self, key: Key, deletion: Awaitable[Entry]) -> Entry:
        """Wait for a deletion; what the object had is free then, also when the caller goes away."""
        stock = self._by_kind.get(key.resource)
        if stock is None:
            return await deletion

        def deleted(task: asyncio.Future[Entry]) -> None:
            if not task.cancelled() and task.exception() is None:
                stock.released(task.result())

        task = asyncio.ensure_future(deletion)
        task.add_done_callback(deleted)
        return await asyncio.shield(task)
