"""Validation along a structural schema, in the words of kube-apiserver's validator.

In: a pruned and defaulted object. Out: every violation with its path: types, required fields, ranges, patterns,
formats, enums, the logical junctors, duplicates in sets and maps, and embedded objects without identity.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final, cast

import msgspec

from ktui.engine.api.crd.formats import has_format
from ktui.engine.api.crd.structural import Node, node_of
from ktui.engine.api.schema import OBJECT_META
from ktui.engine.api.validation.fields import duplicate, invalid, required, shown, too_many, unsupported
from ktui.engine.api.validation.metadata import check_metadata
from ktui.engine.api.validation.structure import validate_schema
from ktui.kube.errors import Cause
from ktui.kube.resource import Object

_IDENTITY: Final = ("apiVersion", "kind", "metadata")
_INTEGERS: Final = {"int32": 2**31, "int64": 2**63}


def check(root: Node, obj: Object) -> list[Cause]:
    """All that is wrong with an object, but for its apiVersion, kind and metadata."""
    return check_value(root, obj, "", is_object=True)


def check_value(node: Node, value: Any, path: str, *, is_object: bool = False) -> list[Cause]:
    """All that is wrong with a value at a path."""
    if value is None:
        return [] if node.is_nullable or not node.type else [_type_error(path, node.type, "null")]
    if node.type and not _has_type(value, node.type):
        wanted = "integer,string" if node.type == "int-or-string" else node.type
        return [_type_error(path, wanted, _json_type(value))]
    causes = _rules(node.raw, value, path)
    match value:
        case dict():
            causes += _fields(node, cast("Object", value), path, is_object=is_object)
        case list():
            causes += _list(node, cast("list[Any]", value), path)
        case _:
            pass
    return causes


def _fields(node: Node, value: Object, path: str, *, is_object: bool) -> list[Cause]:
    causes: list[Cause] = []
    if node.is_embedded and not is_object:
        causes += _embedded(value, path)
    for name, inner in value.items():
        child = node.child(name)
        if child is None or (is_object and name in _IDENTITY):
            if child is not None and name == "metadata":
                causes += _names(child, inner)
            continue
        if name in _IDENTITY and node.is_embedded:
            continue
        at = f"{path}.{name}" if path else name
        causes += check_value(child, inner, at)
    return causes


def _names(node: Node, metadata: Object) -> list[Cause]:
    """A schema may say something of an object's name, and of nothing else in its metadata."""
    causes: list[Cause] = []
    for name in ("name", "generateName"):
        child = node.properties.get(name)
        if child is not None and metadata.get(name):
            causes += check_value(child, metadata[name], f"metadata.{name}")
    return causes


def _embedded(value: Object, path: str) -> list[Cause]:
    causes = [
        required(f"{path}.{name}", "must not be empty")
        for name in ("apiVersion", "kind")
        if not value.get(name)
    ]
    metadata: Any = value.get("metadata") or {}
    at = f"{path}.metadata"
    if not isinstance(metadata, dict):
        return [*causes, invalid(at, metadata, "must be of type object")]
    report = validate_schema(OBJECT_META, cast("Object", metadata))
    if report.causes:
        return causes + [replace(cause, field=f"{at}.{cause.field}") for cause in report.causes]
    sound = {**value, "metadata": report.object}
    found = check_metadata(sound, namespaced="namespace" in report.object, path=at)
    return causes + [cause for cause in found if cause.reason != "FieldValueRequired"]


def _list(node: Node, value: list[Any], path: str) -> list[Cause]:
    causes: list[Cause] = []
    if node.items is not None:
        for index, item in enumerate(value):
            causes += check_value(node.items, item, f"{path}[{index}]")
    if node.list_type == "atomic":
        return causes
    seen: set[bytes] = set()
    for index, item in enumerate(value):
        identity: Any = item
        if node.list_type == "map":
            if not isinstance(item, dict):
                continue
            fields = cast("Object", item)
            identity = {key: fields[key] for key in node.keys if key in fields}
        step = msgspec.json.encode(identity, order="sorted")
        if step in seen:
            causes.append(duplicate(f"{path}[{index}]", identity))
        seen.add(step)
    return causes


def _rules(raw: Object, value: Any, path: str) -> list[Cause]:
    causes: list[Cause] = []
    enum: list[Any] = raw.get("enum") or []
    if enum and not any(_same(value, allowed) for allowed in enum):
        texts = [allowed if isinstance(allowed, str) else shown(allowed) for allowed in enum]
        causes.append(unsupported(path, value, texts))
    match value:
        case bool():
            pass
        case str():
            causes += _string(raw, value, path)
        case int() | float():
            causes += _number(raw, value, path)
        case list():
            causes += _size(raw, len(cast("list[Any]", value)), path, "Items", "items", value)
        case dict():
            fields = cast("Object", value)
            names: list[str] = raw.get("required") or []
            causes += [required(f"{path}.{name}" if path else name) for name in names if name not in fields]
            causes += _size(raw, len(fields), path, "Properties", "properties", value)
        case _:
            pass
    return causes + _junctors(raw, value, path)


def _size(raw: Object, found: int, path: str, what: str, noun: str, value: Any) -> list[Cause]:
    least, most = raw.get(f"min{what}"), raw.get(f"max{what}")
    if least is not None and found < least:
        return [invalid(path, value, f"{path} in body should have at least {least} {noun}")]
    return [too_many(path, found, most)] if most is not None and found > most else []


def _string(raw: Object, value: str, path: str) -> list[Cause]:
    causes: list[Cause] = []
    least, most = raw.get("minLength"), raw.get("maxLength")
    if most is not None and len(value) > most:
        causes.append(Cause(path, "FieldValueTooLong", f"Too long: may not be more than {most} bytes"))
    if least is not None and len(value) < least:
        causes.append(invalid(path, value, f"{path} in body should be at least {least} chars long"))
    pattern = raw.get("pattern")
    if pattern and not compiled(pattern).search(value):
        causes.append(invalid(path, value, f"{path} in body should match '{pattern}'"))
    name = raw.get("format") or ""
    if name and raw.get("type") == "string" and not has_format(value, name):
        causes.append(
            Cause(
                path,
                "FieldValueTypeInvalid",
                f"Invalid value: {shown(value)}: {path} in body must be of type {name}: {shown(value)}",
            )
        )
    return causes


def _number(raw: Object, value: float, path: str) -> list[Cause]:
    causes: list[Cause] = []
    low, high, step = raw.get("minimum"), raw.get("maximum"), raw.get("multipleOf")
    limit = _INTEGERS.get(raw.get("format") or "") if raw.get("type") == "integer" else None
    if limit is not None and not -limit <= value < limit:
        causes.append(
            invalid(
                path, value, f"Checked value must be of type integer with format {raw['format']} in {path}"
            )
        )
    if low is not None and (value < low or (raw.get("exclusiveMinimum") and value == low)):
        words = "greater than" if raw.get("exclusiveMinimum") else "greater than or equal to"
        causes.append(invalid(path, value, f"{path} in body should be {words} {shown(low)}"))
    if high is not None and (value > high or (raw.get("exclusiveMaximum") and value == high)):
        words = "less than" if raw.get("exclusiveMaximum") else "less than or equal to"
        causes.append(invalid(path, value, f"{path} in body should be {words} {shown(high)}"))
    if step and value % step:
        causes.append(invalid(path, value, f"{path} in body should be a multiple of {shown(step)}"))
    return causes


def _junctors(raw: Object, value: Any, path: str) -> list[Cause]:
    causes: list[Cause] = []
    any_of: list[Object] = raw.get("anyOf") or []
    if any_of and not raw.get("x-kubernetes-int-or-string"):
        results = [_alternative(schema, value, path) for schema in any_of]
        if all(results):
            causes.append(_junctor(path, "must validate at least one schema (anyOf)"))
            causes += min(results, key=len)
    one_of: list[Object] = raw.get("oneOf") or []
    if one_of:
        results = [_alternative(schema, value, path) for schema in one_of]
        fitting = results.count([])
        if fitting != 1:
            found = f"Found {fitting} valid alternatives" if fitting else "Found none valid"
            causes.append(_junctor(path, f"must validate one and only one schema (oneOf). {found}"))
            causes += min(results, key=len)
    all_of: list[Object] = raw.get("allOf") or []
    failed = [cause for schema in all_of for cause in _alternative(schema, value, path)]
    if failed:
        causes += [_junctor(path, "must validate all the schemas (allOf)"), *failed]
    negated = raw.get("not")
    if isinstance(negated, dict) and not _alternative(cast("Object", negated), value, path):
        causes.append(_junctor(path, "must not validate the schema (not)"))
    return causes


def _alternative(raw: Object, value: Any, path: str) -> list[Cause]:
    return check_value(node_of(raw), value, path)


def _junctor(path: str, why: str) -> Cause:
    return invalid(path or "<nil>", "", f'"{path}" {why}')


def _type_error(path: str, wanted: str, found: str) -> Cause:
    return Cause(
        path,
        "FieldValueTypeInvalid",
        f'Invalid value: "{found}": {path} in body must be of type {wanted}: "{found}"',
    )


def _has_type(value: Any, wanted: str) -> bool:
    match wanted:
        case "object":
            return isinstance(value, dict)
        case "array":
            return isinstance(value, list)
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "integer":
            return _is_whole(value)
        case "int-or-string":
            return isinstance(value, str) or _is_whole(value)
        case _:
            return True


def _is_whole(value: Any) -> bool:
    return (isinstance(value, int) and not isinstance(value, bool)) or (
        isinstance(value, float) and value.is_integer()
    )


def _json_type(value: Any) -> str:
    match value:
        case bool():
            return "boolean"
        case str():
            return "string"
        case int():
            return "integer"
        case float():
            return "number"
        case list():
            return "array"
        case _:
            return "object"


def _same(one: Any, other: Any) -> bool:
    """Equal as JSON: true is not 1."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> re.Pattern[str]:
    """A pattern in Go's syntax, as close as Python's comes to it; raises re.error."""
    return re.compile(
        pattern.replace(r"\z", r"\Z").replace("[[:alnum:]]", "[0-9A-Za-z]").replace("(?P>", "(?P<")
    )
