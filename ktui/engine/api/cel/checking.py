"""Finds what is certainly wrong in an expression: unknown names and fields, operators on types they don't take.

In: an expression and the types of its variables. Out: its type, and every problem as kube-apiserver's compiler
words it, with the place in the expression.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from ktui.engine.api.cel.cost import COMPREHENSIONS
from ktui.engine.api.cel.functions import FUNCTIONS as KUBERNETES
from ktui.engine.api.cel.parsing import (
    Call,
    Ident,
    Index,
    ListOf,
    Literal,
    MapOf,
    Node,
    ParseError,
    Select,
    StructOf,
    parse,
)
from ktui.engine.api.cel.signatures import BUILT_IN, FUNCTIONS, METHODS, OPERATORS, TYPE_NAMES, Overload
from ktui.engine.api.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DYN,
    INT,
    JSON_PATCH,
    NULL,
    PATCH_TYPES,
    STRING,
    TYPE,
    UINT,
    ListType,
    MapType,
    Optional,
    Struct,
    Type,
    fits,
    joined,
)

_LITERALS: Final[Mapping[str, Type]] = {
    "int": INT,
    "uint": UINT,
    "double": DOUBLE,
    "string": STRING,
    "bytes": BYTES,
    "bool": BOOL,
    "null": NULL,
}
_MORE: Final = frozenset(
    ("allowed", "reason", "errored", "error", "check", "path", "serviceAccount", "group")
)
_BUILDERS: Final = frozenset(
    ("resource", "subresource", "namespace", "name", "fieldSelector", "labelSelector")
)


@dataclass(slots=True)
class Checked:
    """An expression's type, and what is wrong with it."""

    type: Type = DYN
    problems: list[str] = field(default_factory=list[str])

    def __str__(self) -> str:
        return "\n".join(self.problems)


def check(expression: str, variables: Mapping[str, Type]) -> Checked:
    """Check an expression; one that this parser can't read passes: the library has the last word on it."""
    try:
        tree = parse(expression)
    except ParseError:
        return Checked()
    checker = _Checker(expression)
    found = checker.type_of(tree, variables)
    return Checked(found, checker.problems)


class _Checker:
    """Walks one expression."""

    def __init__(self, expression: str) -> None:
        self._expression = expression
        self.problems: list[str] = []

    def _report(self, at: int, problem: str) -> Type:
        before = self._expression[:at]
        line = before.count("\n")
        column = at - (before.rfind("\n") + 1)
        shown = self._expression.split("\n")[line]
        text = f"ERROR: <input>:{line + 1}:{column + 1}: {problem}\n | {shown}\n | {'.' * column}^"
        if text not in self.problems:
            self.problems.append(text)
        return DYN

    def type_of(self, node: Node, scope: Mapping[str, Type]) -> Type:
        match node:
            case Literal():
                return _LITERALS[node.type]
            case Ident():
                return self._ident(node, scope)
            case Select():
                return self._select(node, scope)
            case Index():
                return self._index(node, scope)
            case ListOf():
                items = enumerate(self.type_of(item, scope) for item in node.items)
                return ListType(_common([_there(each, i in node.optional) for i, each in items]))
            case MapOf():
                keys = [self.type_of(key, scope) for key, _ in node.entries]
                found = enumerate(self.type_of(value, scope) for _, value in node.entries)
                return MapType(
                    _common(keys), _common([_there(each, i in node.optional) for i, each in found])
                )
            case StructOf():
                return self._struct(node, scope)
            case Call():
                return self._call(node, scope)

    def _struct(self, node: StructOf, scope: Mapping[str, Type]) -> Type:
        root = node.name.partition(".")[0]
        if root not in PATCH_TYPES or root not in scope or (root == "JSONPatch" and node.name != root):
            return self._report(node.at, f"undeclared reference to '{node.name}' (in container '')")
        made = JSON_PATCH if root == "JSONPatch" else Struct(node.name, is_open=True)
        for index, (name, value) in enumerate(node.fields):
            given = _there(self.type_of(value, scope), index in node.optional)
            wanted = made.field(name)
            if wanted is None:
                self._report(node.at, f"undefined field '{name}'")
            elif not fits(given, wanted):
                problem = f"expected type of field '{name}' is '{wanted}' but provided type is '{given}'"
                self._report(node.at, problem)
        return made

    def _ident(self, node: Ident, scope: Mapping[str, Type]) -> Type:
        if node.name in scope:
            return scope[node.name]
        if node.name in TYPE_NAMES:
            return TYPE
        return self._report(node.at, f"undeclared reference to '{node.name}' (in container '')")

    def _select(self, node: Select, scope: Mapping[str, Type]) -> Type:
        operand = self.type_of(node.operand, scope)
        was_optional = isinstance(operand, Optional)
        inner = operand.inner if isinstance(operand, Optional) else operand
        found = self._field(inner, node)
        return Optional(found) if was_optional or node.optional else found

    def _field(self, operand: Type, node: Select) -> Type:
        match operand:
            case Struct():
                found = operand.field(node.field)
                return self._report(node.at, f"undefined field '{node.field}'") if found is None else found
            case MapType():
                return operand.value
            case _ if operand in (DYN, TYPE):
                return DYN
            case _:
                return self._report(node.at, f"type '{operand}' does not support field selection")

    def _index(self, node: Index, scope: Mapping[str, Type]) -> Type:
        operand, index = self.type_of(node.operand, scope), self.type_of(node.index, scope)
        was_optional = isinstance(operand, Optional)
        inner = operand.inner if isinstance(operand, Optional) else operand
        match inner:
            case ListType() if fits(index, INT):
                found = inner.item
            case MapType() if fits(index, inner.key):
                found = inner.value
            case _ if inner == DYN or isinstance(inner, Struct):
                found = DYN
            case _:
                return self._mismatch("_[_]", node.at, [operand, index])
        return Optional(found) if was_optional or node.optional else found

    def _mismatch(self, name: str, at: int, types: list[Type], *, is_method: bool = False) -> Type:
        listed = ", ".join(str(each) for each in (types[1:] if is_method else types))
        applied = f"{types[0]}.({listed})" if is_method else f"({listed})"
        return self._report(at, f"found no matching overload for '{name}' applied to '{applied}'")

    def _call(self, node: Call, scope: Mapping[str, Type]) -> Type:
        name, arguments = node.function, node.arguments
        if node.target is not None:
            return self._method(node, node.target, scope)
        if name == "has" and len(arguments) == 1:
            if not isinstance(arguments[0], Select):
                return self._report(node.at, "invalid argument to has() macro")
            self.type_of(arguments[0], scope)
            return BOOL
        types = [self.type_of(argument, scope) for argument in arguments]
        match name:
            case "_==_" | "_!=_":
                return BOOL if fits(*types) else self._mismatch(name, node.at, types)
            case "_?_:_":
                condition, yes, no = types
                if fits(condition, BOOL) and fits(yes, no):
                    return joined(yes, no)
                return self._mismatch(name, node.at, types)
            case "@in":
                return self._in(node, types)
            case _ if name in OPERATORS:
                return self._overloaded(name, node.at, types, OPERATORS[name])
            case _ if name in FUNCTIONS:
                return FUNCTIONS[name]
            case _ if name in KUBERNETES:
                return DYN
            case _:
                return self._report(node.at, f"undeclared reference to '{name}' (in container '')")

    def _in(self, node: Call, types: list[Type]) -> Type:
        item, holder = types
        match holder:
            case ListType(inner) | MapType(inner, _):
                matches = fits(item, inner)
            case _:
                matches = holder == DYN or isinstance(holder, Struct)
        return BOOL if matches else self._mismatch("@in", node.at, types)

    def _overloaded(
        self,
        name: str,
        at: int,
        types: list[Type],
        overloads: Collection[Overload],
        *,
        is_method: bool = False,
    ) -> Type:
        found = [
            result for takes, result in overloads if len(takes) == len(types) and all(map(fits, types, takes))
        ]
        if not found:
            return self._mismatch(name, at, types, is_method=is_method)
        return _common(found)

    def _method(self, node: Call, target: Node, scope: Mapping[str, Type]) -> Type:
        name, arguments = node.function, node.arguments
        if isinstance(target, Ident) and target.name not in scope and target.name in TYPE_NAMES:
            return self._namespaced(node, target.name, scope)
        if name in COMPREHENSIONS and len(arguments) > 1 and isinstance(arguments[0], Ident):
            return self._comprehension(node, target, arguments[0].name, scope)
        operand = self.type_of(target, scope)
        if name in ("optMap", "optFlatMap") and len(arguments) == 2 and isinstance(arguments[0], Ident):
            inner = operand.inner if isinstance(operand, Optional) else DYN
            mapped = self.type_of(arguments[1], {**scope, arguments[0].name: inner})
            return Optional(mapped) if name == "optMap" else mapped
        types = [operand, *(self.type_of(argument, scope) for argument in arguments)]
        if isinstance(operand, Optional) and name in ("value", "orValue"):
            return operand.inner
        if name == "size":
            return INT
        if name in METHODS:
            return self._overloaded(name, node.at, types, METHODS[name], is_method=True)
        if name in KUBERNETES or name in BUILT_IN or name in _MORE or name in _BUILDERS:
            return DYN
        return self._report(node.at, f"undeclared reference to '{name}' (in container '')")

    def _namespaced(self, node: Call, space: str, scope: Mapping[str, Type]) -> Type:
        """`sets.contains(a, b)`, `cel.bind(x, a, b)`, `optional.of(a)`."""
        arguments = node.arguments
        if (space, node.function, len(arguments)) == ("cel", "bind", 3) and isinstance(arguments[0], Ident):
            value = self.type_of(arguments[1], scope)
            return self.type_of(arguments[2], {**scope, arguments[0].name: value})
        types = [self.type_of(argument, scope) for argument in arguments]
        if space == "optional":
            return Optional(types[0] if types else DYN)
        if space == "sets":
            return BOOL
        return DYN

    def _comprehension(self, node: Call, target: Node, variable: str, scope: Mapping[str, Type]) -> Type:
        operand = self.type_of(target, scope)
        match operand:
            case ListType(item):
                inner = item
            case MapType(key, _):
                inner = key
            case _ if operand == DYN or isinstance(operand, Struct):
                inner = DYN
            case _:
                inner = self._report(
                    node.at,
                    f"expression of type '{operand}' cannot be range of a comprehension (must be list, map, or "
                    "dynamic)",
                )
        bodies = [self.type_of(body, {**scope, variable: inner}) for body in node.arguments[1:]]
        tests = bodies if node.function != "map" else bodies[:-1]
        for test in tests:
            if not fits(test, BOOL):
                self._report(node.at, f"expected type 'bool' but found '{test}'")
        match node.function:
            case "map":
                return ListType(bodies[-1])
            case "filter":
                return ListType(inner)
            case _:
                return BOOL


def _there(found: Type, is_optional: bool) -> Type:
    """The type of an entry that may be missing, when it is there."""
    return found.inner if is_optional and isinstance(found, Optional) else found


def _common(types: list[Type]) -> Type:
    """The type of what is of any of these types."""
    if not types:
        return DYN
    found = types[0]
    for each in types[1:]:
        found = joined(found, each)
    return found
