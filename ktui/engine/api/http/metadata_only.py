"""Objects as `PartialObjectMetadata`: for clients that need no more than names, labels and owners."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import msgspec

from ktui.client.base import WatchEvent
from ktui.kube.resource import Object

_SLICE = 500


class _Object(msgspec.Struct):
    kind: str = ""
    metadata: msgspec.Raw = msgspec.Raw(b"{}")


_decode = msgspec.json.Decoder(_Object).decode


def as_metadata(data: bytes, version: str) -> bytes:
    """`PartialObjectMetadata` of an encoded object; a `Status` stays what it is."""
    found = _decode(data)
    if found.kind == "Status":
        return data
    return (
        b'{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/'
        + version.encode()
        + b'","metadata":'
        + bytes(found.metadata)
        + b"}"
    )


async def as_list(items: Sequence[bytes], metadata: Object, version: str) -> bytes:
    """`PartialObjectMetadataList` of encoded objects, made a slice at a time so that the loop stays free."""
    parts: list[bytes] = []
    for start in range(0, len(items), _SLICE):
        parts += [as_metadata(item, version) for item in items[start : start + _SLICE]]
        await asyncio.sleep(0)
    head = msgspec.json.encode(
        {
            "kind": "PartialObjectMetadataList",
            "apiVersion": f"meta.k8s.io/{version}",
            "metadata": metadata,
        }
    )
    return head[:-1] + b',"items":[' + b",".join(parts) + b"]}"


def event_as_metadata(event: WatchEvent, version: str) -> WatchEvent:
    """A watch's event with the metadata only."""
    return replace(event, raw=as_metadata(event.raw, version))
