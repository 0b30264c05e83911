"""Any kind, also custom ones: every field of the object, labelled by splitting its name into words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from ktui.describe.fields import write_events, write_names
from ktui.describe.related import Related
from ktui.describe.text import Text
from ktui.kube.resource import Object

_HIDDEN: Final = frozenset(
    (
        ".metadata.managedFields",
        ".metadata.name",
        ".metadata.namespace",
        ".metadata.labels",
        ".metadata.annotations",
    )
)
_ACRONYMS: Final = ("API", "URL", "UID", "GUID")
_words = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z]+|[a-z]+|-+|[^\W\d_]+").findall
_plain = re.compile(r"[^\W\d_]*(?:-[^\W\d_]*)*").fullmatch


def describe_generic(out: Text, obj: Object, related: Related) -> None:
    """Write any object."""
    write_names(out, obj)
    _write_content(out, obj, 0, "")
    write_events(out, related.events)


def _write_content(out: Text, content: Mapping[str, Any], level: int, path: str) -> None:
    for name in sorted(content):
        value = content[name]
        here = f"{path}.{name}"
        if here in _HIDDEN:
            continue
        if isinstance(value, dict):
            out.line(f"{label_for(name)}:", level)
            _write_content(out, cast("Mapping[str, Any]", value), level + 1, here)
        elif isinstance(value, list):
            out.line(f"{label_for(name)}:", level)
            _write_items(out, cast("Sequence[Any]", value), level + 1, here)
        else:
            out.field(label_for(name), go_value(value), level)


def _write_items(out: Text, items: Sequence[Any], level: int, path: str) -> None:
    for item in items:
        if isinstance(item, dict):
            _write_content(out, cast("Mapping[str, Any]", item), level, path)
        else:
            out.line(go_value(item), level)


def go_value(value: Any) -> str:
    """A JSON value as Go's `%v` prints it."""
    match value:
        case None:
            return "<nil>"
        case bool():
            return str(value).lower()
        case list():
            return f"[{' '.join(go_value(item) for item in cast('list[Any]', value))}]"
        case dict():
            pairs = sorted(cast("dict[str, Any]", value).items())
            return f"map[{' '.join(f'{key}:{go_value(item)}' for key, item in pairs)}]"
        case _:
            return str(value)


def label_for(name: str) -> str:
    """`lastTransitionTime` is `Last Transition Time`; a name with digits or dots stays as it is."""
    if not _plain(name):
        return name
    return " ".join(_word(word) for word in _words(name))


def _word(word: str) -> str:
    if word.upper() in _ACRONYMS:
        return word.upper()
    return word.capitalize() if word.islower() else word
