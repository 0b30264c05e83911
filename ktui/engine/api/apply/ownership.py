"""From values to field sets: what an object holds, what an applied configuration claims, what a write changed.

Follows structured-merge-diff, so that managedFields come out as kube-apiserver writes them. Values have been
checked against the schema; a missing value is None.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeGuard

import msgspec

from ktui.engine.api.apply.fieldset import LEAF, MEMBER, FieldSet
from ktui.engine.api.patching.shape import KEY_DEFAULTS, UNTYPED, Shape

_encode = msgspec.json.Encoder(order="deterministic").encode

_SCALARS: Final = frozenset({str, int, float, bool})
_NOTHING: Final[frozenset[str]] = frozenset()


class ListItemError(Exception):
    """An item of a list that cannot be told apart from the others."""

    def __init__(self, index: int, problem: str) -> None:
        self.path = ""
        self.index = index
        self.problem = problem
        super().__init__(problem)

    @property
    def message(self) -> str:
        return f"{self.path}: element {self.index}: {self.problem}"


def _key_missing(index: int, key: str) -> ListItemError:
    return ListItemError(
        index,
        f'associative list with keys has an element that omits key field "{key}" (and doesn\'t have default value)',
    )


def item_step(shape: Shape, item: Any, index: int) -> str:
    """The step of a path that names an item of a list that is not atomic."""
    if shape.unique:
        return f"v:{_encode(item).decode()}"
    keys: dict[str, Any] = {}
    for key in shape.keys:
        value = item.get(key)
        if value is None:
            value = KEY_DEFAULTS.get(key)
            if value is None:
                raise _key_missing(index, key)
        keys[key] = value
    return f"k:{_encode(keys).decode()}"


def stepped(shape: Shape, items: Sequence[Any]) -> dict[str, Any]:
    """A list's items by their step. Where several share one, they are compared as one: as a tuple."""
    found: dict[str, Any] = {}
    for index, item in enumerate(items):
        step = item_step(shape, item, index)
        found[step] = item if step not in found else (found[step], item)
    return found


def is_granular_object(value: Any, shape: Shape) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict) and shape.kind in ("struct", "map", "untyped") and not shape.atomic


def is_granular_list(value: Any, shape: Shape) -> TypeGuard[list[Any]]:
    return isinstance(value, list) and shape.kind == "list" and not shape.atomic


def held(shape: Shape, value: Any, *, there: bool = False) -> FieldSet | None:
    """All paths of a value that came to be; `there` when its type has it with or without a value."""
    fields: FieldSet = {}
    if is_granular_object(value, shape):
        known, present = shape.fields, shape.there if there else _NOTHING
        other = UNTYPED if shape.kind == "struct" else shape.item
        for name, inner in value.items():
            child = known.get(name, other)
            if type(inner) in _SCALARS:
                fields[f"f:{name}"] = LEAF
            elif inner is not None:
                below = held(child, inner, there=name in present)
                if below is not None:
                    fields[f"f:{name}"] = below
    elif is_granular_list(value, shape):
        for step, item in stepped(shape, value).items():
            below = held(shape.item, item)
            if below is not None:
                fields[step] = below
    else:
        return LEAF
    if there:
        return fields or None
    return {MEMBER: LEAF, **fields} if fields else LEAF


def claimed(shape: Shape, value: Any) -> FieldSet | None:
    """All paths an applied configuration claims; raises ListItemError."""
    fields: FieldSet = {}
    if is_granular_object(value, shape):
        for name, inner in value.items():
            child = shape.child(name)
            try:
                below = LEAF if inner in (None, {}, []) else claimed(child, inner)
            except ListItemError as error:
                error.path = f".{name}{error.path}"
                raise
            if shape.kind != "struct" and below:
                below = {MEMBER: LEAF, **below}
            if below is not None:
                fields[f"f:{name}"] = below
        return fields or None
    if not is_granular_list(value, shape):
        return LEAF
    for index, item in enumerate(value):
        step = item_step(shape, item, index)
        if step in fields:
            raise ListItemError(index, f"duplicate entries for key {step[2:]}")
        try:
            below = claimed(shape.item, item) if isinstance(item, dict) else None
        except ListItemError as error:
            error.path = f"[{index}]{error.path}"
            raise
        fields[step] = {MEMBER: LEAF, **below} if below else LEAF
    return fields or None


Change = tuple[FieldSet | None, FieldSet | None]
"""The paths a write set (added or changed), and those it removed."""


def compared(shape: Shape, old: Any, new: Any) -> Change:
    """What changed between two values."""
    if old == new:
        return None, None
    if old is None:
        return held(shape, new), None
    if new is None:
        return None, held(shape, old)
    if is_granular_object(old, shape) and is_granular_object(new, shape):
        return _compared_fields(shape, old, new)
    if is_granular_list(old, shape) and is_granular_list(new, shape):
        return _compared_items(shape, old, new)
    return LEAF, None


def _compared_fields(shape: Shape, old: dict[str, Any], new: dict[str, Any]) -> Change:
    changed: FieldSet = {}
    removed: FieldSet = {}
    for name in old.keys() | new.keys():
        before, after = old.get(name), new.get(name)
        if before is after:
            continue
        child = shape.child(name)
        if before is None and name in shape.there:
            below = held(child, after, there=True), None
        else:
            below = compared(child, before, after)
        if below[0] is not None:
            changed[f"f:{name}"] = below[0]
        if below[1] is not None:
            removed[f"f:{name}"] = below[1]
    return changed or None, removed or None


def _compared_items(shape: Shape, old: list[Any], new: list[Any]) -> Change:
    before, after = stepped(shape, old), stepped(shape, new)
    changed: FieldSet = {}
    removed: FieldSet = {}
    for step in before.keys() | after.keys():
        below = compared(shape.item, before.get(step), after.get(step))
        if below[0] is not None:
            changed[step] = below[0]
        if below[1] is not None:
            removed[step] = below[1]
    return changed or None, removed or None
