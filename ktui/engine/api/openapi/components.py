"""Definitions for the documents: those a group reaches, in the words of OpenAPI 3 or 2.

The schema ktui carries is in the words of version 2; version 3 spells references, IntOrString and quantities
differently. Lists of kinds that have no definition of their own get one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from ktui.engine.api.declaration import Declaration
from ktui.engine.api.schema import INT_OR_STRING, QUANTITY, Definition, Schema, reference
from ktui.kube.resource import Object

_LIST_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta"
_OPEN = "x-kubernetes-preserve-unknown-fields"
_NUMBERS_TOO: Mapping[str, str] = {INT_OR_STRING: "integer", QUANTITY: "number"}


def list_name(declaration: Declaration) -> str:
    """The definition of a kind's list."""
    return f"{declaration.schema}List"


def with_lists(
    schema: Schema, declarations: Iterable[Declaration], *, version_2: bool = False
) -> dict[str, Definition]:
    """All definitions, with those of custom kinds, and one for each list."""
    found = dict(schema.definitions)
    for declaration in declarations:
        if declaration.custom is not None:
            custom = _custom_definition(schema, declaration, version_2=version_2)
            found[declaration.schema] = custom
        name = list_name(declaration)
        if name not in found:
            found[name] = _list_definition(schema, declaration)
    return found


def reached(definitions: Mapping[str, Definition], roots: Iterable[str]) -> dict[str, Definition]:
    """The definitions that `roots` need, in order of name."""
    found: set[str] = set()
    waiting = [name for name in roots if name in definitions]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [other for other in _references(definitions[name]) if other in definitions]
    return {name: definitions[name] for name in sorted(found)}


def as_version_3(name: str, definition: Definition) -> Object:
    """A definition in the words of OpenAPI 3."""
    if name in _NUMBERS_TOO:
        kept: Object = {key: value for key, value in definition.items() if key not in ("type", "format")}
        kept["oneOf"] = [{"type": "string"}, {"type": _NUMBERS_TOO[name]}]
        if name == INT_OR_STRING:
            kept["format"] = "int-or-string"
        return kept
    return _converted(definition)


def _converted(node: Definition) -> Object:
    target = reference(node)
    if target:
        # A reference may have no neighbours in version 3: what else is said goes around it.
        link: Object = {"$ref": f"#/components/schemas/{target}"}
        others: Object = {key: value for key, value in node.items() if key != "$ref"}
        return {**others, "allOf": [link]} if others else link
    return {key: _value(key, value) for key, value in node.items()}


def _value(key: str, value: Any) -> Any:
    if key == "properties" and isinstance(value, dict):
        return {name: _converted(node) for name, node in cast("dict[str, Definition]", value).items()}
    if key in ("items", "additionalProperties", "not") and isinstance(value, dict):
        return _converted(cast("Definition", value))
    if key in ("allOf", "anyOf", "oneOf") and isinstance(value, list):
        return [_converted(node) for node in cast("list[Definition]", value)]
    return value


def _references(node: Any) -> Iterable[str]:
    if isinstance(node, dict):
        content = cast("Definition", node)
        if target := reference(content):
            yield target
        for value in content.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in cast("list[Any]", node):
            yield from _references(value)


def _custom_definition(schema: Schema, declaration: Declaration, *, version_2: bool) -> Definition:
    """A custom kind's schema with what every object has."""
    assert declaration.custom is not None
    resource, declared = declaration.resource, declaration.custom.openapi
    kind: Definition = {
        "x-kubernetes-group-version-kind": [
            {"group": resource.group, "version": resource.version, "kind": resource.kind}
        ]
    }
    if version_2 and declared.get(_OPEN):
        # Clients of version 2 take any property that is named for the only ones there may be.
        return {"type": "object", **kind}
    every = _every_object(schema)
    node: Definition = {"type": "object", **declared}
    node = _as_version_2(node, every) if version_2 else _with_embedded(node, every)
    return {**node, "properties": {**(node.get("properties") or {}), **every}, **kind}


def _every_object(schema: Schema) -> dict[str, Definition]:
    """The properties that every object has, as a built-in kind says them."""
    properties: dict[str, Definition] = schema.definitions["io.k8s.api.core.v1.Pod"]["properties"]
    return {name: properties[name] for name in ("apiVersion", "kind", "metadata")}


def _with_embedded(node: Definition, every: Mapping[str, Definition]) -> Definition:
    """A node with what objects have, wherever a whole object is embedded."""
    found: Definition = {}
    for key, value in node.items():
        if key == "properties":
            found[key] = {name: _with_embedded(child, every) for name, child in value.items()}
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            found[key] = _with_embedded(cast("Definition", value), every)
        else:
            found[key] = value
    if not node.get("x-kubernetes-embedded-resource"):
        return found
    required: list[str] = node.get("required") or []
    return {
        **found,
        "properties": {**(found.get("properties") or {}), **every},
        "required": list(dict.fromkeys([*required, "apiVersion", "kind"])),
    }


def _as_version_2(node: Definition, every: Mapping[str, Definition]) -> Definition:
    """A node without what clients of version 2 can't cope with: junctors, null, and properties or items where there
    may be others."""
    drop = {"allOf", "anyOf", "oneOf", "not", "nullable"}
    is_open = node.get(_OPEN)
    if is_open or node.get("nullable"):
        drop |= {"properties", "items"}
    kept = {key: value for key, value in node.items() if key not in drop}
    untyped = node.get("nullable") or (is_open and node.get("type") == "object")
    if untyped or (kept.get("type") == "array" and "items" not in kept):
        kept.pop("type", None)
    properties: dict[str, Definition] = kept.get("properties") or {}
    nullable = {name for name, child in properties.items() if child.get("nullable")}
    values = kept.get("additionalProperties")
    if isinstance(values, dict) and cast("Definition", values).get("nullable"):
        kept.pop("required", None)
    if nullable and kept.get("required"):
        required: list[str] = [name for name in kept["required"] if name not in nullable]
        kept = {**kept, "required": required} if required else _without(kept, "required")
    if properties:
        kept["properties"] = {name: _as_version_2(child, every) for name, child in properties.items()}
    for key, value in kept.items():
        if key in ("items", "additionalProperties") and isinstance(value, dict):
            kept[key] = _as_version_2(cast("Definition", value), every)
    if node.get("x-kubernetes-embedded-resource") and not is_open:
        return _with_embedded(kept, every)
    return kept


def _without(node: Definition, key: str) -> Definition:
    return {name: value for name, value in node.items() if name != key}


def _list_definition(schema: Schema, declaration: Declaration) -> Definition:
    resource = declaration.resource
    kind, every = f"{resource.kind}List", _every_object(schema)
    return {
        "description": f"{kind} is a list of {resource.kind}.",
        "type": "object",
        "required": ["items"],
        "properties": {
            "apiVersion": every["apiVersion"],
            "items": {"type": "array", "items": {"$ref": f"#/definitions/{declaration.schema}"}},
            "kind": every["kind"],
            "metadata": {"$ref": f"#/definitions/{_LIST_META}"},
        },
        "x-kubernetes-group-version-kind": [
            {"group": resource.group, "version": resource.version, "kind": kind}
        ],
    }
