"""Bodies in Kubernetes' protobuf encoding, as the JSON data they stand for.

kubectl and client-go send many bodies this way. In: the bytes after the content type
`application/vnd.kubernetes.protobuf`. Out: the object as if it had come as JSON. The table of messages is made
by `scripts/protobuf_fields` from Kubernetes' API types; answers are always JSON, which clients take as well.
"""

from __future__ import annotations

import base64
import gzip
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

import msgspec

from ktui.kube.clock import rfc3339, rfc3339_micro
from ktui.kube.resource import Object

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"

_MAGIC = b"k8s\x00"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_DEEPEST = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SCHEMA = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps"


class ProtobufError(ValueError):
    """The bytes are not what they are said to be."""


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    """Its name in JSON; "" for a message whose fields are the outer one's."""
    shape: str
    type: str
    keeps_zero: bool


class _Table(msgspec.Struct):
    kinds: dict[str, str]
    messages: dict[str, list[tuple[int, str, str, str, bool]]]


@lru_cache(maxsize=1)
def _table() -> _Table:
    packed = files("ktui.engine.api").joinpath("protobuf.json.gz").read_bytes()
    return msgspec.json.decode(gzip.decompress(packed), type=_Table)


@cache
def _fields(message: str) -> Mapping[int, _Field]:
    return {
        number: _Field(name, shape, type_, keeps)
        for number, name, shape, type_, keeps in _table().messages[message]
    }


def decode(data: bytes, default_kind: tuple[str, str] | None = None) -> Object:
    """The object in an envelope (`runtime.Unknown`).

    `default_kind` is the apiVersion and kind of an envelope that names none. Raises ProtobufError.
    """
    if not data.startswith(_MAGIC):
        raise ProtobufError("the body does not begin with the marker of Kubernetes' encoding")
    try:
        return _decode(data, default_kind)
    except (IndexError, struct.error, UnicodeDecodeError, OverflowError, msgspec.DecodeError) as error:
        raise ProtobufError(f"the body is damaged: {error}") from error


def _decode(data: bytes, default_kind: tuple[str, str] | None) -> Object:
    api_version, kind = default_kind or ("", "")
    raw, content_type = b"", ""
    for number, value in _values(data, len(_MAGIC), len(data)):
        if number == 1:
            named = {n: _bytes(v).decode() for n, v in _values(_bytes(value), 0, len(_bytes(value)))}
            api_version, kind = named.get(1) or api_version, named.get(2) or kind
        elif number == 2:
            raw = _bytes(value)
        elif number == 4:
            content_type = _bytes(value).decode()
    if content_type == "application/json":
        return msgspec.json.decode(raw, type=dict[str, Any])
    message = _table().kinds.get(f"{api_version}/{kind}")
    if message is None:
        raise ProtobufError(f'no kind "{kind}" is known in version "{api_version}"')
    return {"apiVersion": api_version, "kind": kind, **_message(message, raw, 0)}


def _values(data: bytes, start: int, end: int) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a message as they come: numbers and raw values."""
    at = start
    while at < end:
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        if wire == _BYTES:
            size, at = _varint(data, at)
        elif wire == _FIXED64:
            size = 8
        elif wire == _FIXED32:
            size = 4
        else:
            raise ProtobufError(f"the body is damaged: wire type {wire}")
        if at + size > end:
            raise ProtobufError("the body is damaged: it ends too early")
        yield number, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at
        shift += 7
        if shift > 63:
            raise ProtobufError("the body is damaged: a number is too long")


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ProtobufError("the body is damaged: a number where bytes belong")
    return value


def _signed(value: int | bytes) -> int:
    if isinstance(value, bytes):
        raise ProtobufError("the body is damaged: bytes where a number belongs")
    return value - (1 << 64) if value >> 63 else value


def _message(name: str, data: bytes, depth: int) -> Object:
    if depth > _DEEPEST:
        raise ProtobufError("the body is nested too deeply")
    fields = _fields(name)
    found: Object = {}
    for number, value in _values(data, 0, len(data)):
        field = fields.get(number)
        if field is None:
            continue
        if not field.name:
            found.update(_message(field.type, _bytes(value), depth + 1))
        elif field.shape == "l":
            items: list[Any] = found.setdefault(field.name, [])
            if field.type == "int" and isinstance(value, bytes):
                items.extend(_packed(value))
            else:
                items.append(_value(field.type, value, depth))
        elif field.shape == "m":
            key, item = _entry(field.type, _bytes(value), depth)
            found.setdefault(field.name, {})[key] = item
        else:
            decoded = _value(field.type, value, depth)
            if decoded is None or (not decoded and not field.keeps_zero and decoded != {}):
                continue
            found[field.name] = decoded
    return found


def _packed(data: bytes) -> Iterator[int]:
    at = 0
    while at < len(data):
        value, at = _varint(data, at)
        yield _signed(value)


def _entry(type_: str, data: bytes, depth: int) -> tuple[str, Any]:
    key, value = "", _ZERO.get(type_, b"")
    for number, found in _values(data, 0, len(data)):
        if number == 1:
            key = _bytes(found).decode()
        elif number == 2:
            value = found
    return key, _value(type_, value, depth)


_ZERO: dict[str, int | bytes] = {"int": 0, "bool": 0}


def _value(type_: str, value: int | bytes, depth: int) -> Any:
    if type_ in _SCALARS:
        return _SCALARS[type_](value)
    if type_ in _SCHEMAS:
        return _SCHEMAS[type_](_bytes(value), depth)
    return _message(type_, _bytes(value), depth + 1)


def _text(value: int | bytes) -> str:
    return _bytes(value).decode()


def _by_number(value: int | bytes) -> dict[int, int | bytes]:
    data = _bytes(value)
    return dict(_values(data, 0, len(data)))


def _time(value: int | bytes) -> str | None:
    moment = _moment(value)
    return rfc3339(moment) if moment else None


def _micro_time(value: int | bytes) -> str | None:
    moment = _moment(value)
    return rfc3339_micro(moment) if moment else None


def _moment(value: int | bytes) -> datetime | None:
    parts = _by_number(value)
    if not parts:
        return None
    seconds, nanos = _signed(parts.get(1, 0)), _signed(parts.get(2, 0))
    return _EPOCH + timedelta(seconds=seconds, microseconds=nanos // 1000)


def _duration(value: int | bytes) -> str:
    return f"{_signed(_by_number(value).get(1, 0)) / 1e9:g}s"


def _quantity(value: int | bytes) -> str:
    return _text(_by_number(value).get(1, b"0"))


def _int_or_string(value: int | bytes) -> int | str:
    parts = _by_number(value)
    return _text(parts.get(3, b"")) if parts.get(1, 0) == 1 else _signed(parts.get(2, 0))


def _raw(value: int | bytes) -> Any:
    """JSON, or an object in the same encoding, kept as bytes in a message."""
    content = _bytes(_by_number(value).get(1, b""))
    if not content:
        return None
    return decode(content) if content.startswith(_MAGIC) else msgspec.json.decode(content)


def _strings(value: int | bytes) -> list[str]:
    data = _bytes(value)
    return [_text(item) for number, item in _values(data, 0, len(data)) if number == 1]


def _double(value: int | bytes) -> float:
    return struct.unpack("<d", _bytes(value))[0]


_SCALARS: Mapping[str, Callable[[int | bytes], Any]] = {
    "string": _text,
    "int": _signed,
    "bool": lambda value: _signed(value) != 0,
    "bytes": lambda value: base64.b64encode(_bytes(value)).decode(),
    "double": _double,
    "time": _time,
    "microtime": _micro_time,
    "duration": _duration,
    "quantity": _quantity,
    "intorstring": _int_or_string,
    "raw": _raw,
    "strings": _strings,
}


def _schema_or_bool(data: bytes, depth: int) -> Any:
    parts = _by_number(data)
    if 2 in parts:
        return _message(_SCHEMA, _bytes(parts[2]), depth + 1)
    return _signed(parts.get(1, 0)) != 0


def _schema_or_array(data: bytes, depth: int) -> Any:
    schemas = [
        (number, _message(_SCHEMA, _bytes(item), depth + 1)) for number, item in _values(data, 0, len(data))
    ]
    if any(number == 1 for number, _ in schemas):
        return next(schema for number, schema in schemas if number == 1)
    return [schema for _, schema in schemas]


def _schema_or_strings(data: bytes, depth: int) -> Any:
    parts = list(_values(data, 0, len(data)))
    for number, item in parts:
        if number == 1:
            return _message(_SCHEMA, _bytes(item), depth + 1)
    return [_text(item) for number, item in parts if number == 2]


_SCHEMAS: Mapping[str, Callable[[bytes, int], Any]] = {
    "schemaorbool": _schema_or_bool,
    "schemaorarray": _schema_or_array,
    "schemaorstrings": _schema_or_strings,
}
