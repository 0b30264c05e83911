"""`x-kubernetes-validations`: CEL rules of a structural schema, evaluated on sound objects.

Rules on `self` run at every write, rules that name `oldSelf` at updates where the old value can be told. A rule
that fails to evaluate counts as violated, as in kube-apiserver. Field names that CEL can't spell are escaped
(`x-y` is `x__dash__y`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, cast

from ktui.engine.api.cel import programs as cel
from ktui.engine.api.crd.structural import Node
from ktui.kube.errors import Cause
from ktui.kube.resource import Object

_NAMES: Final = ("name", "generateName")
_PREFIXES: Final = {
    "FieldValueRequired": "Required value",
    "FieldValueForbidden": "Forbidden",
    "FieldValueDuplicate": "Duplicate value",
}
UNCHECKED: Final = Cause(
    "<nil>",
    "FieldValueInvalid",
    "Invalid value: null: some validation rules were not checked because the object was invalid; correct the "
    "existing errors to complete validation",
)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, compiled."""

    program: cel.Program
    source: str
    message: str
    message_program: cel.Program | None
    reason: str
    field_path: str
    is_transition: bool
    is_optional: bool
    """It also runs when there is no old value; `oldSelf` is an optional."""


def compiled(node: Node) -> list[Rule]:
    """The rules of a node; raises cel.CelError for one that can't be read."""
    found: list[Rule] = []
    raw: list[Object] = node.raw.get("x-kubernetes-validations") or []
    for rule in raw:
        source = str(rule.get("rule") or "")
        expression: str = rule.get("messageExpression") or ""
        found.append(
            Rule(
                cel.compiled(source),
                source,
                rule.get("message") or "",
                cel.compiled(expression) if expression else None,
                rule.get("reason") or "FieldValueInvalid",
                rule.get("fieldPath") or "",
                "oldSelf" in source,
                bool(rule.get("optionalOldSelf")),
            )
        )
    return found


def has_rules(node: Node) -> bool:
    """Whether there is anything to evaluate."""
    return bool(node.raw.get("x-kubernetes-validations")) or any(
        has_rules(child) for child in _children(node)
    )


def _children(node: Node) -> Iterator[Node]:
    yield from node.properties.values()
    if node.values is not None:
        yield node.values
    if node.items is not None:
        yield node.items


class Rules:
    """All rules of a schema, compiled when first asked."""

    def __init__(self, root: Node) -> None:
        self._root = root
        self._compiled: dict[int, list[Rule]] = {}
        self._is_needed = {id(node) for node in _nodes(root) if has_rules(node)}

    def __bool__(self) -> bool:
        return bool(self._is_needed)

    def check(self, obj: Object, old: Object | None = None) -> list[Cause]:
        """Every violated rule."""
        if id(self._root) not in self._is_needed:
            return []
        return list(self._check(self._root, obj, old, "", is_object=True))

    def _check(
        self, node: Node, value: Any, old: Any, path: str, *, is_object: bool = False
    ) -> Iterator[Cause]:
        if value is None or id(node) not in self._is_needed:
            return
        rules = self._compiled.get(id(node))
        if rules is None:
            rules = self._compiled[id(node)] = compiled(node)
        for rule in rules:
            if not rule.is_transition or old is not None or rule.is_optional:
                yield from _violated(rule, node, value, old, path, is_object=is_object)
        match value:
            case dict():
                fields = cast("Object", value)
                before = cast("Object", old) if isinstance(old, dict) else {}
                for name, inner in fields.items():
                    child = node.child(name)
                    if child is not None:
                        at = f"{path}.{name}" if path else name
                        yield from self._check(child, inner, before.get(name), at)
            case list() if node.items is not None:
                find = _finder(node, old)
                for index, item in enumerate(cast("list[Any]", value)):
                    yield from self._check(node.items, item, find(item), f"{path}[{index}]")
            case _:
                return


def _nodes(node: Node) -> Iterator[Node]:
    yield node
    for child in _children(node):
        yield from _nodes(child)


def _finder(node: Node, old: Any) -> Callable[[Any], Any]:
    """How to find an item's old value: only lists that are maps can tell."""
    if node.list_type != "map" or not isinstance(old, list):
        return lambda item: None
    keys = node.keys
    known = {tuple(item.get(key) for key in keys): item for item in cast("list[Object]", old)}
    return lambda item: known.get(tuple(item.get(key) for key in keys))


def _violated(rule: Rule, node: Node, value: Any, old: Any, path: str, *, is_object: bool) -> Iterator[Cause]:
    variables: Object = {"self": seen(node, value, is_object=is_object)}
    if rule.is_transition:
        before = None if old is None else seen(node, old, is_object=is_object)
        variables["oldSelf"] = cel.optional(before) if rule.is_optional else before
    at = (path + rule.field_path).lstrip(".") if rule.field_path else path
    try:
        result = rule.program(variables)
    except cel.CelError as error:
        yield _cause(rule, node, at, f"rule evaluation error: {error}")
        return
    if result is not True:
        yield _cause(rule, node, at, _message(rule, variables))


def _message(rule: Rule, variables: Object) -> str:
    if rule.message_program is not None:
        try:
            text = rule.message_program(variables)
        except cel.CelError:
            text = None
        if isinstance(text, str) and text.strip() and "\n" not in text:
            return text.strip()
    return rule.message or f"failed rule: {rule.source}"


def _cause(rule: Rule, node: Node, path: str, message: str) -> Cause:
    shown = node.type or "object"
    prefix = _PREFIXES.get(rule.reason, f'Invalid value: "{shown}"')
    if rule.reason == "FieldValueDuplicate":
        return Cause(path, rule.reason, f'{prefix}: "{shown}"')
    return Cause(path or "<nil>", rule.reason, f"{prefix}: {message}")


def seen(node: Node | None, value: Any, *, is_object: bool = False) -> Any:
    """A value as CEL sees it: names escaped, dates and durations as such, of metadata only the names."""
    if node is None:
        return value
    match value:
        case dict():
            fields = cast("Object", value)
            found: Object = {}
            for name, inner in fields.items():
                if name == "metadata" and (is_object or node.is_embedded):
                    found[name] = {key: inner[key] for key in _NAMES if key in inner}
                elif name in ("apiVersion", "kind") and (is_object or node.is_embedded):
                    found[name] = inner
                elif name in node.properties:
                    if inner is not None or node.properties[name].is_nullable:
                        found[cel.escaped(name)] = seen(node.properties[name], inner)
                elif node.values is not None or node.is_open:
                    found[name] = seen(node.values, inner)
            return found
        case list():
            return [seen(node.items, item) for item in cast("list[Any]", value)]
        case str() if node.type == "string":
            return cel.formatted(value, node.raw.get("format") or "")
        case float() if node.type == "integer":
            return int(value)
        case int() if node.type == "number":
            return float(value)
        case _:
            return value
