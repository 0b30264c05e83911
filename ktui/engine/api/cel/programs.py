"""CEL, the expression language of Kubernetes' rules: a library's interpreter with Kubernetes' own functions.

The library is loaded when the first expression is compiled: most clusters need none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, Final, cast

from ktui.engine.api.cel.cost import EXCEEDED, is_too_much, nesting
from ktui.engine.api.cel.functions import FUNCTIONS
from ktui.engine.api.cel.lowering import (
    OPTIONAL_ENTRIES,
    OPTIONAL_FIELD,
    OPTIONAL_INDEX,
    OPTIONAL_ITEMS,
    lowered,
)
from ktui.engine.api.cel.parsing import ParseError, parse
from ktui.kube.clock import parse_time
from ktui.kube.resource import Object

_LONGEST: Final = 5 * 1024
RESERVED: Final = frozenset(
    [
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    ]
)
"""Words that are no names."""


class CelError(ValueError):
    """An expression that can't be read or evaluated."""


@lru_cache(maxsize=1)
def _interpreter() -> Any:
    """The library's compiled half alone, in milliseconds: the package would load its command line, half a second."""
    package = find_spec("cel")
    for folder in (package and package.submodule_search_locations) or ():
        for path in Path(folder).glob("cel.*.so"):
            spec = spec_from_file_location("cel.cel", path)
            if spec is not None and spec.loader is not None:
                module = module_from_spec(spec)
                spec.loader.exec_module(module)
                return module
    return import_module("cel")


class Program:
    """An expression, ready to be evaluated."""

    __slots__ = ("called", "compiled", "named", "nesting", "source")

    def __init__(self, source: str, program: Any, depth: int) -> None:
        self.source = source
        self.compiled = program
        self.nesting = depth
        """How deep its comprehensions stand within each other."""
        self.called = frozenset[str](program.functions())
        """The names of the functions it calls, operators among them."""
        self.named = frozenset[str](program.variables())
        """The names of the variables it reads."""

    def __call__(self, variables: Object) -> Any:
        """Its value; raises CelError."""
        return Scope(variables).evaluated(self)


class Scope:
    """Variables and functions for one expression after the other. A variable becomes the interpreter's own value
    once, when it is first read: for a pod that takes longer than most expressions."""

    __slots__ = ("_context", "_functions", "_known", "_variables")

    def __init__(self, variables: Object, functions: Mapping[str, Callable[..., Any]] | None = None) -> None:
        """`functions` are further ones, by name."""
        self._variables = variables
        self._functions = {**_FUNCTIONS, **functions} if functions else _FUNCTIONS
        self._known: set[str] = set()
        self._context: Any = _interpreter().Context()

    def set(self, name: str, value: Any) -> None:
        """Give a variable another value."""
        self._variables = {**self._variables, name: value}
        self._known.discard(name)

    def evaluated(self, program: Program) -> Any:
        """The value of an expression; raises CelError."""
        if program.nesting > 1:
            read = [self._variables[name] for name in program.named & self._variables.keys()]
            if is_too_much(program.nesting, read):
                raise CelError(EXCEEDED)
        try:
            for name in (program.named & self._variables.keys()) - self._known:
                self._context.add_variable(name, self._variables[name])
                self._known.add(name)
            for name in (program.called & self._functions.keys()) - self._known:
                self._context.add_function(name, self._functions[name])
                self._known.add(name)
            return program.compiled.execute(self._context)
        except Exception as error:
            raise CelError(_worded(error)) from error


@lru_cache(maxsize=1024)
def compiled(expression: str) -> Program:
    """An expression as a function of its variables; raises CelError if it can't be read."""
    if len(expression) > _LONGEST:
        raise CelError(f"expression is longer than {_LONGEST} characters")
    try:
        tree = parse(expression)
    except ParseError:
        tree = None
    try:
        text = lowered(expression, tree, _FUNCTIONS) if tree else expression
        return Program(expression, _interpreter().compile(text), nesting(tree) if tree else 0)
    except ValueError as error:
        text = str(error)
        raise CelError(f"compilation failed: {text[max(text.find('ERROR:'), 0) :]}") from error


def _worded(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"no such key: {error.args[0]}"
    return str(error).partition(". Check that")[0]


def optional(value: Any) -> Any:
    """An `optional` of CEL; None is `optional.none()`."""
    cel = _interpreter()
    return cel.OptionalValue.none() if value is None else cel.OptionalValue.of(value)


def _selected(value: Any, key: Any) -> Any:
    """`value.?key` and `value[?key]`: an optional, also of an optional."""
    kind = _interpreter().OptionalValue
    if isinstance(value, kind):
        found: Any = value
        if not found.has_value():
            return found
        value = found.value()
    if isinstance(value, dict):
        fields = cast("Object", value)
        return kind.of(fields[key]) if key in fields else kind.none()
    if isinstance(value, list):
        items = cast("list[Any]", value)
        return kind.of(items[key]) if isinstance(key, int) and 0 <= key < len(items) else kind.none()
    raise ValueError("no such overload")


def _items(items: list[Any]) -> list[Any]:
    """The items of a list without the optional ones that have no value."""
    return [value for flag, item in items for value in _values(flag, item)]


def _entries(entries: list[Any]) -> Object:
    """The entries of a map without the optional ones that have no value."""
    return {key: value for flag, key, item in entries for value in _values(flag, item)}


def _values(is_optional: bool, item: Any) -> list[Any]:
    if not is_optional:
        return [item]
    if not isinstance(item, _interpreter().OptionalValue):
        raise ValueError(f"cannot convert type '{type(item).__name__}' to optional_type")
    return [item.value()] if item.has_value() else []


_FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {
    **FUNCTIONS,
    OPTIONAL_FIELD: _selected,
    OPTIONAL_INDEX: _selected,
    OPTIONAL_ITEMS: _items,
    OPTIONAL_ENTRIES: _entries,
}


@lru_cache(maxsize=4096)
def escaped(name: str) -> str:
    """A field's name as CEL can spell it."""
    if name in RESERVED:
        return f"__{name}__"
    for text, spelled in (("__", "__underscores__"), (".", "__dot__"), ("-", "__dash__"), ("/", "__slash__")):
        name = name.replace(text, spelled) if text == "__" or "__underscores__" not in spelled else name
    return name


def formatted(text: str, name: str) -> Any:
    """A string of a format as the value CEL has for it."""
    if name in ("date-time", "datetime", "date"):
        return parse_time(text if "T" in text else f"{text}T00:00:00Z")
    if name == "duration":
        return _duration(text)
    return text


def _duration(text: str) -> Any:
    seconds = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ns": 1e-9}
    parts = re.findall(r"([\d.]+)(ns|us|µs|μs|ms|s|m|h)", text)
    total = sum(float(number) * seconds[unit] for number, unit in parts)
    return timedelta(seconds=-total if text.startswith("-") else total)
