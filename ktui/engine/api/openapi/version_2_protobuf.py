"""The document of version 2 in the protobuf encoding that older kubectls ask for.

In: the document as JSON data. Out: bytes of gnostic's `openapi.v2.Document`. A table gives each message's
fields; extensions (`x-kubernetes-…`) go in as YAML, for which JSON does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import msgspec

from ktui.kube.resource import Object

MEDIA_TYPES = (
    "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
    "application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
)

_Encode = Callable[[Any], bytes]
_Fields = Mapping[str, tuple[int, _Encode]]


def encode(document: Object) -> bytes:
    """The document."""
    return _message(document, _DOCUMENT, 16)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _message(content: Object, fields: _Fields, extensions: int) -> bytes:
    out = bytearray()
    for name, value in content.items():
        known = fields.get(name)
        if known is not None:
            number, convert = known
            if isinstance(value, bool) and convert is not _additional:
                out += _varint(number << 3) + (b"\x01" if value else b"\x00")
            elif isinstance(value, list) and convert is not _any:
                for item in cast("list[Any]", value):
                    out += _field(number, convert(item))
            else:
                out += _field(number, convert(value))
        elif name.startswith("x-"):
            out += _field(extensions, _field(1, name.encode()) + _field(2, _any(value)))
    return bytes(out)


def _text(value: str) -> bytes:
    return value.encode()


def _any(value: Any) -> bytes:
    return _field(2, msgspec.json.encode(value))


def _schema(value: Object) -> bytes:
    return _message(value, _SCHEMA, 31)


def _named(value: Mapping[str, Object], convert: _Encode, number: int) -> bytes:
    return b"".join(
        _field(number, _field(1, name.encode()) + _field(2, convert(item))) for name, item in value.items()
    )


def _types(value: Any) -> bytes:
    return _field(1, _text(value))


def _items(value: Object) -> bytes:
    return _field(1, _schema(value))


def _additional(value: Object | bool) -> bytes:
    if isinstance(value, bool):
        return b"\x10\x01" if value else b"\x10\x00"
    return _field(1, _schema(value))


def _parameter(value: Object) -> bytes:
    if value["in"] == "body":
        parameter = _field(1, _message(value, _BODY_PARAMETER, 6))
    elif value["in"] == "path":
        parameter = _field(2, _field(4, _message(value, _PATH_PARAMETER, 22)))
    else:
        parameter = _field(2, _field(3, _message(value, _QUERY_PARAMETER, 23)))
    return _field(1, parameter)


def _answer(value: Object) -> bytes:
    return _field(1, _message(value, _RESPONSE, 5))


def _operation(value: Object) -> bytes:
    return _message(value, _OPERATION, 13)


def _path(value: Object) -> bytes:
    return _message(value, _PATH_ITEM, 10)


_SCHEMA: _Fields = {
    "$ref": (1, _text),
    "format": (2, _text),
    "description": (4, _text),
    "default": (5, _any),
    "required": (19, _text),
    "additionalProperties": (21, _additional),
    "type": (22, _types),
    "items": (23, _items),
    "allOf": (24, _schema),
    "properties": (25, lambda value: _named(value, _schema, 1)),
}
_BODY_PARAMETER: _Fields = {
    "description": (1, _text),
    "name": (2, _text),
    "in": (3, _text),
    "required": (4, _any),
    "schema": (5, _schema),
}
_PATH_PARAMETER: _Fields = {
    "required": (1, _any),
    "in": (2, _text),
    "description": (3, _text),
    "name": (4, _text),
    "type": (5, _text),
    "uniqueItems": (19, _any),
}
_QUERY_PARAMETER: _Fields = {
    "in": (2, _text),
    "description": (3, _text),
    "name": (4, _text),
    "type": (6, _text),
    "uniqueItems": (20, _any),
}
_RESPONSE: _Fields = {
    "description": (1, _text),
    "schema": (2, lambda value: _field(1, _schema(value))),
}
_OPERATION: _Fields = {
    "description": (3, _text),
    "operationId": (5, _text),
    "produces": (6, _text),
    "consumes": (7, _text),
    "parameters": (8, _parameter),
    "responses": (9, lambda value: _named(value, _answer, 1)),
}
_PATH_ITEM: _Fields = {
    "get": (2, _operation),
    "put": (3, _operation),
    "post": (4, _operation),
    "delete": (5, _operation),
    "patch": (8, _operation),
}
_INFO: _Fields = {"title": (1, _text), "version": (2, _text)}
_DOCUMENT: _Fields = {
    "swagger": (1, _text),
    "info": (2, lambda value: _message(value, _INFO, 7)),
    "paths": (8, lambda value: _named(value, _path, 2)),
    "definitions": (9, lambda value: _named(value, _schema, 1)),
}
