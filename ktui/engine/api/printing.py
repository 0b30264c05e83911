"""Lists and watch events as `Table`s, printed a slice at a time so that the loop stays free.

What a row's cells are made from is kept by object and revision: whoever lists the same objects again, as
`kubectl get` in a loop does, gets them without their being decoded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

from ktui.engine.api.declaration import Declaration
from ktui.engine.api.documents import decode
from ktui.engine.api.table import Facts, IncludeObject, Table, facts_of, row, table
from ktui.engine.store.base import Entry, Key
from ktui.kube.resource import Object, Resource

_SLICE = 100
"""Rows printed before the loop gets a turn."""

_MOST = 20_000
"""Of how many objects of a kind the cells are kept (half a kilobyte each)."""

_Known = dict[Key, tuple[int, Facts]]


class Printer:
    """Prints lists of all kinds."""

    def __init__(self) -> None:
        self._known: dict[Resource, tuple[Declaration, _Known]] = {}

    async def printed(
        self,
        declaration: Declaration,
        entries: Sequence[Entry],
        metadata: Object,
        now: datetime,
        include_object: IncludeObject,
    ) -> Table:
        """The `Table` of a list with its metadata; entries at revision 0 are not the store's, and not kept."""
        columns, known = declaration.columns, self._known_of(declaration)
        rows: list[bytes] = []
        for start in range(0, len(entries), _SLICE):
            for entry in entries[start : start + _SLICE]:
                revision, facts = known.get(entry.key) or (0, ())
                if not revision or revision != entry.revision:
                    facts = facts_of(columns, decode(entry.data))
                    if entry.revision:
                        known[entry.key] = entry.revision, facts
                rows.append(row(columns, facts, entry.data, now, include_object))
            await asyncio.sleep(0)
        return Table(columns, rows, metadata)

    def _known_of(self, declaration: Declaration) -> _Known:
        """What is kept of a kind: nothing yet when it was declared anew, or has become too much."""
        declared, known = self._known.get(declaration.resource) or (None, {})
        if declared is not declaration or len(known) > _MOST:
            known = {}
            self._known[declaration.resource] = declaration, known
        return known


def printed_row(declaration: Declaration, data: bytes, now: datetime, include_object: IncludeObject) -> bytes:
    """The `Table` of one encoded object, encoded."""
    return table(declaration, [data], now, include_object=include_object).encoded()
