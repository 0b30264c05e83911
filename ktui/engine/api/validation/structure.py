"""The walk along the schema: types, unknown fields, and the form in which Kubernetes keeps values.

For each definition a closure is built once; a sound object passes without building a single path (about 30 µs
a pod). What decoding does in kube-apiserver happens here too: nulls are dropped, unknown fields are reported
and dropped, quantities and times get their canonical form. Whether unknown fields fail a request is up to its
`fieldValidation`; what is missing or out of range is up to the rules of each kind.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, TypeAlias, cast

from ktui.engine.api import schema
from ktui.engine.api.seen import Seen
from ktui.kube.clock import parse_time, rfc3339, rfc3339_micro
from ktui.kube.errors import Cause
from ktui.kube.quantity import QuantityError, canonical
from ktui.kube.resource import Object

_REMOVED: Final = object()
_POD_SPEC: Final = "io.k8s.api.core.v1.PodSpec"


class _Key(str):
    """A key of a map, to tell it from a field in a path."""

    __slots__ = ()


_Segment: TypeAlias = "str | int"


@dataclass(slots=True)
class _Finding:
    """Something about a value: a decode error, an unknown field, or another value to put in its place."""

    message: str = ""
    unknown: bool = False
    replacement: Any = None
    struct: str = ""
    go_type: str = ""
    found: str = ""
    segments: list[_Segment] = field(default_factory=list[_Segment])
    """From the value outwards."""

    @property
    def path(self) -> str:
        text = ""
        for segment in reversed(self.segments):
            if isinstance(segment, int | _Key):
                text += f"[{segment}]"
            else:
                text += f".{segment}" if text else segment
        return text

    @property
    def error(self) -> str:
        if self.message:
            return self.message
        where = ".".join(
            str(s) for s in reversed(self.segments) if isinstance(s, str) and not isinstance(s, _Key)
        )
        place = f"Go struct field {self.struct}.{where}" if where else "Go value"
        return f"json: cannot unmarshal {self.found} into {place} of type {self.go_type}"


_Check: TypeAlias = Callable[[Any], "list[_Finding] | None"]


@dataclass(frozen=True, slots=True)
class SchemaReport:
    """What the walk found out about an object."""

    object: Object
    """The object as Kubernetes would keep it; the very same if nothing had to change."""
    causes: list[Cause] = field(default_factory=list[Cause])
    """Values of a wrong type (FieldValueTypeInvalid), messages as kube-apiserver's decoder words them."""
    unknown_fields: list[str] = field(default_factory=list[str])
    """Paths of fields the schema does not have."""

    @property
    def strict_errors(self) -> list[str]:
        """As kube-apiserver warns of them: `unknown field "spec.foo"`."""
        return [f'unknown field "{path}"' for path in self.unknown_fields]


def validate_schema(definition_name: str, obj: Object) -> SchemaReport:
    """Walk an object along a definition of the schema, `io.k8s.api.core.v1.Pod`."""
    findings = _definition(definition_name)(obj)
    if not findings:
        return SchemaReport(obj)
    kept: Any = obj
    causes: list[Cause] = []
    unknown: list[str] = []
    for finding in findings:
        if finding.unknown:
            unknown.append(finding.path)
        elif finding.message or finding.found:
            causes.append(Cause(finding.path, "FieldValueTypeInvalid", finding.error))
    for finding in reversed(findings):
        if finding.unknown or not (finding.message or finding.found):
            kept = _replaced(
                kept, finding.segments[::-1], _REMOVED if finding.unknown else finding.replacement
            )
    return SchemaReport(kept, causes, unknown)


def _replaced(value: Any, segments: list[_Segment], replacement: Any) -> Any:
    if not segments:
        return replacement
    segment, *rest = segments
    key: Any = str(segment) if isinstance(segment, _Key) else segment
    inner = _replaced(value[key], rest, replacement)
    if isinstance(value, list):
        copied = list(cast("list[Any]", value))
        copied[key] = inner
        return copied
    if inner is _REMOVED:
        return {name: item for name, item in value.items() if name != key}
    return {**value, key: inner}


def _mismatch(value: Any, go_type: str) -> list[_Finding]:
    return [_Finding(found=_json_type(value), go_type=go_type)]


def _json_type(value: Any) -> str:
    match value:
        case bool():
            return "bool"
        case str():
            return "string"
        case int() | float():
            return "number"
        case list():
            return "array"
        case _:
            return "object"


@lru_cache(maxsize=1024)
def _definition(name: str) -> _Check:
    """The check of a definition, built at its first use."""
    special = _SPECIAL.get(name)
    if special is not None:
        return special
    check = _check(schema.load().definitions[name], name)
    return _remembering(check) if name == _POD_SPEC else check


def _remembering(check: _Check) -> _Check:
    """A check that passes what it passed before, as replicas' specs are. Equal JSON tells 1 from true and 1.0,
    equal values tell a text from what only looks like it when encoded."""
    sound: Seen[Any] = Seen()

    def remembering(value: Any) -> list[_Finding] | None:
        try:
            form = sound.form(value)
        except (TypeError, ValueError):
            return check(value)  # no JSON: the check says what is wrong
        if sound.get(form) == value:
            return None
        found = check(value)
        if not found:
            sound.keep(form, value)
        return found

    return remembering


def _check(node: schema.Definition, name: str = "") -> _Check:
    if reference := schema.reference(node):
        return _deferred(reference)
    match node.get("type"):
        case "object":
            if "properties" in node:
                return _struct(node, name.rsplit(".", 1)[-1], _go_type({"$ref": f"#/definitions/{name}"}))
            if "additionalProperties" in node:
                return _map(node)
            return _free_object
        case "array":
            return _list(node)
        case "string":
            return _bytes if node.get("format") == "byte" else _string
        case "integer":
            return _int64 if node.get("format") == "int64" else _int32
        case "number":
            return _number
        case "boolean":
            return _boolean
        case _:
            return _anything


def _deferred(name: str) -> _Check:
    """A definition that is built when a value first reaches it (definitions refer to each other in circles)."""
    special = _SPECIAL.get(name)
    if special is not None:
        return special
    built: _Check | None = None

    def check(value: Any) -> list[_Finding] | None:
        nonlocal built
        if built is None:
            built = _definition(name)
        return built(value)

    return check


def _struct(node: schema.Definition, struct: str, go_type: str) -> _Check:
    fields = {name: _check(declared) for name, declared in node["properties"].items()}
    open_ended = bool(node.get("x-kubernetes-preserve-unknown-fields"))

    def check(value: Any) -> list[_Finding] | None:
        if type(value) is not dict:
            return _mismatch(value, go_type)
        found: list[_Finding] | None = None
        for key, item in cast("Object", value).items():
            inner_check = fields.get(key)
            if item is None:
                unknown = inner_check is None and not open_ended
                inner = [_Finding(unknown=unknown, replacement=_REMOVED)]
            elif inner_check is None:
                if open_ended:
                    continue
                inner = [_Finding(unknown=True)]
            else:
                inner = inner_check(item)
                if not inner:
                    continue
            for finding in inner:
                finding.segments.append(key)
                finding.struct = finding.struct or struct
            found = found + inner if found else inner
        return found

    return check


def _map(node: schema.Definition) -> _Check:
    declared = node["additionalProperties"]
    inner_check, zero = _check(declared), _zero(declared)
    go_type = _go_type(node)

    def check(value: Any) -> list[_Finding] | None:
        if type(value) is not dict:
            return _mismatch(value, go_type)
        found: list[_Finding] | None = None
        for key, item in cast("Object", value).items():
            inner = inner_check(item) if item is not None else [_Finding(replacement=zero)]
            if inner:
                for finding in inner:
                    finding.segments.append(_Key(key))
                found = found + inner if found else inner
        return found

    return check


def _list(node: schema.Definition) -> _Check:
    declared = node["items"]
    inner_check, zero = _check(declared), _zero(declared)
    go_type = _go_type(node)

    def check(value: Any) -> list[_Finding] | None:
        if type(value) is not list:
            return _mismatch(value, go_type)
        found: list[_Finding] | None = None
        for index, item in enumerate(cast("list[Any]", value)):
            inner = inner_check(item) if item is not None else [_Finding(replacement=zero)]
            if inner:
                for finding in inner:
                    finding.segments.append(index)
                found = found + inner if found else inner
        return found

    return check


def _zero(declared: schema.Definition) -> Any:
    """What a null becomes inside a list or map: the zero value of its type."""
    node = schema.load().resolve(declared)
    if schema.reference(declared) == schema.QUANTITY:
        return "0"
    return _ZERO.get(node.get("type", ""))


_ZERO: Final[dict[str, Any]] = {
    "string": "",
    "integer": 0,
    "number": 0,
    "boolean": False,
    "array": [],
    "object": {},
}


def _go_type(node: schema.Definition) -> str:
    """The Go type kube-apiserver names in its messages."""
    if name := schema.reference(node):
        return ".".join(name.rsplit(".", 2)[1:])
    match node.get("type"):
        case "array":
            return f"[]{_go_type(node['items'])}"
        case "object" if "additionalProperties" in node:
            return f"map[string]{_go_type(node['additionalProperties'])}"
        case "object":
            return "map[string]interface {}"
        case "integer":
            return str(node.get("format", "int32"))
        case "boolean":
            return "bool"
        case "number":
            return "float64"
        case "string" if node.get("format") == "byte":
            return "[]uint8"
        case _:
            return "string"


def _string(value: Any) -> list[_Finding] | None:
    return None if type(value) is str else _mismatch(value, "string")


def _boolean(value: Any) -> list[_Finding] | None:
    return None if type(value) is bool else _mismatch(value, "bool")


def _int32(value: Any) -> list[_Finding] | None:
    return None if type(value) is int and -(2**31) <= value < 2**31 else _whole(value, 32)


def _int64(value: Any) -> list[_Finding] | None:
    return None if type(value) is int and -(2**63) <= value < 2**63 else _whole(value, 64)


def _whole(value: Any, bits: int) -> list[_Finding]:
    """JSON numbers such as 3.0 are whole numbers; others are refused."""
    if type(value) is float and value.is_integer() and abs(value) < 2 ** (bits - 1):
        return [_Finding(replacement=int(value))]
    found = f"number {value}" if type(value) in (int, float) else _json_type(value)
    return [_Finding(found=found, go_type=f"int{bits}")]


def _number(value: Any) -> list[_Finding] | None:
    return None if type(value) in (int, float) else _mismatch(value, "float64")


def _free_object(value: Any) -> list[_Finding] | None:
    return None if type(value) is dict else _mismatch(value, "map[string]interface {}")


def _anything(value: Any) -> list[_Finding] | None:
    return None


def _bytes(value: Any) -> list[_Finding] | None:
    if type(value) is not str:
        return _mismatch(value, "[]uint8")
    try:
        base64.b64decode(value.replace("\n", "").replace("\r", ""), validate=True)
    except (binascii.Error, ValueError):
        position = next(
            (i for i, c in enumerate(value) if not (c.isascii() and (c.isalnum() or c in "+/="))), len(value)
        )
        return [_Finding(message=f"illegal base64 data at input byte {position}")]
    return None


def _quantity(value: Any) -> list[_Finding] | None:
    if type(value) is bool or not isinstance(value, str | int | float):
        return _mismatch(value, "resource.Quantity")
    try:
        kept = canonical(value.strip() if isinstance(value, str) else value)
    except QuantityError as error:
        return [_Finding(message=str(error))]
    return None if kept == value else [_Finding(replacement=kept)]


def _int_or_string(value: Any) -> list[_Finding] | None:
    return None if type(value) is str else _int32(value)


def _time(value: Any) -> list[_Finding] | None:
    return _moment(value, rfc3339, "2006-01-02T15:04:05Z07:00")


def _micro_time(value: Any) -> list[_Finding] | None:
    return _moment(value, rfc3339_micro, "2006-01-02T15:04:05.000000Z07:00")


def _moment(value: Any, printed: Callable[[Any], str], layout: str) -> list[_Finding] | None:
    if type(value) is not str:
        return _mismatch(value, "string")
    try:
        moment = parse_time(value)
        if moment.tzinfo is None or "T" not in value:
            raise ValueError(value)
    except ValueError:
        return [_Finding(message=f'parsing time "{value}" as "{layout}": cannot parse "{value}" as "2006"')]
    kept = printed(moment)
    return None if kept == value else [_Finding(replacement=kept)]


_SPECIAL: Final[dict[str, _Check]] = {
    schema.QUANTITY: _quantity,
    schema.INT_OR_STRING: _int_or_string,
    schema.TIME: _time,
    schema.MICRO_TIME: _micro_time,
}
