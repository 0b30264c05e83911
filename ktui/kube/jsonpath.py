"""kubectl's JSONPath templates: `{.items[*].metadata.name}`, ranges, filters, unions, slices, recursion.

A template is text with expressions in braces (https://kubernetes.io/docs/reference/kubectl/jsonpath/). It is
parsed once into small functions from values to values; rendering an object runs them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import msgspec

from ktui.kube.quantity import parse_quantity


class JSONPathError(ValueError):
    """A template that can't be read, or a path that leads nowhere."""


Values: TypeAlias = list[Any]
Step: TypeAlias = Callable[[Values, Any], Values]
"""(values, the range's current root) -> values."""


@dataclass(frozen=True, slots=True)
class _Text:
    text: str


@dataclass(frozen=True, slots=True)
class _Path:
    source: str
    steps: tuple[Step, ...]

    def find(self, root: Any) -> Values:
        values: Values = [root]
        for step in self.steps:
            values = step(values, root)
        return values


@dataclass(frozen=True, slots=True)
class _Range:
    path: _Path
    body: tuple[_Part, ...]


_Part: TypeAlias = _Text | _Path | _Range

_TOKEN = re.compile(
    r"""(?P<recurse>\.\.)
      | \.(?P<name>(?:\\.|[^.\[\]{}\s()*'",:=!<>|&])+)
      | \.?(?P<star>\*)
      | (?P<bracket>\[)
      | (?P<root>[$@])
      | (?P<bare>(?:\\.|[\w-])+)
      | (?P<dot>\.)
    """,
    re.VERBOSE,
)
_FILTER = re.compile(r"^\s*(?P<left>.+?)\s*(?P<operator>==|!=|<=|>=|<|>)\s*(?P<right>.+?)\s*$")


class JSONPath:
    """One parsed template. `allow_missing` (kubectl's default) renders missing keys as nothing."""

    def __init__(self, template: str, *, allow_missing: bool = True) -> None:
        self._allow_missing = allow_missing
        self._parts, rest = self._parse(list(_split(template)), nested=False)
        if rest:
            raise JSONPathError("not in range, nothing to end")

    def render(self, obj: Any) -> str:
        """The text of the template for one object."""
        return "".join(self._render(self._parts, obj))

    def find(self, obj: Any) -> Values:
        """The values of a template that is one expression."""
        paths = [part for part in self._parts if isinstance(part, _Path)]
        return paths[0].find(obj) if paths else []

    def _render(self, parts: Sequence[_Part], obj: Any) -> Iterator[str]:
        for part in parts:
            match part:
                case _Text(text):
                    yield text
                case _Path():
                    yield " ".join(to_text(value) for value in part.find(obj))
                case _Range(path, body):
                    for value in path.find(obj):
                        yield from self._render(body, value)

    def _parse(
        self, tokens: list[tuple[str, str]], *, nested: bool
    ) -> tuple[tuple[_Part, ...], list[tuple[str, str]]]:
        parts: list[_Part] = []
        while tokens:
            kind, text = tokens.pop(0)
            if kind == "text":
                parts.append(_Text(text))
                continue
            expression = text.strip()
            if expression == "end":
                if not nested:
                    raise JSONPathError("not in range, nothing to end")
                return tuple(parts), tokens
            if expression.startswith("range ") or expression == "range":
                body, tokens = self._parse(tokens, nested=True)
                parts.append(_Range(self._path(expression.removeprefix("range").strip()), body))
            elif expression[:1] in "\"'" and expression[:1] == expression[-1:] and len(expression) > 1:
                parts.append(_Text(_unquote(expression)))
            else:
                parts.append(self._path(expression))
        if nested:
            raise JSONPathError("unterminated range: {end} is missing")
        return tuple(parts), []

    def _path(self, source: str) -> _Path:
        if not source:
            raise JSONPathError("empty expression {}")
        steps: list[Step] = []
        position = 0
        while position < len(source):
            match = _TOKEN.match(source, position)
            if match is None:
                raise JSONPathError(f"unrecognized character in action: {source[position:]}")
            position = match.end()
            match match.lastgroup:
                case "recurse":
                    steps.append(_recurse)
                case "name" | "bare":
                    steps.append(_field(re.sub(r"\\(.)", r"\1", match[match.lastgroup]), self._allow_missing))
                case "star":
                    steps.append(_wildcard)
                case "bracket":
                    inside, position = _until_bracket(source, position)
                    steps.append(self._subscript(inside))
                case "root":
                    if match["root"] == "$":
                        steps.append(_root)
                case _:
                    pass
        return _Path(source, tuple(steps))

    def _subscript(self, inside: str) -> Step:
        inside = inside.strip()
        if inside == "*":
            return _wildcard
        if inside.startswith("?"):
            return self._filter(inside[1:].strip())
        if re.fullmatch(r"-?\d+", inside):
            return _index(int(inside), self._allow_missing)
        if re.fullmatch(r"-?\d*:-?\d*(:-?\d*)?", inside):
            bounds = [int(part) if part else None for part in inside.split(":")]
            return _slice(slice(*bounds))
        members = [part.strip() for part in _split_union(inside)]
        if len(members) > 1:
            return _union([self._subscript(member) for member in members])
        if inside[:1] in "\"'" and inside[:1] == inside[-1:] and len(inside) > 1:
            return self._quoted(inside)
        raise JSONPathError(f"invalid array index {inside}")

    def _quoted(self, text: str) -> Step:
        """`['a.b']`: the key `a.b` where there is one, and else the path (kubectl knows only the path)."""
        key = _field(re.sub(r"\\(.)", r"\1", text[1:-1]), self._allow_missing)
        path = self._path(f".{text[1:-1]}")
        if len(path.steps) == 1:
            return key

        def step(values: Values, root: Any) -> Values:
            found: Values = []
            for value in values:
                is_key = isinstance(value, dict) and bool(key([value], root))
                found += key([value], root) if is_key else path.find(value)
            return found

        return step

    def _filter(self, text: str) -> Step:
        if not (text.startswith("(") and text.endswith(")")):
            raise JSONPathError(f"a filter is written ?(…), found ?{text}")
        text = text[1:-1].strip()
        match = _FILTER.match(text)
        if match is None:
            path = self._lenient(text)
            return lambda values, root: [
                item for item in _elements(values) if any(_truthy(v) for v in path.find(item))
            ]
        left, right = self._operand(match["left"]), self._operand(match["right"])
        compare = _COMPARISONS[match["operator"]]
        return lambda values, root: [item for item in _elements(values) if compare(left(item), right(item))]

    def _operand(self, text: str) -> Callable[[Any], Values]:
        if text[:1] in "\"'":
            literal: Any = _unquote(text)
        elif text in ("true", "false"):
            literal = text == "true"
        elif re.fullmatch(r"-?\d+", text):
            literal = int(text)
        elif re.fullmatch(r"-?\d*\.\d+", text):
            literal = float(text)
        else:
            return self._lenient(text).find
        return lambda _: [literal]

    def _lenient(self, text: str) -> _Path:
        """A path in a filter: what an element lacks just does not match."""
        return cast(_Path, JSONPath("{" + text + "}")._parts[0])


def _split(template: str) -> Iterator[tuple[str, str]]:
    """Text and expressions; braces inside quotes belong to the expression."""
    position = 0
    while position < len(template):
        start = template.find("{", position)
        if start < 0:
            yield "text", template[position:]
            return
        if start > position:
            yield "text", template[position:start]
        end, quote = start + 1, ""
        while end < len(template):
            char = template[end]
            if quote:
                if char == "\\":
                    end += 1
                elif char == quote:
                    quote = ""
            elif char in "\"'":
                quote = char
            elif char == "}":
                break
            end += 1
        else:
            raise JSONPathError("unclosed action: } is missing")
        yield "expression", template[start + 1 : end]
        position = end + 1


def _until_bracket(source: str, position: int) -> tuple[str, int]:
    depth, quote, start = 1, "", position
    while position < len(source):
        char = source[position]
        if quote:
            if char == quote:
                quote = ""
        elif char in "\"'":
            quote = char
        elif char == "[":
            depth += 1
        elif char == "]":
            depth -= 1
            if depth == 0:
                return source[start:position], position + 1
        position += 1
    raise JSONPathError("unterminated array: ] is missing")


def _split_union(text: str) -> Iterator[str]:
    start, quote = 0, ""
    for index, char in enumerate(text):
        if quote:
            if char == quote:
                quote = ""
        elif char in "\"'":
            quote = char
        elif char == ",":
            yield text[start:index]
            start = index + 1
    yield text[start:]


_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'"}


def _unquote(text: str) -> str:
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[0]), text[1:-1])


def _root(values: Values, root: Any) -> Values:
    return [root]


def _elements(values: Values) -> Iterator[Any]:
    for value in values:
        if isinstance(value, dict):
            yield from cast(dict[str, Any], value).values()
        elif isinstance(value, list):
            yield from cast(list[Any], value)


def _wildcard(values: Values, root: Any) -> Values:
    return list(_elements(values))


def _recurse(values: Values, root: Any) -> Values:
    found: Values = []
    for value in values:
        if isinstance(value, (dict, list)):
            found.append(value)
            found.extend(_recurse(list(_elements([value])), root))
    return found


def _field(name: str, allow_missing: bool) -> Step:
    def step(values: Values, root: Any) -> Values:
        found: Values = []
        for value in values:
            if isinstance(value, dict) and name in value:
                found.append(value[name])
            elif not allow_missing and not isinstance(value, list):
                raise JSONPathError(f"{name} is not found")
        return found

    return step


def _index(index: int, allow_missing: bool) -> Step:
    def step(values: Values, root: Any) -> Values:
        found: Values = []
        for value in values:
            if not isinstance(value, list):
                continue
            items = cast(list[Any], value)
            if -len(items) <= index < len(items):
                found.append(items[index])
            elif not allow_missing:
                raise JSONPathError(f"array index out of bounds: index {index}, length {len(items)}")
        return found

    return step


def _slice(bounds: slice) -> Step:
    def step(values: Values, root: Any) -> Values:
        return [
            item for value in values if isinstance(value, list) for item in cast(list[Any], value)[bounds]
        ]

    return step


def _union(steps: Sequence[Step]) -> Step:
    return lambda values, root: [item for step in steps for item in step(values, root)]


def _truthy(value: Any) -> bool:
    return value not in (None, False, "", 0)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Values, Values], bool]:
    def both(left: Values, right: Values) -> bool:
        if len(left) != 1 or len(right) != 1:
            return False
        a, b = left[0], right[0]
        if isinstance(a, str) != isinstance(b, str):
            try:
                a, b = parse_quantity(str(a)), parse_quantity(str(b))
            except ValueError:
                return False
        try:
            return compare(a, b)
        except TypeError:
            return False

    return both


_COMPARISONS: dict[str, Callable[[Values, Values], bool]] = {
    "==": lambda left, right: len(left) == 1 and left == right,
    "!=": lambda left, right: left != right,
    "<": _ordered(lambda a, b: a < b),
    "<=": _ordered(lambda a, b: a <= b),
    ">": _ordered(lambda a, b: a > b),
    ">=": _ordered(lambda a, b: a >= b),
}


def to_text(value: Any) -> str:
    """A value as kubectl prints it: strings bare, objects and lists as JSON."""
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case float() if value.is_integer() and abs(value) < 1e21:
            return str(int(value))
        case int() | float():
            return str(value)
        case _:
            return msgspec.json.encode(value, order="sorted").decode()
