"""A kind's changes in the store, for what the server keeps up to date by itself: a watch that the store drops, as it
does with slow ones, is opened again, and whoever follows is told to look for itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from ktui.engine.store.base import Change, Store


async def follow(store: Store, resource: str) -> AsyncIterator[Sequence[Change] | None]:
    """Changes for ever; None at first and whenever some may have been missed: then all objects are to be read."""
    while True:
        watcher = store.watch(resource, after=store.revision)
        try:
            yield None
            async for changes in watcher:
                if changes:
                    yield changes
        finally:
            watcher.close()
