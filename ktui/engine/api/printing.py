"""Lists and watch events as `Table`s, printed a slice at a time so that the loop stays free."""

from __future__ import annotations

import asyncio
from datetime import datetime

from ktui.client.base import ObjectList
from ktui.engine.api.declaration import Declaration
from ktui.engine.api.documents import decode, encode
from ktui.engine.api.table import IncludeObject, table
from ktui.kube.resource import Object

_SLICE = 100
"""Rows printed before the loop gets a turn."""


async def printed(
    declaration: Declaration, listing: ObjectList, now: datetime, include_object: IncludeObject
) -> Object:
    """The `Table` of a list."""
    rows: list[Object] = []
    for start in range(0, len(listing.raw), _SLICE):
        part = map(decode, listing.raw[start : start + _SLICE])
        rows += table(declaration, part, now, include_object=include_object)["rows"]
        await asyncio.sleep(0)
    metadata: Object = {}
    if listing.resource_version:
        metadata["resourceVersion"] = listing.resource_version
    if listing.continue_token:
        metadata["continue"] = listing.continue_token
    if listing.remaining is not None:
        metadata["remainingItemCount"] = listing.remaining
    return {**table(declaration, (), now, list_metadata=metadata), "rows": rows}


def printed_row(declaration: Declaration, data: bytes, now: datetime, include_object: IncludeObject) -> bytes:
    """The `Table` of one encoded object, encoded."""
    return encode(table(declaration, [decode(data)], now, include_object=include_object))
