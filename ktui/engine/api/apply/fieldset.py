"""Sets of field paths, in the very form managedFields keeps them (FieldsV1): nested objects.

A key is a step of a path (`f:name` a field, `k:{…}` a list item by key, `v:…` by value, `i:…` by index). A
path is in the set when its node is empty or holds `.`. Sets are never changed, and what stays is shared, so
a small change of a large set costs little. None stands for the empty set.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeAlias, cast

import msgspec

FieldSet: TypeAlias = dict[str, Any]

LEAF: Final[FieldSet] = {}
"""A path that is in the set, with nothing below it."""
MEMBER: Final = "."


def is_member(node: FieldSet) -> bool:
    """Is the path of this node itself in the set?"""
    return not node or MEMBER in node


def _built(member: bool, children: FieldSet) -> FieldSet | None:
    if children:
        return {MEMBER: LEAF, **children} if member else children
    return LEAF if member else None


def union(one: FieldSet | None, other: FieldSet | None) -> FieldSet | None:
    """Paths in either set."""
    if one is None or one is other or one == other:
        return other
    if other is None:
        return one
    children = {name: node for name, node in one.items() if name != MEMBER}
    for name, node in other.items():
        if name != MEMBER:
            found = children.get(name)
            merged = node if found is None else union(found, node)
            assert merged is not None
            children[name] = merged
    return _built(is_member(one) or is_member(other), children)


def difference(one: FieldSet | None, other: FieldSet | None) -> FieldSet | None:
    """Paths of the first set that are not in the second (what lies below them stays)."""
    if one is None or other is None:
        return one
    children: FieldSet = {}
    changed = is_member(one) and is_member(other)
    for name, node in one.items():
        if name == MEMBER:
            continue
        taken = other.get(name)
        left = node if taken is None else difference(node, taken)
        changed = changed or left is not node
        if left is not None:
            children[name] = left
    if not changed:
        return one
    return _built(is_member(one) and not is_member(other), children)


def intersection(one: FieldSet | None, other: FieldSet | None) -> FieldSet | None:
    """Paths in both sets."""
    if one is None or other is None:
        return None
    if one is other:
        return one
    children: FieldSet = {}
    for name in one.keys() & other.keys():
        if name != MEMBER:
            both = intersection(one[name], other[name])
            if both is not None:
                children[name] = both
    return _built(is_member(one) and is_member(other), children)


def is_wellformed(node: Any) -> bool:
    """Is it a set as this module keeps them, and nothing else?"""
    if not isinstance(node, dict):
        return False
    fields = cast("dict[Any, Any]", node)
    return all(
        isinstance(name, str)
        and (child == {} if name == MEMBER else name[:2] in ("f:", "k:", "v:", "i:") and is_wellformed(child))
        for name, child in fields.items()
    )


def paths(node: FieldSet | None, path: str = "") -> Iterator[str]:
    """Every path of a set as errors print it: `.spec.containers[name="web"].image`."""
    if node is None:
        return
    if path and is_member(node):
        yield path
    for name in sorted(node):
        if name != MEMBER:
            yield from paths(node[name], path + _step(name))


def _step(name: str) -> str:
    kind, text = name[:2], name[2:]
    match kind:
        case "f:":
            return f".{text}"
        case "k:":
            keys: dict[str, Any] = msgspec.json.decode(text)
            return "[" + ",".join(f"{key}={_json(value)}" for key, value in sorted(keys.items())) + "]"
        case "v:":
            return f"[={text}]"
        case _:
            return f"[{text}]"


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def in_order(fields: FieldSet) -> FieldSet:
    """The same set with its steps sorted, as Kubernetes writes them: clients compare the text."""
    steps = list(fields)
    ordered = sorted(steps)
    inner = {step: in_order(child) if (child := fields[step]) else child for step in ordered}
    same = ordered == steps and all(inner[step] is fields[step] for step in steps)
    return fields if same else inner
