"""The revision inside an object's JSON: `metadata.resourceVersion`, stamped in at a write and read back out."""

from __future__ import annotations

import msgspec

from ktui.kube.resource import Object

_encode_into = msgspec.json.Encoder().encode_into


class Stamper:
    """Encodes objects at their revision, into a buffer that stays: a new one would be grown in many steps."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def encode(self, obj: Object, revision: int) -> bytes:
        """The JSON of a copy of `obj` at `revision`."""
        metadata: Object = obj.get("metadata") or {}
        stamped = obj.copy()
        stamped["metadata"] = metadata = metadata.copy()
        metadata["resourceVersion"] = str(revision)
        _encode_into(stamped, self._buffer)
        return bytes(self._buffer)


def revision_of(data: bytes) -> int:
    """Read the revision out of an object that was stamped."""
    return int(_decode_stamp(data).metadata.version)


class _Metadata(msgspec.Struct):
    version: str = msgspec.field(name="resourceVersion")


class _Stamp(msgspec.Struct):
    metadata: _Metadata


_decode_stamp = msgspec.json.Decoder(_Stamp).decode
