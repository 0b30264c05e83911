"""Bodies of requests: JSON, YAML or protobuf as plain data, and the fields they give more than once.

Of two values for one field the last counts, as in kube-apiserver; whether that is a mistake is for the request's
`fieldValidation` to say.
"""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any, Final, NamedTuple, cast

import msgspec
import yaml
from aiohttp import web

from ktui.client.base import PatchType
from ktui.engine.api import protobuf
from ktui.engine.api.request import Duplicates
from ktui.kube.errors import StatusError, bad_request, status
from ktui.kube.manifest import MAX_DEPTH, DuplicateKey, ManifestError, parse

_LARGE_BYTES: Final = 64 * 1024
"""YAML of more than this is read beside the loop."""
_decode = msgspec.json.Decoder(Any).decode
_encode = msgspec.json.Encoder().encode
_AS_PARENTHESES: Final = bytes.maketrans(b"{}[]", b"()()")
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"{}[]"))
_SPACED: Final = re.compile(rb'"\s+:')
"""JSON whose keys can't be counted by the colons behind them."""


class Body(NamedTuple):
    """What a body says."""

    value: Any = None
    duplicates: Duplicates | None = None


async def read_body(request: web.Request) -> Body:
    """The body decoded from JSON, YAML or Kubernetes' protobuf; None when there is none."""
    data = await request.read()
    if not data:
        return Body()
    kind = request.content_type
    if kind == protobuf.MEDIA_TYPE:
        try:
            return Body(protobuf.decode(data))
        except (protobuf.ProtobufError, RecursionError) as error:
            raise bad_request(f"the body is not valid: {error}") from None
    if kind in ("application/yaml", "application/x-yaml", "text/yaml", str(PatchType.APPLY)):
        return await asyncio.to_thread(_from_yaml, data) if len(data) > _LARGE_BYTES else _from_yaml(data)
    if kind in (
        "application/json",
        "application/octet-stream",
        PatchType.JSON,
        PatchType.MERGE,
        PatchType.STRATEGIC,
    ):
        try:
            return _from_json(data)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise bad_request(f"the body is not valid JSON: {error}") from None
    raise StatusError(
        status(
            415,
            "UnsupportedMediaType",
            "the body of the request was in an unknown format - accepted media types include: "
            f"application/json, application/yaml, {protobuf.MEDIA_TYPE}",
        )
    )


def _not_too_deep(data: bytes, value: Any) -> Any:
    """The decoded value, if everything that walks it will get to its end. Raises 400."""
    if data.count(b"{") + data.count(b"[") <= MAX_DEPTH:
        return value
    outside = b"".join(data.replace(rb"\\", b"").replace(rb"\"", b"").split(b'"')[::2])
    brackets = outside.translate(_AS_PARENTHESES, _NO_BRACKETS)
    for _ in range(MAX_DEPTH):
        brackets = brackets.replace(b"()", b"")
        if not brackets:
            return value
    raise bad_request(f"the body is nested more than {MAX_DEPTH} levels deep")


def _from_json(data: bytes) -> Body:
    value = _not_too_deep(data, _decode(data))
    has_each_once = not _SPACED.search(data) and data.count(b'":') == _encode(value).count(b'":')
    return Body(value, None if has_each_once else _duplicates(data))


def _duplicates(data: bytes) -> Duplicates | None:
    """The fields that JSON gives more than once."""
    found: list[tuple[int, str]] = []
    places: dict[str, int] = {}

    def walk(value: Any, path: str) -> None:
        if isinstance(value, tuple):
            for key, item in cast("tuple[tuple[str, Any], ...]", value):
                at = f"{path}.{key}" if path else key
                place = len(places) + len(found)
                if at in places:
                    found.append((place, f'duplicate field "{at}"'))
                else:
                    places[at] = place
                walk(item, at)
        elif isinstance(value, list):
            for index, item in enumerate(cast("list[Any]", value)):
                walk(item, f"{path}[{index}]")

    walk(json.loads(data, object_pairs_hook=tuple), "")
    return Duplicates(found, places) if found else None


def _from_yaml(data: bytes) -> Body:
    try:
        return _from_json(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        pass
    twice: list[DuplicateKey] = []
    try:
        documents = parse(data, duplicates=twice)
    except (ManifestError, yaml.YAMLError) as error:
        raise bad_request(f"the body is not valid YAML: {error}") from None
    if len(documents) != 1:
        raise bad_request(f"the body must hold one object, found {len(documents)}")
    found = [
        (index, f'line {each.position.line}: key "{each.key}" already set in map')
        for index, each in enumerate(twice)
    ]
    return Body(documents[0].object, Duplicates(found, {}) if found else None)
