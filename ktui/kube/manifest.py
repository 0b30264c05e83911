"""Reading manifests: YAML or JSON text to objects, with the line and column of every field.

One pass over libyaml's events builds the data and a tree of positions beside it. Scalars become what kubectl
would send (go-yaml's rules): `yes` and `on` are booleans, `0644` is octal, `1:30` and dates stay strings.
Where YAML would let a mistake pass (duplicate keys) or do harm (alias bombs, endless nesting) it is an error
that says where.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

import yaml

from ktui.kube.resource import Object

MAX_BYTES = 16 * 1024 * 1024
MAX_DEPTH = 100
MAX_NODES = 1_000_000
"""Values in one file with every alias expanded."""


class Position(NamedTuple):
    """Line and column, both counted from 1."""

    line: int
    column: int


START = Position(1, 1)


class ManifestError(Exception):
    """Text that is no manifest: what is wrong, where, and under which field path ("" at the top)."""

    def __init__(self, message: str, position: Position = START, path: str = "") -> None:
        self.message = message
        self.position = position
        self.path = path
        super().__init__(
            f"{position.line}:{position.column}: {path}: {message}"
            if path
            else f"{position.line}:{position.column}: {message}"
        )


@dataclass(slots=True)
class Node:
    """Where a value stands: its key (or itself in a list), the value, and what is in it."""

    position: Position
    value_position: Position
    children: dict[str | int, Node] = field(default_factory=dict["str | int", "Node"])
    size: int = 1


@dataclass(frozen=True, slots=True)
class Document:
    """One object of a file and the positions of its fields."""

    object: Object
    root: Node

    @property
    def position(self) -> Position:
        return self.root.position

    def locate(self, path: str) -> Position:
        """The position of an API field path (`spec.containers[0].image`), or of its nearest known ancestor."""
        node = self.root
        for part in split_path(path):
            child = node.children.get(part)
            if child is None and isinstance(part, int):
                child = node.children.get(str(part))
            if child is None:
                break
            node = child
        return node.position


_PATH_PART = re.compile(r"\.?([^.\[\]]+)|\[([^\]]*)\]")


def split_path(path: str) -> Iterator[str | int]:
    """The parts of a field path as kube-apiserver writes it: names, `[3]` indices, `[key]` map keys."""
    for match in _PATH_PART.finditer(path):
        name, bracketed = match.groups()
        if name is not None:
            yield name
        elif bracketed.isdigit():
            yield int(bracketed)
        else:
            yield bracketed.strip('"')


@dataclass(frozen=True, slots=True)
class DuplicateKey:
    """A key that is given once more."""

    key: str
    position: Position


def parse(
    data: bytes, *, is_json: bool = False, duplicates: list[DuplicateKey] | None = None
) -> list[Document]:
    """All objects in a file, `List` kinds unfolded, empty documents left out. Raises ManifestError, also for keys
    given twice, unless YAML's are to be put into `duplicates`: then the last one counts."""
    if len(data) > MAX_BYTES:
        raise ManifestError(
            f"the file is larger than the {MAX_BYTES // (1024 * 1024)} MiB a manifest may have"
        )
    if b"\0" in data[:4096] and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ManifestError("this is a binary file, not YAML or JSON text")
    documents = _parse_json(data) if is_json else _parse_yaml(data, duplicates)
    return [item for document in documents for item in _unfold(document)]


def _parse_yaml(data: bytes, duplicates: list[DuplicateKey] | None = None) -> list[Document]:
    builder = _Builder(duplicates)
    try:
        events = cast(Iterator[Any], yaml.parse(data, Loader=yaml.CSafeLoader))  # pyright: ignore[reportUnknownMemberType] - untyped in PyYAML's stubs
        return list(builder.documents(events))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        position = Position(mark.line + 1, mark.column + 1) if mark else START
        text = error.problem or "not valid YAML"
        if error.context:
            text = f"{text} {error.context}"
        if mark and _is_indented_with_tabs(data, mark.line):
            text += " (YAML is indented with spaces, never tabs)"
        raise ManifestError(text, position) from None
    except yaml.reader.ReaderError as error:
        line = data[: error.position].count(b"\n") + 1
        raise ManifestError(f"not text in UTF-8: {error.reason}", Position(line, 1)) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ManifestError(f"not valid YAML: {error}") from None


def _is_indented_with_tabs(data: bytes, line: int) -> bool:
    lines = data.split(b"\n", line + 1)
    text = lines[line] if line < len(lines) else b""
    return b"\t" in text[: len(text) - len(text.lstrip())]


def _parse_json(data: bytes) -> list[Document]:
    """JSON by the JSON parser; positions come from reading the same text as YAML, where it can be."""
    try:
        value = json.loads(
            data.decode("utf-8-sig"),
            object_pairs_hook=_unique_keys,
            parse_int=_json_number,
            parse_float=_json_number,
            parse_constant=_json_number,
        )
    except UnicodeDecodeError as error:
        raise ManifestError(f"not text in UTF-8: {error.reason}") from None
    except json.JSONDecodeError as error:
        raise ManifestError(error.msg, Position(error.lineno, error.colno)) from None
    except RecursionError:
        raise ManifestError(f"nested more than {MAX_DEPTH} levels deep") from None
    try:
        root = _parse_yaml(data)[0].root
    except (ManifestError, IndexError):
        root = Node(START, START)
    if not isinstance(value, dict):
        raise ManifestError(f"expected an object, found {_type_name(value)}", root.value_position)
    return [Document(_as_go_reads(cast(Object, value), 0), root)]


def _json_number(text: str) -> int | float:
    value = _integer(text, 10) if text.lstrip("-").isdigit() else float(text)
    if not math.isfinite(value):
        raise ManifestError(f"{text[:40]} is not a number JSON can hold")
    return value


def _as_go_reads(value: Any, depth: int) -> Any:
    """The value with halves of surrogate pairs replaced, as Go's decoder does; too deep a nesting is refused."""
    if depth > MAX_DEPTH:
        raise ManifestError(f"nested more than {MAX_DEPTH} levels deep")
    match value:
        case str():
            return value if value.isascii() else value.encode("utf-8", "replace").decode()
        case dict():
            pairs = cast(Object, value).items()
            return {_as_go_reads(key, depth): _as_go_reads(item, depth + 1) for key, item in pairs}
        case list():
            return [_as_go_reads(item, depth + 1) for item in cast(list[Any], value)]
        case _:
            return value


def _unique_keys(pairs: list[tuple[str, Any]]) -> Object:
    result = dict(pairs)
    if len(result) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ManifestError(f'duplicate key "{twice}"', path=twice)
    return result


def _unfold(document: Document) -> Iterator[Document]:
    obj = document.object
    kind = obj.get("kind")
    if not (isinstance(kind, str) and kind.endswith("List") and isinstance(obj.get("items"), list)):
        yield document
        return
    items = document.root.children.get("items", document.root)
    for index, item in enumerate(cast(list[Any], obj["items"])):
        node = items.children.get(index, items)
        if not isinstance(item, dict):
            raise ManifestError(
                f"expected an object, found {_type_name(item)}", node.value_position, f"items[{index}]"
            )
        element = cast(Object, item)
        if kind != "List" and "kind" not in element:
            element = {"apiVersion": obj.get("apiVersion"), "kind": kind.removesuffix("List"), **element}
        yield from _unfold(Document(element, node))


def _type_name(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "a boolean"
        case str():
            return "a string"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case _:
            return "an object"


class _Builder:
    """Builds data and positions from parser events, one document at a time."""

    def __init__(self, duplicates: list[DuplicateKey] | None) -> None:
        self._duplicates = duplicates
        self._anchors: dict[str, tuple[Any, Node]] = {}
        self._nodes = 0

    def documents(self, events: Iterator[Any]) -> Iterator[Document]:
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                self._anchors.clear()
                value, node = self._value(next(events), events, 0, "")
                if isinstance(value, dict):
                    yield Document(cast(Object, value), node)
                elif value is not None:
                    raise ManifestError(
                        f"expected an object with apiVersion and kind, found {_type_name(value)}",
                        node.value_position,
                    )

    def _value(self, event: Any, events: Iterator[Any], depth: int, path: str) -> tuple[Any, Node]:
        position = Position(event.start_mark.line + 1, event.start_mark.column + 1)
        if depth > MAX_DEPTH:
            raise ManifestError(f"nested more than {MAX_DEPTH} levels deep", position, path)
        node = Node(position, position)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, position, path)
        if isinstance(event, yaml.ScalarEvent):
            value = _scalar(event, position, path)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._sequence(events, node, depth, path)
        else:
            value = self._mapping(events, node, depth, path)
        self._count(1, position, path)
        if event.anchor:
            self._anchors[event.anchor] = (value, node)
        return value, node

    def _alias(self, event: Any, position: Position, path: str) -> tuple[Any, Node]:
        known = self._anchors.get(event.anchor)
        if known is None:
            raise ManifestError(f"unknown anchor *{event.anchor}", position, path)
        value, target = known
        self._count(target.size, position, path)
        return value, Node(position, position, target.children, target.size)

    def _sequence(self, events: Iterator[Any], node: Node, depth: int, path: str) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            value, child = self._value(event, events, depth + 1, f"{path}[{len(items)}]")
            node.children[len(items)] = child
            node.size += child.size
            items.append(value)
        return items

    def _mapping(self, events: Iterator[Any], node: Node, depth: int, path: str) -> Object:
        result: Object = {}
        merged: list[tuple[Object, Node]] = []
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            key_position = Position(event.start_mark.line + 1, event.start_mark.column + 1)
            key = self._key(event, key_position, path)
            child_path = f"{path}.{key}" if path else key
            value, child = self._value(next(events), events, depth + 1, child_path)
            node.size += child.size
            if key == "<<" and not event.style:
                merged.extend(_merge_sources(value, child, child_path))
                continue
            if key in result and self._duplicates is not None:
                self._duplicates.append(DuplicateKey(key, key_position))
            elif key in result:
                first = node.children[key].position
                raise ManifestError(
                    f'duplicate key "{key}", first given in line {first.line}', key_position, child_path
                )
            result[key] = value
            node.children[key] = Node(key_position, child.position, child.children, child.size)
        for source, source_node in merged:
            for key, value in source.items():
                if key not in result:
                    result[key] = value
                    node.children[key] = source_node.children.get(key, source_node)
        return result

    def _key(self, event: Any, position: Position, path: str) -> str:
        if isinstance(event, yaml.AliasEvent):
            value = self._alias(event, position, path)[0]
        elif isinstance(event, yaml.ScalarEvent):
            value = _scalar(event, position, path)
        else:
            raise ManifestError("a key must be a plain value, not a list or an object", position, path)
        if isinstance(value, str):
            return value
        return json.dumps(value)

    def _count(self, nodes: int, position: Position, path: str) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            raise ManifestError(f"more than {MAX_NODES} values once its aliases are expanded", position, path)


def _merge_sources(value: Any, node: Node, path: str) -> list[tuple[Object, Node]]:
    if isinstance(value, dict):
        return [(cast(Object, value), node)]
    if isinstance(value, list):
        sources = cast(list[Any], value)
        if all(isinstance(source, dict) for source in sources):
            return [(source, node.children[index]) for index, source in enumerate(sources)]
    raise ManifestError("a merge (<<) takes an object or a list of objects", node.value_position, path)


_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_TRUE = frozenset(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"))
_FALSE = frozenset(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"))
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITIES = frozenset((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF"))
_NOT_NUMBERS = frozenset((".nan", ".NaN", ".NAN"))
_INTEGER = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))")
_YAML = "tag:yaml.org,2002:"


def _scalar(event: Any, position: Position, path: str) -> Any:
    text: str = event.value
    tag: str | None = event.tag
    if tag and tag.startswith(_YAML):
        return _tagged(tag.removeprefix(_YAML), text, position, path)
    if tag and tag != "!":
        raise ManifestError(f"unknown tag {tag}", position, path)
    if tag == "!" or event.style:
        return text
    return _plain(text, position, path)


def _tagged(tag: str, text: str, position: Position, path: str) -> Any:
    if tag in ("str", "timestamp"):
        return text
    if tag == "binary":
        try:
            return base64.b64decode(text).decode()
        except (binascii.Error, ValueError):
            raise ManifestError("!!binary is not base64 of text", position, path) from None
    value = _plain(text, position, path)
    wanted: dict[str, tuple[type, ...]] = {
        "int": (int,),
        "float": (int, float),
        "bool": (bool,),
        "null": (type(None),),
    }
    if tag not in wanted or not isinstance(value, wanted[tag]):
        raise ManifestError(f"{json.dumps(text)} is no !!{tag}", position, path)
    return value


_MOST_DIGITS = 4000
"""More would not fit into a float, and Python refuses to convert them."""


def _integer(digits: str, base: int) -> int | float:
    """An integer of 64 bits, or what Go makes of a longer one: a float, in the end an infinite one."""
    if len(digits) > _MOST_DIGITS:
        return math.inf
    value = int(digits, base)
    if -(2**63) <= value < 2**64:
        return value
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _plain(text: str, position: Position, path: str) -> Any:
    if text in _NULLS:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if text[0] not in "+-.0123456789":
        return text
    if text in _INFINITIES or text in _NOT_NUMBERS:
        raise ManifestError(f"{text} can't be written in JSON; quote it if a string is meant", position, path)
    number = text.replace("_", "")
    if match := _INTEGER.fullmatch(number):
        sign, hexadecimal, binary, octal, decimal = match.groups()
        for digits, base in ((hexadecimal, 16), (binary, 2), (octal, 8), (decimal, 10)):
            if digits is not None:
                value = _integer(sign + digits, base)
                return value if math.isfinite(value) else text
    if _FLOAT.fullmatch(number):
        value = float(number)
        if not math.isinf(value):
            return int(value) if value.is_integer() and abs(value) < 2**63 else value
    return text
