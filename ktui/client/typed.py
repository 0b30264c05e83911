"""JSON of objects to typed ones, for many readers in one process.

In: the bytes of an object as the API server sends them. Out: a struct of `lightkube.models`, shared by all who
decode the same bytes one after the other. Its spec is shared further, by all objects whose specs are the same
JSON: a replica is then one status and a little metadata, and a new status costs no new spec. Who owns which
field is left out, which is nobody's business here and half of most objects.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any, get_args, get_origin

import msgspec

_OBJECTS = 512
"""How many of the last objects of a model other readers find decoded."""
_SPECS = 512
"""How many of the last specs of a model objects share."""
_LARGE = 1000
"""Bytes of a spec that are worth a look whether it is known."""


class _Owners(msgspec.Struct, frozen=True):
    managedFields: msgspec.Raw = msgspec.Raw()  # noqa: N815 - the API's field name


class _Parts(msgspec.Struct):
    metadata: _Owners = _Owners()
    spec: msgspec.Raw = msgspec.Raw()


_parts_of = msgspec.json.Decoder(_Parts).decode


@cache
def decoder(model: type[Any]) -> Callable[[bytes], Any]:
    """What turns JSON into a model (a struct, or a dict for plain data). Its makings are made for the first
    object there is: that takes milliseconds, and of many kinds there is none at start."""
    if not issubclass(get_origin(model) or model, msgspec.Struct):
        return lambda raw: _reader(model)(raw)

    @lru_cache(maxsize=_OBJECTS)
    def shared(raw: bytes) -> Any:
        return _typed(model, raw)

    return shared


def _typed(model: type[Any], raw: bytes) -> Any:
    parts = _parts_of(raw)
    raw = _without(raw, b'"managedFields":', bytes(parts.metadata.managedFields))
    spec, read_spec = bytes(parts.spec), _spec_reader(model)
    if len(spec) < _LARGE or read_spec is None:
        return _reader(model)(raw)
    obj = _reader(model)(_without(raw, b'"spec":', spec))
    obj.spec = read_spec(spec)
    return obj


def _without(raw: bytes, name: bytes, value: bytes) -> bytes:
    """Compact JSON with null for a value that is in it; anything else as it is."""
    if not value:
        return raw
    at = raw.find(name)
    while at >= 0 and not raw.startswith(value, at + len(name)):
        at = raw.find(name, at + 1)
    if at < 0:
        return raw
    at += len(name)
    return b"%bnull%b" % (raw[:at], raw[at + len(value) :])


@cache
def _reader(model: type[Any]) -> Callable[[bytes], Any]:
    return msgspec.json.Decoder(model).decode


@cache
def _spec_reader(model: type[Any]) -> Callable[[bytes], Any] | None:
    """What gives the spec of a model that may be without one; None for other models."""
    types = {field.name: field.type for field in msgspec.structs.fields(model)}
    spec = get_args(types.get("spec"))
    if len(spec) != 2 or type(None) not in spec:
        return None
    read = _reader(next(kind for kind in spec if kind is not type(None)))
    return lru_cache(maxsize=_SPECS)(read)
