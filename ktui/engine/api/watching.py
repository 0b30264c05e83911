"""Watch: the store's changes of a kind as the selector of a request sees them, in batches.

An object that leaves the selected set is DELETED to the watcher, one that enters it is ADDED. Bookmarks tell
a quiet watcher about once a minute, and before its time is up, from where it can go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any

from ktui.client.base import ListOptions, WatchEvent, WatchOptions
from ktui.engine.api.declaration import Declaration
from ktui.engine.api.documents import decode, encode, with_metadata
from ktui.engine.api.reading import Reader
from ktui.engine.api.revisions import parse_revision, too_large, too_old
from ktui.engine.api.selection import Selection
from ktui.engine.store.base import Change, CompactedError, FutureRevisionError, Store, Watcher
from ktui.kube.clock import Clock
from ktui.kube.resource import ObjectKey, Resource

BOOKMARK_SECONDS = 60.0
"""How often a watcher learns how far it has come."""
_INITIAL_BATCH = 250

Batches = AsyncIterator[Sequence[WatchEvent]]
Render = Callable[[bytes], bytes]
"""Turns an object's bytes into what the event carries (a Table for table watches)."""


class Watches:
    """Opens watches on one store."""

    def __init__(self, store: Store, reader: Reader, clock: Clock) -> None:
        self._store = store
        self._reader = reader
        self._clock = clock
        self._open: dict[str, set[_Follower]] = {}
        """By the kind's key."""

    def end(self, resource: Resource) -> None:
        """The kind is gone or not what it was: its watchers get what there is, and have to ask anew."""
        for follower in self._open.get(resource.key, ()):
            follower.end()

    @asynccontextmanager
    async def open(
        self, declaration: Declaration, namespace: str, options: WatchOptions, render: Render | None = None
    ) -> AsyncGenerator[Batches]:
        """A watch; `render` is applied to every object that is sent (not to bookmarks)."""
        selection = Selection(declaration, options.label_selector, options.field_selector)
        if options.resource_version not in (None, ""):
            parse_revision(str(options.resource_version))
        batches = self._batches(declaration, namespace, options, selection, render)
        try:
            yield batches
        finally:
            await batches.aclose()

    async def _batches(
        self,
        declaration: Declaration,
        namespace: str,
        options: WatchOptions,
        selection: Selection,
        render: Render | None,
    ) -> AsyncGenerator[Sequence[WatchEvent]]:
        after = parse_revision(options.resource_version or "0")
        if after > self._store.revision:
            raise too_large(after, self._store.revision)
        if after == 0 or options.send_initial_events:
            listing = ListOptions(
                label_selector=options.label_selector, field_selector=options.field_selector
            )
            entries, after, _, _ = await self._reader.entries(declaration, namespace, listing)
            for start in range(0, len(entries), _INITIAL_BATCH):
                yield [
                    WatchEvent(
                        "ADDED", render(e.data) if render else e.data, ObjectKey(e.key.namespace, e.key.name)
                    )
                    for e in entries[start : start + _INITIAL_BATCH]
                ]
            if options.send_initial_events and options.allow_bookmarks:
                yield [_bookmark(declaration, after, {"k8s.io/initial-events-end": "true"})]
        try:
            watcher = self._store.watch(declaration.stored_key, namespace, after=after)
        except CompactedError as error:
            raise too_old(error.revision, error.oldest) from error
        except FutureRevisionError as error:
            raise too_large(error.revision, error.current) from error
        follower = _Follower(self._store, watcher, self._clock, after, options)
        followers = self._open.setdefault(declaration.resource.key, set())
        followers.add(follower)
        try:
            async with aclosing(follower.batches()) as batches:
                async for changes in batches:
                    if changes is None:
                        yield [_bookmark(declaration, follower.revision, {})]
                    elif events := _events(await _shown(declaration, changes), selection, render):
                        yield events
        finally:
            followers.discard(follower)
            await follower.close()


class _Follower:
    """The changes of a watcher, and None whenever a bookmark is due at `revision`."""

    def __init__(
        self, store: Store, watcher: Watcher, clock: Clock, revision: int, options: WatchOptions
    ) -> None:
        self.revision = revision
        self._store = store
        self._watcher = watcher
        self._clock = clock
        self._bookmarks = options.allow_bookmarks
        self._timeout = options.timeout_seconds
        self._timer: asyncio.Task[None] | None = None
        self._is_ended = False

    def end(self) -> None:
        """No more than what has happened already."""
        self._is_ended = True
        self._watcher.nudge()

    async def batches(self) -> AsyncGenerator[Sequence[Change] | None]:
        """Until the store, the time or the kind ends it."""
        deadline = None if self._timeout is None else self._clock.monotonic() + self._timeout
        timer = self._set_timer(deadline)
        async for changes in self._watcher:
            if changes:
                self.revision = max(self.revision, changes[-1].revision)
                yield changes
            elif self._is_ended:
                return
            if timer is None or not timer.done():
                continue
            if not changes:
                # All there is has been sent.
                self.revision = max(self.revision, self._store.revision)
            if self._bookmarks:
                yield None
            if deadline is not None and self._clock.monotonic() >= deadline:
                return
            timer = self._set_timer(deadline)

    def _set_timer(self, deadline: float | None) -> asyncio.Task[None] | None:
        """Runs out when the next bookmark is due, or at the end."""
        if deadline is None and not self._bookmarks:
            return None
        seconds = BOOKMARK_SECONDS if self._bookmarks else float("inf")
        if deadline is not None:
            seconds = min(seconds, deadline - self._clock.monotonic())
        timer = self._timer = asyncio.create_task(self._clock.sleep(seconds))
        timer.add_done_callback(lambda _: self._watcher.nudge())
        return timer

    async def close(self) -> None:
        self._watcher.close()
        if self._timer is not None:
            self._timer.cancel()
            await asyncio.gather(self._timer, return_exceptions=True)


async def _shown(declaration: Declaration, changes: Sequence[Change]) -> Sequence[Change]:
    """The changes with objects as the declared version has them."""
    if declaration.is_shown_as_stored:
        return changes
    stored = [data for change in changes for data in (change.data, change.previous) if data is not None]
    shown = iter(await declaration.all_shown(stored))
    return [
        Change(
            change.type,
            change.key,
            change.revision,
            next(shown),
            next(shown) if change.previous is not None else None,
        )
        for change in changes
    ]


def _events(changes: Sequence[Change], selection: Selection, render: Render | None) -> list[WatchEvent]:
    found: list[WatchEvent] = []
    for change in changes:
        event = _everything(change) if selection.everything else _selected(change, selection)
        if event is not None:
            found.append(replace(event, raw=render(event.raw)) if render else event)
    return found


def _everything(change: Change) -> WatchEvent:
    return WatchEvent(change.type, change.data, ObjectKey(change.key.namespace, change.key.name))


def _selected(change: Change, selection: Selection) -> WatchEvent | None:
    """What happened to the selected set; None if it does not concern it."""
    before = change.previous is not None and selection.matches(change.key, change.previous)
    after = change.type != "DELETED" and selection.matches(change.key, change.data)
    key = ObjectKey(change.key.namespace, change.key.name)
    if before and after:
        return WatchEvent("MODIFIED", change.data, key)
    if after:
        return WatchEvent("ADDED", change.data, key)
    if not before:
        return None
    if change.type == "DELETED":
        return WatchEvent("DELETED", change.data, key)
    assert change.previous is not None
    last = with_metadata(decode(change.previous), resourceVersion=str(change.revision))
    return WatchEvent("DELETED", encode(last), key)


def _bookmark(declaration: Declaration, revision: int, annotations: dict[str, str]) -> WatchEvent:
    resource = declaration.resource
    metadata: dict[str, Any] = {"resourceVersion": str(revision), "creationTimestamp": None}
    if annotations:
        metadata["annotations"] = annotations
    obj = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata}
    return WatchEvent("BOOKMARK", encode(obj))
