"""JSON patch (RFC 6902) with JSON pointers (RFC 6901), on shared structure: what a patch leaves is not copied."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

MOST_OPERATIONS = 10_000
"""kube-apiserver takes no longer patches."""
_OPERATIONS = ("add", "remove", "replace", "move", "copy", "test")


class PatchError(Exception):
    """A patch that is not a patch (`malformed`), or one that does not fit its document."""

    def __init__(self, message: str, *, malformed: bool = False) -> None:
        self.malformed = malformed
        super().__init__(message)


class TestFailedError(PatchError):
    """An operation `test` that finds another value."""

    __test__ = False


def apply(document: Any, patch: Sequence[Any]) -> Any:
    """The document after all operations, in order; raises PatchError and changes nothing otherwise."""
    for index, operation in enumerate(patch):
        document = _operate(document, operation, index)
    return document


def _operate(document: Any, operation: Any, index: int) -> Any:
    if not isinstance(operation, dict):
        raise PatchError(f"operation {index} is not an object", malformed=True)
    fields = cast("dict[str, Any]", operation)
    name = fields.get("op")
    if name not in _OPERATIONS:
        raise PatchError(f"Unexpected kind: {name}", malformed=True)
    path = _pointer(fields, "path", index)
    match name:
        case "add":
            return _put(document, path, _value(fields, index), insert=True)
        case "remove":
            return _remove(document, path)
        case "replace":
            _find(document, path)
            return _put(document, path, _value(fields, index), insert=False)
        case "test":
            _test(document, path, _value(fields, index))
            return document
        case "copy":
            return _put(document, path, _find(document, _pointer(fields, "from", index)), insert=True)
        case _:
            source = _pointer(fields, "from", index)
            if path[: len(source)] == source and len(path) > len(source):
                raise PatchError(f"move operation {index} moves a value into itself")
            value = _find(document, source)
            return _put(_remove(document, source), path, value, insert=True)


def _value(fields: dict[str, Any], index: int) -> Any:
    if "value" not in fields:
        raise PatchError(f"operation {index} has no value", malformed=True)
    return fields["value"]


def _pointer(fields: dict[str, Any], name: str, index: int) -> list[str]:
    text = fields.get(name)
    if not isinstance(text, str):
        raise PatchError(f"operation {index} has no {name}", malformed=True)
    if text and not text.startswith("/"):
        raise PatchError(f'operation {index}: {name} "{text}" does not start with /', malformed=True)
    return [token.replace("~1", "/").replace("~0", "~") for token in text.split("/")[1:]]


def _shown(path: Sequence[str]) -> str:
    return "".join("/" + token.replace("~", "~0").replace("/", "~1") for token in path)


def _missing(path: Sequence[str]) -> PatchError:
    return PatchError(f"{_shown(path)}: path does not exist")


def _position(items: list[Any], token: str, path: Sequence[str], *, most: int) -> int:
    if not (token.isascii() and token.isdigit()) or (len(token) > 1 and token.startswith("0")):
        raise PatchError(f'{_shown(path)}: "{token}" is not an index of a list')
    index = int(token)
    if index > most:
        raise PatchError(f"{_shown(path)}: index {index} is out of bounds")
    return index


def _child(value: Any, token: str, path: Sequence[str]) -> Any:
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        if token not in fields:
            raise _missing(path)
        return fields[token]
    if isinstance(value, list):
        items = cast("list[Any]", value)
        return items[_position(items, token, path, most=len(items) - 1)]
    raise _missing(path)


def _find(document: Any, path: list[str]) -> Any:
    for depth, token in enumerate(path):
        document = _child(document, token, path[: depth + 1])
    return document


def _put(document: Any, path: list[str], value: Any, *, insert: bool, depth: int = 0) -> Any:
    if depth == len(path):
        return value
    token = path[depth]
    last = depth == len(path) - 1
    if isinstance(document, dict):
        fields = cast("dict[str, Any]", document)
        if last:
            return {**fields, token: value}
        inner = _child(fields, token, path[: depth + 1])
        return {**fields, token: _put(inner, path, value, insert=insert, depth=depth + 1)}
    if isinstance(document, list):
        items = list(cast("list[Any]", document))
        if not last:
            index = _position(items, token, path[: depth + 1], most=len(items) - 1)
            items[index] = _put(items[index], path, value, insert=insert, depth=depth + 1)
        elif not insert:
            items[_position(items, token, path, most=len(items) - 1)] = value
        elif token == "-":
            items.append(value)
        else:
            items.insert(_position(items, token, path, most=len(items)), value)
        return items
    raise _missing(path[:depth])


def _remove(document: Any, path: list[str], depth: int = 0) -> Any:
    if not path:
        return None
    token = path[depth]
    inner = _child(document, token, path[: depth + 1])
    last = depth == len(path) - 1
    if isinstance(document, dict):
        fields = cast("dict[str, Any]", document)
        if last:
            return {name: value for name, value in fields.items() if name != token}
        return {**fields, token: _remove(inner, path, depth + 1)}
    items = list(cast("list[Any]", document))
    index = int(token)
    if last:
        del items[index]
    else:
        items[index] = _remove(inner, path, depth + 1)
    return items


def _test(document: Any, path: list[str], expected: Any) -> None:
    try:
        found = _find(document, path)
    except PatchError:
        if expected is None:
            return
        raise
    if not _equal(found, expected):
        raise TestFailedError(f"testing value {_shown(path)} failed")


def _equal(one: Any, other: Any) -> bool:
    """Equal as JSON: true is not 1, but 1 is 1.0."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        left, right = cast("dict[str, Any]", one), cast("dict[str, Any]", other)
        return left.keys() == right.keys() and all(_equal(left[name], right[name]) for name in left)
    if isinstance(one, list) and isinstance(other, list):
        first, second = cast("list[Any]", one), cast("list[Any]", other)
        return len(first) == len(second) and all(map(_equal, first, second))
    return bool(one == other)
