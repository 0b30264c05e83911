"""JSON merge patch (RFC 7386)."""

from __future__ import annotations

from typing import Any, cast


def merge(target: Any, patch: Any) -> Any:
    """`target` with `patch` merged in: objects merge, null removes, all else replaces. Shares what stays."""
    if not isinstance(patch, dict):
        return patch
    fields = cast("dict[str, Any]", patch)
    merged = dict(cast("dict[str, Any]", target)) if isinstance(target, dict) else {}
    for name, value in fields.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            merged[name] = merge(merged.get(name), value)
        else:
            merged[name] = value
    return merged
