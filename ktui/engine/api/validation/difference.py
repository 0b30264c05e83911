"""What changed between two values that may not differ, a line each, for errors about immutable specs."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any, cast

from ktui.engine.api.validation.fields import shown
from ktui.kube.resource import Object


def difference(before: Any, after: Any, path: str = "spec") -> list[str]:
    """Every field that was changed, a line each: `spec.containers[0].env[0].value: "a" → "b"`."""
    if isinstance(before, dict) and isinstance(after, dict):
        old, new = cast("Object", before), cast("Object", after)
        return [
            line
            for field in dict.fromkeys((*old, *new))
            if old.get(field) != new.get(field)
            for line in difference(old.get(field), new.get(field), f"{path}.{field}")
        ]
    if isinstance(before, list) and isinstance(after, list):
        pairs = zip_longest(cast("list[Any]", before), cast("list[Any]", after))
        return [
            line
            for index, (old, new) in enumerate(pairs)
            if old != new
            for line in difference(old, new, f"{path}[{index}]")
        ]
    return [f"{path}: {shown(before)} → {shown(after)}"]
