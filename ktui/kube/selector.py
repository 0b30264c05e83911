"""Label and field selectors: parsed from a query or an object's `selector`, matched against labels or fields.

Syntax, semantics and messages are apimachinery's (`labels` and `fields`): a missing key satisfies `!=`,
`notin` and `!key`; an empty LabelSelector matches everything and a missing one nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, cast

from ktui.kube import names

Labels = Mapping[str, str]

_SET_OPERATORS: Final = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}
_token = re.compile(r"\s*(!=|==|[=!(),<>]|[^\s=!(),<>]+)\s*|\s+").match


class SelectorError(ValueError):
    """A selector that cannot be read; the message is kube-apiserver's."""


class Requirement(NamedTuple):
    """One term: `operator` is one of `=`, `==`, `!=`, `in`, `notin`, `exists`, `!`, `gt`, `lt`."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Labels) -> bool:
        value = labels.get(self.key)
        match self.operator:
            case "=" | "==" | "in":
                return value is not None and value in self.values
            case "!=" | "notin":
                return value is None or value not in self.values
            case "exists":
                return value is not None
            case "!":
                return value is None
            case _:
                return _compare(value, self.operator, self.values[0])

    def __str__(self) -> str:
        match self.operator:
            case "exists":
                return self.key
            case "!":
                return f"!{self.key}"
            case "in" | "notin":
                return f"{self.key} {self.operator} ({','.join(sorted(self.values))})"
            case "gt" | "lt":
                return f"{self.key}{'>' if self.operator == 'gt' else '<'}{self.values[0]}"
            case operator:
                return f"{self.key}{operator}{self.values[0]}"


def _compare(value: str | None, operator: str, limit: str) -> bool:
    try:
        number = int(value or "")
    except ValueError:
        return False
    return number > int(limit) if operator == "gt" else number < int(limit)


@dataclass(frozen=True, slots=True)
class Selector:
    """All requirements must hold. `nothing` matches no labels at all (a null LabelSelector)."""

    requirements: tuple[Requirement, ...] = ()
    nothing: bool = False

    def matches(self, labels: Labels | None) -> bool:
        if self.nothing:
            return False
        found = labels or {}
        return all(requirement.matches(found) for requirement in self.requirements)

    @property
    def empty(self) -> bool:
        """Matches everything."""
        return not self.nothing and not self.requirements

    def __str__(self) -> str:
        return ",".join(str(requirement) for requirement in self.requirements)

    @classmethod
    def parse(cls, text: str) -> Selector:
        """Read a label selector query (`app=web,tier in (a, b),!legacy`). Raises SelectorError."""
        return cls(_sorted(_Parser(text).requirements())) if text.strip() else EVERYTHING

    @classmethod
    def of_labels(cls, labels: Labels | None) -> Selector:
        """Every label with its value (`spec.selector` of services and replication controllers)."""
        return cls(_sorted(Requirement(key, "=", (value,)) for key, value in (labels or {}).items()))

    @classmethod
    def of(cls, selector: Any) -> Selector:
        """A LabelSelector, as JSON data or typed (`lightkube.models.meta_v1`). Raises SelectorError."""
        if selector is None:
            return NOTHING
        labels = cast("Labels", _field(selector, "matchLabels") or {})
        found = [Requirement(key, "=", (value,)) for key, value in labels.items()]
        for expression in cast("list[Any]", _field(selector, "matchExpressions") or ()):
            operator = str(_field(expression, "operator"))
            if operator not in _SET_OPERATORS:
                raise SelectorError(f'"{operator}" is not a valid label selector operator')
            values = tuple(cast("list[str]", _field(expression, "values") or ()))
            found.append(Requirement(str(_field(expression, "key")), _SET_OPERATORS[operator], values))
        return cls(_sorted(found))


EVERYTHING: Final = Selector()
NOTHING: Final = Selector(nothing=True)


def _field(thing: Any, name: str) -> Any:
    return cast("Mapping[str, Any]", thing).get(name) if isinstance(thing, Mapping) else getattr(thing, name)


def _sorted(requirements: Iterable[Requirement]) -> tuple[Requirement, ...]:
    return tuple(sorted(requirements, key=lambda requirement: requirement.key))


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = _tokens(text)
        self.position = 0

    def fail(self, problem: str) -> SelectorError:
        return SelectorError(f"unable to parse requirement: {problem}")

    @property
    def peek(self) -> str:
        return self.tokens[self.position] if self.position < len(self.tokens) else ""

    def take(self) -> str:
        token = self.peek
        self.position += 1
        return token

    def requirements(self) -> list[Requirement]:
        found: list[Requirement] = []
        while True:
            found.append(self.requirement())
            token = self.take()
            if not token:
                return found
            if token != ",":
                raise self.fail(f"found '{token}', expected: ',' or 'end of string'")
            if not self.peek or self.peek in _PUNCTUATION - {"!"}:
                raise self.fail(f"found '{self.peek}', expected: identifier after ','")

    def requirement(self) -> Requirement:
        negated = self.peek == "!"
        if negated:
            self.take()
        key = self.take()
        if not key or key in _PUNCTUATION:
            raise self.fail(f"found '{key}', expected: identifier")
        _check(names.qualified_name(key), "key", key)
        if negated:
            return Requirement(key, "!")
        if self.peek in ("", ","):
            return Requirement(key, "exists")
        operator = self.take()
        match operator:
            case "in" | "notin":
                values = self.set_values()
            case "=" | "==" | "!=":
                values = (self.value(),)
            case ">" | "<":
                values = (self.value(),)
                if not re.fullmatch(r"[+-]?[0-9]+", values[0], re.ASCII):
                    raise self.fail("for 'Gt', 'Lt' operators, the value must be an integer")
                return Requirement(key, "gt" if operator == ">" else "lt", values)
            case _:
                raise self.fail(f"found '{operator}', expected: '=', '!=', '==', 'in', notin'")
        for value in values:
            _check(names.label_value(value), f"values[0][{key}]", value)
        return Requirement(key, operator, values)

    def value(self) -> str:
        if self.peek in ("", ","):
            return ""
        token = self.take()
        if token in _PUNCTUATION:
            raise self.fail(f"found '{token}', expected: identifier")
        return token

    def set_values(self) -> tuple[str, ...]:
        token = self.take()
        if token != "(":
            raise self.fail(f"found '{token}' expected: '('")
        values: list[str] = []
        if self.peek == ")":
            self.take()
            return ("",)
        while True:
            values.append("" if self.peek in (",", ")") else self.value())
            token = self.take()
            if token == ")":
                return tuple(dict.fromkeys(values))
            if token != ",":
                raise self.fail(f"found '{token}', expected: ',', ')' or identifier")


_PUNCTUATION: Final = frozenset({"=", "==", "!=", "!", "(", ")", ",", "<", ">"})


def _tokens(text: str) -> list[str]:
    found: list[str] = []
    position = 0
    while position < len(text):
        match = _token(text, position)
        assert match is not None, "every character is white space, punctuation or part of a word"
        if match.group(1):
            found.append(match.group(1))
        position = match.end()
    return found


def _check(problems: list[str], what: str, text: str) -> None:
    if problems:
        raise SelectorError(
            f'unable to parse requirement: {what}: Invalid value: "{text}": {"; ".join(problems)}'
        )


class FieldRequirement(NamedTuple):
    """One term of a field selector: `operator` is `=` or `!=`."""

    field: str
    operator: str
    value: str


@dataclass(frozen=True, slots=True)
class FieldSelector:
    """A query on fields: `status.phase=Running,spec.nodeName!=`."""

    requirements: tuple[FieldRequirement, ...] = ()

    def matches(self, value_of: Callable[[str], str]) -> bool:
        """`value_of` gives a field's value, "" for a missing one."""
        return all(
            (value_of(requirement.field) == requirement.value) == (requirement.operator == "=")
            for requirement in self.requirements
        )

    @property
    def empty(self) -> bool:
        return not self.requirements

    def exact(self, field: str) -> str | None:
        """The value `field` is required to have, if any: lets a list by name become a get."""
        for requirement in self.requirements:
            if requirement.field == field and requirement.operator == "=":
                return requirement.value
        return None

    def __str__(self) -> str:
        return ",".join(
            f"{requirement.field}{requirement.operator}{_escaped(requirement.value)}"
            for requirement in self.requirements
        )

    @classmethod
    def parse(cls, text: str) -> FieldSelector:
        """Read a field selector query. Raises SelectorError."""
        return cls(tuple(_field_term(text, part) for part in _split(text) if part))


def _field_term(text: str, part: str) -> FieldRequirement:
    match = re.match(r"([^=!]*)(!=|==|=)(.*)", part, re.DOTALL)
    if match is None:
        raise SelectorError(f"invalid selector: '{text}'; can't understand '{part}'")
    field, operator, value = match.groups()
    return FieldRequirement(field, "!=" if operator == "!=" else "=", _unescaped(value))


def _split(text: str) -> list[str]:
    return re.findall(r"(?:\\.|[^,\\]|\\$)+", text, re.DOTALL)


def _unescaped(value: str) -> str:
    if re.search(r"(?:^|[^\\])(?:\\\\)*\\(?:[^,=\\]|$)", value):
        raise SelectorError(f"invalid field selector: invalid escape sequence: {value}")
    if re.search(r"=", re.sub(r"\\.", "", value)):
        raise SelectorError("invalid field selector: unescaped character in value: =")
    return re.sub(r"\\(.)", r"\1", value)


def _escaped(value: str) -> str:
    return re.sub(r"([\\,=])", r"\\\1", value)
