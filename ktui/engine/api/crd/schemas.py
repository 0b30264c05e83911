"""Rules for the OpenAPI schema of a CustomResourceDefinition: that it is structural, and sound in itself.

Structural means that every place has a type of its own, outside the logical junctors (allOf, anyOf, oneOf,
not), which may only narrow what it says. Defaults have to obey the schema they stand in, rules have to compile.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, cast

from ktui.engine.api.cel import programs as cel
from ktui.engine.api.crd import checking
from ktui.engine.api.crd.structural import defaulted, node_of
from ktui.engine.api.validation.fields import forbidden, invalid, required, unsupported
from ktui.kube.errors import Cause
from ktui.kube.resource import Object

_TYPES: Final = ("array", "boolean", "integer", "number", "object", "string")
_LIST_TYPES: Final = ("atomic", "map", "set")
_SCALARS: Final = ("boolean", "integer", "number", "string")
_OUTSIDE: Final = (
    "additionalProperties",
    "default",
    "description",
    "nullable",
    "title",
    "type",
    "x-kubernetes-embedded-resource",
    "x-kubernetes-int-or-string",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-list-type",
    "x-kubernetes-map-type",
    "x-kubernetes-preserve-unknown-fields",
)
"""What may not be said inside a junctor."""
_UNSUPPORTED: Final = {
    "$ref": "$ref is not supported",
    "definitions": "definitions is not supported",
    "dependencies": "dependencies is not supported",
    "patternProperties": "patternProperties is not supported",
    "additionalItems": "additionalItems is not supported",
    "id": "id is not supported",
    "$schema": "$schema is not supported",
}
_DEEPEST: Final = 64


def check_schema(schema: Object, path: str) -> list[Cause]:
    """Everything wrong with a version's schema."""
    causes: list[Cause] = []
    kind = schema.get("type")
    if not kind:
        causes.append(required(f"{path}.type", "must not be empty at the root"))
    elif kind != "object":
        causes.append(invalid(f"{path}.type", kind, "must be object at the root"))
    if schema.get("nullable"):
        causes.append(forbidden(f"{path}.nullable", "nullable cannot be true at the root"))
    if schema.get("x-kubernetes-embedded-resource"):
        causes.append(forbidden(f"{path}.x-kubernetes-embedded-resource", "must not be used at the root"))
    declared: Object = schema.get("properties") or {}
    metadata = declared.get("metadata")
    if isinstance(metadata, dict):
        causes += _metadata(cast("Object", metadata), f"{path}.properties[metadata]")
    return causes + _node(schema, path, "", 0)


def _metadata(schema: Object, path: str) -> list[Cause]:
    """Only names may be restricted; all else of metadata is Kubernetes' own."""
    causes: list[Cause] = []
    if schema.get("type") not in (None, "object"):
        causes.append(invalid(f"{path}.type", schema["type"], "must be object"))
    properties: Object = schema.get("properties") or {}
    if set(properties) - {"name", "generateName"}:
        causes.append(
            forbidden(
                path,
                "must not specify anything other than name and generateName, but metadata is implicitly specified",
            )
        )
    return causes


def _node(schema: Object, path: str, place: str, depth: int) -> list[Cause]:
    if depth > _DEEPEST:
        return [forbidden(path, f"schemas may not be nested deeper than {_DEEPEST}")]
    causes = [*_typed(schema, path, place), *_sound(schema, path), *_lists(schema, path)]
    for junctor, inner in _junctors(schema, path):
        causes += _narrowing(junctor, inner, schema)
    causes += _default(schema, path) + _rules(schema, path)
    for child, at, where in _children(schema, path):
        causes += _node(child, at, where, depth + 1)
    return causes


def _children(schema: Object, path: str) -> Iterator[tuple[Object, str, str]]:
    """The schemas of a schema's fields, values and items."""
    properties: dict[str, Object] = schema.get("properties") or {}
    for name, child in properties.items():
        yield child, f"{path}.properties[{name}]", "object fields"
    values, item = schema.get("additionalProperties"), schema.get("items")
    if isinstance(values, dict):
        yield cast("Object", values), f"{path}.additionalProperties", "object fields"
    if isinstance(item, dict):
        yield cast("Object", item), f"{path}.items", "array items"


def _typed(schema: Object, path: str, place: str) -> list[Cause]:
    kind = schema.get("type") or ""
    mixed = bool(schema.get("x-kubernetes-int-or-string"))
    if mixed:
        return (
            [forbidden(f"{path}.type", "must be empty if x-kubernetes-int-or-string is true")] if kind else []
        )
    if not kind:
        free = schema.get("x-kubernetes-preserve-unknown-fields") or not place
        return [] if free else [required(f"{path}.type", f"must not be empty for specified {place}")]
    if kind not in _TYPES:
        return [unsupported(f"{path}.type", kind, _TYPES)]
    causes: list[Cause] = []
    if kind == "array" and not schema.get("items"):
        causes.append(required(f"{path}.items", "must be specified"))
    if schema.get("x-kubernetes-embedded-resource") and kind != "object":
        causes.append(
            invalid(f"{path}.type", kind, "must be object if x-kubernetes-embedded-resource is true")
        )
    if schema.get("x-kubernetes-preserve-unknown-fields") and kind != "object":
        causes.append(
            invalid(f"{path}.type", kind, "must be object if x-kubernetes-preserve-unknown-fields is true")
        )
    if (
        schema.get("x-kubernetes-embedded-resource")
        and not schema.get("properties")
        and not schema.get("x-kubernetes-preserve-unknown-fields")
    ):
        why = "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields"
        causes.append(required(f"{path}.properties", why))
    return causes


def _sound(schema: Object, path: str) -> list[Cause]:
    causes = [forbidden(f"{path}.{name}", why) for name, why in _UNSUPPORTED.items() if schema.get(name)]
    if schema.get("uniqueItems"):
        why = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        causes.append(forbidden(f"{path}.uniqueItems", why))
    if schema.get("additionalProperties") is False:
        causes.append(
            forbidden(f"{path}.additionalProperties", "additionalProperties cannot be set to false")
        )
    if schema.get("additionalProperties") is not None and schema.get("properties"):
        why = "additionalProperties and properties are mutual exclusive"
        causes.append(forbidden(f"{path}.additionalProperties", why))
    if schema.get("x-kubernetes-preserve-unknown-fields") is False:
        why = "must be true or undefined"
        causes.append(invalid(f"{path}.x-kubernetes-preserve-unknown-fields", False, why))
    if isinstance(schema.get("items"), list):
        causes.append(forbidden(f"{path}.items", "items must be a schema object and not an array"))
    pattern = schema.get("pattern")
    if pattern:
        try:
            checking.compiled(pattern)
        except re.error as error:
            causes.append(
                invalid(f"{path}.pattern", pattern, f"must be a valid regular expression, but isn't: {error}")
            )
    return causes


def _lists(schema: Object, path: str) -> list[Cause]:
    """`x-kubernetes-list-type` and its keys."""
    kind = schema.get("x-kubernetes-list-type")
    keys: list[str] = schema.get("x-kubernetes-list-map-keys") or []
    at, at_keys = f"{path}.x-kubernetes-list-type", f"{path}.x-kubernetes-list-map-keys"
    causes: list[Cause] = []
    if kind is not None and kind not in _LIST_TYPES:
        return [unsupported(at, kind, _LIST_TYPES)]
    if kind is not None and schema.get("type") != "array":
        causes.append(
            invalid(
                f"{path}.type",
                schema.get("type") or "",
                "must be array if x-kubernetes-list-type is specified",
            )
        )
    if keys and kind != "map":
        causes.append(
            required(at, "must be map if x-kubernetes-list-map-keys is non-empty")
            if kind is None
            else invalid(at, kind, "must be map if x-kubernetes-list-map-keys is non-empty")
        )
    item: Any = schema.get("items") or {}
    if kind == "map":
        if not keys:
            causes.append(required(at_keys, "must not be empty if x-kubernetes-list-type is map"))
        if item.get("type") != "object":
            causes.append(
                invalid(
                    f"{path}.items.type",
                    item.get("type") or "",
                    "must be object if parent array's x-kubernetes-list-type is map",
                )
            )
        properties: Object = item.get("properties") or {}
        needed: list[str] = item.get("required") or []
        for index, key in enumerate(keys):
            declared = properties.get(key)
            if declared is None:
                causes.append(
                    invalid(f"{at_keys}[{index}]", key, "entries must all be names of item properties")
                )
            elif declared.get("type") not in _SCALARS:
                causes.append(
                    invalid(
                        f"{path}.items.properties[{key}].type",
                        declared.get("type") or "",
                        "must be a scalar type if parent array's x-kubernetes-list-type is map",
                    )
                )
            elif key not in needed and "default" not in declared:
                why = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"
                causes.append(required(f"{path}.items.properties[{key}].default", why))
        if len(set(keys)) != len(keys):
            causes.append(invalid(at_keys, keys, "all entries must be unique"))
    map_type = schema.get("x-kubernetes-map-type")
    if map_type is not None and map_type not in ("atomic", "granular"):
        causes.append(unsupported(f"{path}.x-kubernetes-map-type", map_type, ("atomic", "granular")))
    return causes


def _junctors(schema: Object, path: str) -> Iterator[tuple[str, Object]]:
    for name in ("allOf", "anyOf", "oneOf"):
        alternatives: list[Object] = schema.get(name) or []
        for index, inner in enumerate(alternatives):
            yield f"{path}.{name}[{index}]", inner
    if isinstance(schema.get("not"), dict):
        yield f"{path}.not", schema["not"]


def _narrowing(path: str, schema: Object, outer: Object) -> list[Cause]:
    """A schema inside a junctor says nothing of structure, and speaks only of what the outer one has."""
    mixed = bool(outer.get("x-kubernetes-int-or-string"))
    causes = [
        forbidden(f"{path}.{name}", "must be empty to be structural")
        for name in _OUTSIDE
        if schema.get(name) not in (None, "", False) and not (mixed and name == "type")
    ]
    declared: Object = outer.get("properties") or {}
    properties: dict[str, Object] = schema.get("properties") or {}
    for name, inner in properties.items():
        at = f"{path}.properties[{name}]"
        if name in declared:
            causes += _narrowing(at, inner, declared[name])
        elif not outer.get("additionalProperties"):
            causes.append(
                required(
                    f"{at.replace(path, path.rpartition('.')[0], 1)}",
                    "must be specified because it is used in a logical junctor",
                )
            )
    for junctor, inner in _junctors(schema, path):
        causes += _narrowing(junctor, inner, outer)
    item, outer_item = schema.get("items"), outer.get("items")
    if isinstance(item, dict) and isinstance(outer_item, dict):
        causes += _narrowing(f"{path}.items", cast("Object", item), cast("Object", outer_item))
    return causes


def _default(schema: Object, path: str) -> list[Cause]:
    if "default" not in schema:
        return []
    at, value = f"{path}.default", schema["default"]
    node = node_of(schema)
    found = checking.check_value(node, defaulted(node, value), "")
    return [
        Cause(
            f"{at}.{cause.field}" if cause.field else at,
            cause.reason,
            cause.message.replace(" in body", "", 1),
        )
        for cause in found
    ]


def _rules(schema: Object, path: str) -> list[Cause]:
    causes: list[Cause] = []
    rules: list[Object] = schema.get("x-kubernetes-validations") or []
    for index, rule in enumerate(rules):
        at = f"{path}.x-kubernetes-validations[{index}]"
        for field in ("rule", "messageExpression"):
            expression = str(rule.get(field) or "")
            if not expression.strip():
                if field == "rule":
                    causes.append(required(f"{at}.rule", "rule is not specified"))
                continue
            try:
                cel.compiled(expression)
            except cel.CelError as error:
                causes.append(invalid(f"{at}.{field}", rule, str(error)))
        message = rule.get("message")
        if message is not None and not str(message).strip():
            causes.append(invalid(f"{at}.message", message, "message must be non-empty if specified"))
        elif message and "\n" in str(message):
            causes.append(invalid(f"{at}.message", message, "message must not contain line breaks"))
        reason = rule.get("reason")
        reasons = ("FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired")
        if reason is not None and reason not in reasons:
            causes.append(unsupported(f"{at}.reason", reason, reasons))
    return causes
