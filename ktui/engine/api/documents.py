"""Objects as bytes: the few facts the server reads without decoding the whole, and the encoder it writes with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ktui.kube.resource import Object

encode = msgspec.json.Encoder().encode
"""An object as compact JSON."""

decode = msgspec.json.Decoder(dict[str, Any]).decode
"""JSON of an object; raises msgspec.DecodeError."""


class _LabelsOnly(msgspec.Struct):
    labels: dict[str, str] | None = None


class _Labelled(msgspec.Struct):
    metadata: _LabelsOnly


_decode_labels = msgspec.json.Decoder(_Labelled).decode


def labels_of(data: bytes) -> Mapping[str, str]:
    """The labels of an encoded object, about a microsecond."""
    return _decode_labels(data).metadata.labels or {}


class _MetadataOnly(msgspec.Struct):
    metadata: msgspec.Raw = msgspec.Raw(b"{}")


_decode_metadata = msgspec.json.Decoder(_MetadataOnly).decode


def encoded_metadata_of(data: bytes) -> msgspec.Raw:
    """The metadata of an encoded object, as the bytes it is there."""
    return _decode_metadata(data).metadata


def metadata_of(obj: Object) -> Object:
    """The metadata of an object, empty if it has none."""
    metadata: Object = obj.get("metadata") or {}
    return metadata


def with_metadata(obj: Object, **changes: Any) -> Object:
    """A copy of `obj` with metadata fields set, or dropped where the value is None."""
    metadata = {**metadata_of(obj), **changes}
    for name, value in changes.items():
        if value is None:
            del metadata[name]
    return {**obj, "metadata": metadata}


def success(**details: Any) -> Object:
    """A Success `Status`."""
    obj: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    if found := {name: value for name, value in details.items() if value}:
        obj["details"] = found
    return obj
