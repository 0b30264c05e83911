"""Server-side apply on values: an applied configuration merged into the live object, and what it lets go.

Fields the applier owned and does not mention any more are removed, unless another manager owns them.
"""

from __future__ import annotations

from typing import Any

from ktui.engine.api.apply.fieldset import FieldSet, is_member
from ktui.engine.api.apply.ownership import is_granular_list, is_granular_object, item_step, stepped
from ktui.engine.api.patching.shape import Shape


def merged(shape: Shape, live: Any, applied: Any) -> Any:
    """The live value with the applied one merged in; the applied one wins."""
    if live is None or live == applied:
        return applied
    if is_granular_object(applied, shape) and is_granular_object(live, shape):
        fields = dict(live)
        for name, value in applied.items():
            fields[name] = merged(shape.child(name), live.get(name), value)
        return fields
    if is_granular_list(applied, shape) and is_granular_list(live, shape):
        return _merged_items(shape, live, applied)
    return applied


def _merged_items(shape: Shape, live: list[Any], applied: list[Any]) -> list[Any]:
    """Items in the applied order; those only the live list has stay in front of what followed them there."""
    wanted = stepped(shape, applied)
    present: dict[str, list[Any]] = {}
    for index, item in enumerate(live):
        present.setdefault(item_step(shape, item, index), []).append(item)
    found: list[Any] = []
    waiting = iter(present)
    done: set[str] = set()
    step = next(waiting, None)
    for name, item in wanted.items():
        while step is not None and step != name and (step not in wanted or step in done):
            if step not in wanted:
                found += present[step]
            step = next(waiting, None)
        found.append(merged(shape.item, present[name][0], item) if name in present else item)
        done.add(name)
        if step == name:
            step = next(waiting, None)
    while step is not None:
        if step not in wanted:
            found += present[step]
        step = next(waiting, None)
    return found


def pruned(shape: Shape, value: Any, last: FieldSet, kept: FieldSet | None) -> Any:
    """The value without the paths of `last` that are not in `kept`; None when nothing is left of it."""
    if is_granular_object(value, shape):
        fields: dict[str, Any] = {}
        for name, inner in value.items():
            step = f"f:{name}"
            let_go = last.get(step)
            if let_go is None:
                fields[name] = inner
                continue
            owned = kept.get(step) if kept else None
            if owned is None:
                continue
            left = pruned(shape.child(name), inner, let_go, owned)
            if left is not None:
                fields[name] = left
        return fields if fields or not value or (kept is not None and is_member(kept)) else None
    if is_granular_list(value, shape):
        items: list[Any] = []
        for index, item in enumerate(value):
            step = item_step(shape, item, index)
            let_go = last.get(step)
            owned = kept.get(step) if kept else None
            if let_go is None:
                items.append(item)
            elif is_member(let_go) and (owned is None or not is_member(owned)):
                continue
            else:
                left = pruned(shape.item, item, let_go, owned)
                if left is not None:
                    items.append(left)
        return items if items or not value or (kept is not None and is_member(kept)) else None
    return value
