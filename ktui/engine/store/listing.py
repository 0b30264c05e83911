"""Pages of a listing, now or at a past revision, found by bisecting sorted keys: nothing is decoded or copied.

The past is the present with the changes since then undone: objects that came are left out, objects that went
are merged back in, changed ones show their earlier state.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from heapq import merge
from itertools import islice

from ktui.engine.store.base import Change, Entry, Key, Page
from ktui.engine.store.documents import Documents
from ktui.engine.store.snapshot import previous_entry


def page(
    documents: Documents,
    resource: str,
    namespace: str,
    *,
    limit: int | None,
    after: Key | None,
    revision: int,
    since: Sequence[Change] = (),
) -> Page:
    """The page of `documents` behind `after`; `since` are the resource's changes after `revision`."""
    keys = documents.keys()
    start, end = _bounds(keys, resource, namespace, after)
    entries = documents.entries
    if not since:
        stop = end if limit is None else min(end, start + limit)
        listed = [entries[key] for key in keys[start:stop]]
        return Page(listed, revision, end - stop)

    undone: dict[Key, Entry | None] = {}
    for change in reversed(since):
        undone[change.key] = previous_entry(change)
    came = {key for key, entry in undone.items() if entry is None}
    went = sorted(key for key, entry in undone.items() if entry is not None and documents.get(key) is None)
    first, last = _bounds(went, resource, namespace, after)
    stayed = (key for key in (keys[at] for at in range(start, end)) if key not in came)
    total = end - start + last - first
    total -= sum(
        1 for key in came if start <= bisect_left(keys, key) < end and documents.get(key) is not None
    )
    listed = [undone.get(key) or entries[key] for key in islice(merge(stayed, went[first:last]), limit)]
    return Page(listed, revision, total - len(listed))


def _bounds(keys: Sequence[Key], resource: str, namespace: str, after: Key | None) -> tuple[int, int]:
    """Where in sorted `keys` the namespace's ones behind `after` are."""
    start, end = 0, len(keys)
    if namespace:
        start = bisect_left(keys, Key(resource, namespace, ""))
        end = bisect_left(keys, Key(resource, f"{namespace}\0", ""))
    if after is not None:
        start = max(start, bisect_right(keys, after))
    return start, max(start, end)
