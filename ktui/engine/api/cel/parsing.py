"""CEL text as a tree: what the type checker walks, and what is rewritten for the library where it lacks syntax.

In: an expression. Out: nodes that know where they stand in it. The library's own parser has the last word on
what is an expression; this one reads everything Kubernetes documents, and raises `ParseError` for the rest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, TypeAlias


class ParseError(ValueError):
    """Not an expression this parser can read."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant; `type` is int, uint, double, string, bytes, bool or null."""

    type: str
    text: str
    at: int = 0


@dataclass(frozen=True, slots=True)
class Ident:
    """A variable, a type, or a namespace of functions."""

    name: str
    at: int = 0


@dataclass(frozen=True, slots=True)
class Select:
    """`operand.field`, or `operand.?field`."""

    operand: Node
    field: str
    at: int = 0
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Index:
    """`operand[index]`, or `operand[?index]`."""

    operand: Node
    index: Node
    at: int = 0
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A function, a method of `target`, or an operator by CEL's name for it (`_+_`, `!_`, `_?_:_`)."""

    function: str
    arguments: tuple[Node, ...]
    target: Node | None = None
    at: int = 0


@dataclass(frozen=True, slots=True)
class ListOf:
    """`[a, ?b]`."""

    items: tuple[Node, ...]
    at: int = 0
    optional: frozenset[int] = frozenset()
    """The positions of what is an optional, and only there if it has a value."""


@dataclass(frozen=True, slots=True)
class MapOf:
    """`{k: v, ?k: v}`."""

    entries: tuple[tuple[Node, Node], ...]
    at: int = 0
    optional: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class StructOf:
    """`Type{field: v, ?field: v}`."""

    name: str
    fields: tuple[tuple[str, Node], ...]
    at: int = 0
    optional: frozenset[int] = frozenset()


Node: TypeAlias = Literal | Ident | Select | Index | Call | ListOf | MapOf | StructOf

_TOKEN: Final = re.compile(
    r"""
    (?P<space>\s+|//[^\n]*)
  | (?P<double>(?:\d+\.\d+|\.\d+)(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+)
  | (?P<uint>(?:0[xX][0-9a-fA-F]+|\d+)[uU])
  | (?P<int>0[xX][0-9a-fA-F]+|\d+)
  | (?P<string>[rRbB]{0,2}(?:\"\"\"(?:\\.|.)*?\"\"\"|'''(?:\\.|.)*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
  | (?P<ident>[_a-zA-Z][_a-zA-Z0-9]*)
  | (?P<op>\.\?|&&|\|\||<=|>=|==|!=|[-+*/%<>!?:.,()\[\]{}])
    """,
    re.VERBOSE | re.DOTALL,
)
_RELATIONS: Final = ("<", "<=", ">=", ">", "==", "!=", "in")
_DEEPEST: Final = 120


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


def parse(expression: str) -> Node:
    """The tree of an expression; raises ParseError."""
    return _Parser(_tokens(expression)).whole()


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ParseError(f"unexpected {text[position]!r} at {position + 1}")
        if match.lastgroup != "space":
            found.append(_Token(match.lastgroup or "", match.group(), position))
        position = match.end()
    return [*found, _Token("end", "", position)]


class _Parser:
    """Recursive descent, an operator's precedence a method."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._position = 0
        self._depth = 0

    def whole(self) -> Node:
        node = self._expression()
        if self._now.kind != "end":
            raise self._unexpected()
        return node

    @property
    def _now(self) -> _Token:
        return self._tokens[self._position]

    def _take(self) -> _Token:
        token = self._now
        self._position += 1
        return token

    def _takes(self, *texts: str) -> _Token | None:
        token = self._now
        if token.text in texts and (token.kind == "op" or token.text == "in"):
            return self._take()
        return None

    def _expect(self, text: str) -> _Token:
        token = self._takes(text)
        if token is None:
            raise self._unexpected()
        return token

    def _unexpected(self) -> ParseError:
        return ParseError(f"unexpected {self._now.text or 'end'!r} at {self._now.at + 1}")

    def _expression(self) -> Node:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ParseError("too deeply nested")
        condition = self._or()
        if mark := self._takes("?"):
            yes = self._or()
            self._expect(":")
            condition = Call("_?_:_", (condition, yes, self._expression()), at=mark.at)
        self._depth -= 1
        return condition

    def _or(self) -> Node:
        node = self._and()
        while sign := self._takes("||"):
            node = Call("_||_", (node, self._and()), at=sign.at)
        return node

    def _and(self) -> Node:
        node = self._relation()
        while sign := self._takes("&&"):
            node = Call("_&&_", (node, self._relation()), at=sign.at)
        return node

    def _relation(self) -> Node:
        node = self._sum()
        while sign := self._takes(*_RELATIONS):
            name = "@in" if sign.text == "in" else f"_{sign.text}_"
            node = Call(name, (node, self._sum()), at=sign.at)
        return node

    def _sum(self) -> Node:
        node = self._product()
        while sign := self._takes("+", "-"):
            node = Call(f"_{sign.text}_", (node, self._product()), at=sign.at)
        return node

    def _product(self) -> Node:
        node = self._unary()
        while sign := self._takes("*", "/", "%"):
            node = Call(f"_{sign.text}_", (node, self._unary()), at=sign.at)
        return node

    def _unary(self) -> Node:
        signs: list[_Token] = []
        while sign := self._takes("!", "-"):
            signs.append(sign)
        node = self._member()
        for sign in reversed(signs):
            if sign.text == "-" and isinstance(node, Literal) and node.type in ("int", "double"):
                node = Literal(node.type, f"-{node.text}", sign.at)
            else:
                node = Call(f"{sign.text}_", (node,), at=sign.at)
        return node

    def _member(self) -> Node:
        node = self._primary()
        while sign := self._takes(".", ".?", "[", "{"):
            if sign.text == "{":
                node = self._struct(node, sign)
                continue
            if sign.text == "[":
                optional = self._takes("?") is not None
                index = self._expression()
                self._expect("]")
                node = Index(node, index, sign.at, optional)
                continue
            if self._now.kind != "ident":
                raise self._unexpected()
            name = self._take().text
            if sign.text == "." and (opened := self._takes("(")):
                node = Call(name, self._arguments(")"), node, opened.at)
            else:
                node = Select(node, name, sign.at, sign.text == ".?")
        return node

    def _struct(self, named: Node, opened: _Token) -> Node:
        """What stands in braces after the name of a type."""
        name = _type_name(named)
        if not name:
            self._position -= 1
            raise self._unexpected()
        fields: list[tuple[str, Node]] = []
        optional: set[int] = set()
        while not self._takes("}"):
            if self._takes("?"):
                optional.add(len(fields))
            if self._now.kind != "ident":
                raise self._unexpected()
            field = self._take().text
            self._expect(":")
            fields.append((field, self._expression()))
            if not self._takes(","):
                self._expect("}")
                break
        return StructOf(name, tuple(fields), opened.at, frozenset(optional))

    def _list(self, at: int) -> Node:
        found: list[Node] = []
        optional: set[int] = set()
        while not self._takes("]"):
            if self._takes("?"):
                optional.add(len(found))
            found.append(self._expression())
            if not self._takes(","):
                self._expect("]")
                break
        return ListOf(tuple(found), at, frozenset(optional))

    def _arguments(self, end: str) -> tuple[Node, ...]:
        """Expressions up to the closing sign, which is taken."""
        found: list[Node] = []
        while not self._takes(end):
            found.append(self._expression())
            if not self._takes(","):
                self._expect(end)
                break
        return tuple(found)

    def _primary(self) -> Node:
        token = self._take()
        if token.kind in ("int", "uint", "double"):
            return Literal(token.kind, token.text, token.at)
        if token.kind == "string":
            prefix = re.match("[rRbB]*", token.text)
            is_bytes = prefix is not None and "b" in prefix.group().lower()
            return Literal("bytes" if is_bytes else "string", token.text, token.at)
        if token.kind == "ident":
            return self._named(token)
        match token.text if token.kind == "op" else "":
            case "(":
                node = self._expression()
                self._expect(")")
                return node
            case "[":
                return self._list(token.at)
            case "{":
                return self._map(token.at)
            case _:
                self._position -= 1
                raise self._unexpected()

    def _named(self, token: _Token) -> Node:
        if token.text in ("true", "false"):
            return Literal("bool", token.text, token.at)
        if token.text == "null":
            return Literal("null", token.text, token.at)
        if token.text == "in":
            self._position -= 1
            raise self._unexpected()
        if opened := self._takes("("):
            return Call(token.text, self._arguments(")"), at=opened.at)
        return Ident(token.text, token.at)

    def _map(self, at: int) -> Node:
        found: list[tuple[Node, Node]] = []
        optional: set[int] = set()
        while not self._takes("}"):
            if self._takes("?"):
                optional.add(len(found))
            key = self._expression()
            self._expect(":")
            found.append((key, self._expression()))
            if not self._takes(","):
                self._expect("}")
                break
        return MapOf(tuple(found), at, frozenset(optional))


def _type_name(node: Node) -> str:
    """The name that identifiers with dots between them spell, "" for anything else."""
    match node:
        case Ident(name):
            return name
        case Select(operand, field, optional=False) if before := _type_name(operand):
            return f"{before}.{field}"
        case _:
            return ""
