"""Definitions for the documents: those a group reaches, in the words of OpenAPI 3 or 2.

The schema ktui carries is in the words of version 2; version 3 spells references, IntOrString and quantities
differently. Lists of kinds that have no definition of their own get one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from ktui.engine.api.declaration import Declaration
from ktui.engine.api.schema import INT_OR_STRING, OBJECT_META, QUANTITY, Definition, Schema, reference
from ktui.kube.resource import Object

_LIST_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta"
_NUMBERS_TOO: Mapping[str, str] = {INT_OR_STRING: "integer", QUANTITY: "number"}


def list_name(declaration: Declaration) -> str:
    """The definition of a kind's list."""
    return f"{declaration.schema}List"


def with_lists(schema: Schema, declarations: Iterable[Declaration]) -> dict[str, Definition]:
    """All definitions, with those of custom kinds, and one for each list."""
    found = dict(schema.definitions)
    for declaration in declarations:
        if declaration.custom is not None:
            found[declaration.schema] = _custom_definition(declaration, declaration.custom.openapi)
        name = list_name(declaration)
        if name not in found:
            found[name] = _list_definition(declaration)
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


def _custom_definition(declaration: Declaration, declared: Definition) -> Definition:
    """A custom kind's schema with what every object has."""
    resource = declaration.resource
    properties: dict[str, Definition] = declared.get("properties") or {}
    return {
        "type": "object",
        **declared,
        "properties": {
            **properties,
            "apiVersion": {"type": "string", "description": "The version of the schema."},
            "kind": {"type": "string", "description": "What the object is."},
            "metadata": {"$ref": f"#/definitions/{OBJECT_META}"},
        },
        "x-kubernetes-group-version-kind": [
            {"group": resource.group, "version": resource.version, "kind": resource.kind}
        ],
    }


def _list_definition(declaration: Declaration) -> Definition:
    resource = declaration.resource
    kind = f"{resource.kind}List"
    return {
        "description": f"{kind} is a list of {resource.kind}.",
        "type": "object",
        "required": ["items"],
        "properties": {
            "apiVersion": {"type": "string", "description": "The version of the schema."},
            "items": {"type": "array", "items": {"$ref": f"#/definitions/{declaration.schema}"}},
            "kind": {"type": "string", "description": "What the object is."},
            "metadata": {"$ref": f"#/definitions/{_LIST_META}"},
        },
        "x-kubernetes-group-version-kind": [
            {"group": resource.group, "version": resource.version, "kind": kind}
        ],
    }
