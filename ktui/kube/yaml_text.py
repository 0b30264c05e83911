"""Objects as the YAML kubectl prints: keys sorted, text of several lines as blocks, nothing that reads as another type."""

from __future__ import annotations

from typing import Any, cast

import yaml

from ktui.kube.resource import Object

_TEXT_TAG = "tag:yaml.org,2002:str"
_LOOKS_LIKE_A_BOOLEAN = frozenset(("y", "Y", "n", "N"))


class _Dumper(yaml.CSafeDumper):
    """Strings of several lines as blocks, those that look like something else in double quotes."""


def _represent_text(dumper: Any, text: str) -> Any:
    style = None
    if "\n" in text:
        style = "|"
    elif text in _LOOKS_LIKE_A_BOOLEAN or dumper.resolve(yaml.ScalarNode, text, (True, False)) != _TEXT_TAG:
        style = '"'
    return dumper.represent_scalar(_TEXT_TAG, text, style=style)


_Dumper.add_representer(str, _represent_text)  # pyright: ignore[reportUnknownMemberType] - untyped in PyYAML's stubs


def to_yaml(obj: Any) -> str:
    """YAML with sorted keys, as kubectl prints it."""
    text: Any = yaml.dump(
        obj, Dumper=_Dumper, sort_keys=True, default_flow_style=False, allow_unicode=True, width=2**20
    )
    return str(text)


def without_managed_fields(obj: Object) -> Object:
    """The object, or each item of a `List`, without `metadata.managedFields`."""
    if obj.get("kind") == "List" and "items" in obj:
        return {**obj, "items": [without_managed_fields(item) for item in obj["items"]]}
    metadata = obj.get("metadata")
    if not isinstance(metadata, dict) or "managedFields" not in metadata:
        return obj
    kept = cast(Object, metadata)
    return {**obj, "metadata": {key: value for key, value in kept.items() if key != "managedFields"}}
