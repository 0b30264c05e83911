"""Get, list and table: objects straight from the store, as the bytes it keeps.

A list is a consistent snapshot: with `limit` the following pages are read at the first page's revision, until
history no longer reaches back to it, or five minutes are over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ktui.client.base import ListOptions, ObjectList
from ktui.engine.api.declaration import Declaration
from ktui.engine.api.revisions import (
    Position,
    check_list_options,
    continue_token,
    expired_continue,
    parse_continue,
    parse_revision,
    too_large,
)
from ktui.engine.api.selection import Selection
from ktui.engine.store.base import CompactedError, Entry, FutureRevisionError, Key, Page, Store
from ktui.kube.clock import Clock
from ktui.kube.errors import bad_request, expired, not_found

_SLICE = 500
"""Entries looked at before the loop gets a turn."""


class Reader:
    """Reads of one store."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def get(self, declaration: Declaration, namespace: str, name: str) -> Entry:
        """The newest state of an object; 404 if there is none."""
        resource = declaration.resource
        entry = self._store.get(Key(declaration.stored_key, namespace, name))
        if entry is None:
            raise not_found(resource, name)
        [found] = await _shown(declaration, [entry])
        return found

    async def list(self, declaration: Declaration, namespace: str, options: ListOptions) -> ObjectList:
        """The selected objects in key order."""
        entries, revision, token, remaining = await self.entries(declaration, namespace, options)
        return ObjectList([entry.data for entry in entries], str(revision), token, remaining)

    async def entries(
        self, declaration: Declaration, namespace: str, options: ListOptions
    ) -> tuple[Sequence[Entry], int, str, int | None]:
        """The selected entries, the revision, the continue token and what remains (None: unknown)."""
        check_list_options(options)
        if options.limit is not None and options.limit < 0:
            raise bad_request("limit: Invalid value: must be greater than or equal to 0")
        selection = Selection(declaration, options.label_selector, options.field_selector)
        resource = declaration.stored_key
        position = parse_continue(options.continue_token, resource) if options.continue_token else None
        now = self._clock.now().timestamp()
        if position is not None and position.is_over(now):
            raise expired_continue(position)
        revision = position.revision if position else self._revision(options)
        limit = options.limit or None
        after = position.after if position else None
        if selection.name is not None and (namespace or not declaration.resource.namespaced):
            return await self._single(
                declaration, Key(resource, namespace, selection.name), selection, revision
            )
        found: list[Entry] = []
        page = self._page(resource, namespace, _want(selection, limit), after, revision, position)
        at = page.revision
        while True:
            for start in range(0, len(page.entries), _SLICE):
                part = page.entries[start : start + _SLICE]
                if not declaration.is_shown_as_stored:
                    part = await _shown(declaration, part)
                found += (
                    part if selection.everything else [e for e in part if selection.matches(e.key, e.data)]
                )
                if start + _SLICE < len(page.entries) and not selection.everything:
                    await asyncio.sleep(0)
            if not page.remaining or not page.entries or (limit and len(found) >= limit):
                break
            page = self._page(resource, namespace, _SLICE, page.entries[-1].key, at, position)
        if limit is None or (len(found) <= limit and not page.remaining):
            return found, at, "", None
        cut = found[:limit]
        remaining = len(found) - len(cut) + page.remaining if selection.everything else None
        since = position.since if position and position.revision is not None else now
        return cut, at, continue_token(cut[-1].key, at, since), remaining

    async def _single(
        self, declaration: Declaration, key: Key, selection: Selection, revision: int | None
    ) -> tuple[Sequence[Entry], int, str, None]:
        at = self._store.revision if revision is None else revision
        try:
            entry = self._store.get(key, revision=revision)
        except CompactedError as error:
            raise expired("The resourceVersion for the provided list is too old.") from error
        found = await _shown(declaration, [] if entry is None else [entry])
        return [entry for entry in found if selection.matches(entry.key, entry.data)], at, "", None

    def _revision(self, options: ListOptions) -> int | None:
        """The revision a fresh list is read at; None for the newest."""
        if not options.resource_version:
            return None
        asked = parse_revision(options.resource_version)
        current = self._store.revision
        if asked > current:
            raise too_large(asked, current)
        exact = options.resource_version_match == "Exact" or (
            not options.resource_version_match and bool(options.limit) and asked != 0
        )
        return asked if exact else None

    def _page(
        self,
        resource: str,
        namespace: str,
        limit: int | None,
        after: Key | None,
        revision: int | None,
        position: Position | None,
    ) -> Page:
        try:
            return self._store.list(resource, namespace, limit=limit, after=after, revision=revision)
        except CompactedError as error:
            if position is not None:
                raise expired_continue(position) from error
            raise expired("The resourceVersion for the provided list is too old.") from error
        except FutureRevisionError as error:
            raise too_large(error.revision, error.current) from error


async def _shown(declaration: Declaration, entries: Sequence[Entry]) -> Sequence[Entry]:
    """Stored entries as the declared version has them."""
    if declaration.is_shown_as_stored or not entries:
        return entries
    data = await declaration.all_shown([entry.data for entry in entries])
    return [
        entry if each is entry.data else Entry(entry.key, entry.revision, each)
        for entry, each in zip(entries, data, strict=True)
    ]


def _want(selection: Selection, limit: int | None) -> int | None:
    """How many entries to ask the store for at first."""
    if limit is None:
        return None
    return limit if selection.everything else max(limit, _SLICE)
