"""Syntax and macros of Kubernetes' CEL that the library lacks, said with what it has.

`a.?b` and `a[?b]` become functions that give optionals, `cel.bind` and `optMap` a `map` over a list of one, and
functions in a namespace (`sets.contains`) plain functions; objects with a type (`Object.spec{}`) become maps, and
entries and items that may be missing (`{?a: b}`) go through a function that leaves them out. An expression without
any of them stays as it is.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Final

from ktui.engine.api.cel.parsing import (
    Call,
    Ident,
    Index,
    ListOf,
    Literal,
    MapOf,
    Node,
    Select,
    StructOf,
)

OPTIONAL_FIELD: Final = "optSelect"
OPTIONAL_INDEX: Final = "optIndex"
"""The functions that `.?` and `[?` become."""
OPTIONAL_ITEMS: Final = "optItems"
OPTIONAL_ENTRIES: Final = "optEntries"
"""The functions that take `[is optional, item]` and `[is optional, key, value]`."""


def lowered(expression: str, tree: Node, functions: Collection[str]) -> str:
    """The expression as the library reads it; `functions` are the names it can call."""
    printer = _Printer(functions)
    text = printer.shown(tree)
    return text if printer.has_changed else expression


class _Printer:
    """Writes a tree, with every operation in parentheses."""

    def __init__(self, functions: Collection[str]) -> None:
        self._functions = functions
        self.has_changed = False

    def shown(self, node: Node) -> str:
        match node:
            case Literal():
                return node.text
            case Ident():
                return node.name
            case Select():
                operand = self._operand(node.operand)
                if not node.optional:
                    return f"{operand}.{node.field}"
                self.has_changed = True
                return f"{operand}.{OPTIONAL_FIELD}({json.dumps(node.field)})"
            case Index():
                operand, index = self._operand(node.operand), self.shown(node.index)
                if not node.optional:
                    return f"{operand}[{index}]"
                self.has_changed = True
                return f"{operand}.{OPTIONAL_INDEX}({index})"
            case ListOf():
                return self._list(node)
            case MapOf():
                return self._map([(self.shown(key), value) for key, value in node.entries], node.optional)
            case StructOf():
                self.has_changed = True
                return self._map([(json.dumps(name), value) for name, value in node.fields], node.optional)
            case Call():
                return self._call(node)

    def _list(self, node: ListOf) -> str:
        if not node.optional:
            return f"[{self._listed(node.items)}]"
        self.has_changed = True
        items = (f"[{_flag(i in node.optional)}, {self.shown(item)}]" for i, item in enumerate(node.items))
        return f"{OPTIONAL_ITEMS}([{', '.join(items)}])"

    def _map(self, entries: list[tuple[str, Node]], optional: frozenset[int]) -> str:
        if not optional:
            return f"{{{', '.join(f'{key}: {self.shown(value)}' for key, value in entries)}}}"
        self.has_changed = True
        listed = (
            f"[{_flag(index in optional)}, {key}, {self.shown(value)}]"
            for index, (key, value) in enumerate(entries)
        )
        return f"{OPTIONAL_ENTRIES}([{', '.join(listed)}])"

    def _operand(self, node: Node) -> str:
        text = self.shown(node)
        return f"({text})" if isinstance(node, Literal) and node.type != "string" else text

    def _listed(self, nodes: tuple[Node, ...]) -> str:
        return ", ".join(self.shown(node) for node in nodes)

    def _call(self, node: Call) -> str:
        name, arguments = node.function, node.arguments
        if node.target is not None:
            return self._method(name, node.target, arguments)
        if name == "_?_:_":
            condition, yes, no = (self.shown(argument) for argument in arguments)
            return f"({condition} ? {yes} : {no})"
        if name in ("!_", "-_"):
            return f"({name[0]}{self._operand(arguments[0])})"
        if name == "@in" or name.startswith("_"):
            sign = "in" if name == "@in" else name.strip("_")
            left, right = (self.shown(argument) for argument in arguments)
            return f"({left} {sign} {right})"
        return f"{name}({self._listed(arguments)})"

    def _method(self, name: str, target: Node, arguments: tuple[Node, ...]) -> str:
        match target, name, arguments:
            case Ident("cel"), "bind", (variable, value, body):
                self.has_changed = True
                return f"[{self.shown(value)}].map({self.shown(variable)}, {self.shown(body)})[0]"
            case Ident(space), _, _ if f"{space}_{name}" in self._functions:
                self.has_changed = True
                return f"{space}_{name}({self._listed(arguments)})"
            case _, "optMap" | "optFlatMap", (variable, body):
                self.has_changed = True
                found = self.shown(target)
                mapped = f"[{found}.value()].map({self.shown(variable)}, {self.shown(body)})[0]"
                kept = f"optional.of({mapped})" if name == "optMap" else mapped
                return f"({found}.hasValue() ? {kept} : optional.none())"
            case _:
                return f"{self._operand(target)}.{name}({self._listed(arguments)})"


def _flag(value: bool) -> str:
    return "true" if value else "false"
