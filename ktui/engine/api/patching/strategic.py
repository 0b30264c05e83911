"""Strategic merge patch: a merge patch that knows from the schema how lists merge.

Lists with a merge key merge item by item, lists of scalars with strategy `merge` become unions, all others
are replaced. Directives: `$patch: replace|delete|merge`, `$retainKeys`, `$deleteFromPrimitiveList/<field>`,
`$setElementOrder/<field>`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from ktui.engine.api.patching.shape import Shape

_PATCH: Final = "$patch"
_RETAIN_KEYS: Final = "$retainKeys"
_DELETE_FROM: Final = "$deleteFromPrimitiveList/"
_ORDER: Final = "$setElementOrder/"


class StrategicPatchError(Exception):
    """A patch whose directives make no sense."""


def merge(shape: Shape, target: Any, patch: Mapping[str, Any]) -> dict[str, Any]:
    """The target with the patch merged in; shares what stays."""
    fields = cast("dict[str, Any]", target) if isinstance(target, dict) else {}
    directive = patch.get(_PATCH)
    if directive == "replace":
        return _plain({name: value for name, value in patch.items() if name != _PATCH})
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise StrategicPatchError(f"unrecognized patch type in map: {directive}")
    result = _retained(fields, patch)
    for name, value in patch.items():
        if name.startswith("$"):
            _directive(shape, result, name, value, patch)
        elif value is None:
            result.pop(name, None)
        else:
            child = shape.child(name)
            order = patch.get(_ORDER + name)
            result[name] = _merged(child, result.get(name), value, cast("list[Any] | None", order))
    return result


def _retained(fields: dict[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    keys = patch.get(_RETAIN_KEYS)
    if keys is None:
        return dict(fields)
    if not isinstance(keys, list):
        raise StrategicPatchError("invalid retainKeys: not a list")
    kept = cast("list[Any]", keys)
    for name, value in patch.items():
        if not name.startswith("$") and value is not None and name not in kept:
            raise StrategicPatchError(f"the retainKeys list doesn't contain the key {name} that is patched")
    return {name: value for name, value in fields.items() if name in kept}


def _directive(shape: Shape, result: dict[str, Any], name: str, value: Any, patch: Mapping[str, Any]) -> None:
    if name in (_PATCH, _RETAIN_KEYS):
        return
    if not isinstance(value, list):
        raise StrategicPatchError(f"{name} must be a list")
    items = cast("list[Any]", value)
    if name.startswith(_DELETE_FROM):
        field = name[len(_DELETE_FROM) :]
        present = result.get(field)
        if isinstance(present, list) and field not in patch:
            result[field] = [item for item in cast("list[Any]", present) if item not in items]
        elif isinstance(present, list):
            patched = cast("Sequence[Any]", patch[field] or ())
            result[field] = [
                item for item in cast("list[Any]", present) if item not in items or item in patched
            ]
    elif name.startswith(_ORDER):
        field = name[len(_ORDER) :]
        if field not in patch and isinstance(result.get(field), list):
            present = cast("list[Any]", result[field])
            result[field] = _ordered(shape.child(field), present, items, present)
    else:
        raise StrategicPatchError(f"unknown directive {name}")


def _merged(shape: Shape, target: Any, value: Any, order: list[Any] | None) -> Any:
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        if "replace" in shape.strategies and _PATCH not in fields:
            return _plain(fields)
        return merge(shape, target, fields)
    if not isinstance(value, list):
        return value
    items = cast("list[Any]", value)
    if "merge" not in shape.strategies or shape.kind != "list":
        return [_plain(item) for item in items if not _is_directive(item)]
    present = cast("list[Any]", target) if isinstance(target, list) else []
    if shape.merge_key:
        merged = _merged_items(shape, present, items)
    else:
        merged = [*present, *(item for item in items if item not in present)]
    return _ordered(shape, merged, items if order is None else order, present)


def _has(item: Any, field: str, value: Any) -> bool:
    return isinstance(item, dict) and cast("dict[str, Any]", item).get(field) == value


def _is_directive(item: Any) -> bool:
    return isinstance(item, dict) and _PATCH in item and len(cast("dict[str, Any]", item)) == 1


def _merged_items(shape: Shape, present: list[Any], items: list[Any]) -> list[Any]:
    """Items merged by the merge key, in any order."""
    key = shape.merge_key
    if any(_has(item, _PATCH, "replace") for item in items):
        return [_plain(item) for item in items if not _is_directive(item)]
    result = list(present)
    for item in items:
        if not isinstance(item, dict):
            raise StrategicPatchError(f"expected an object with the merge key {key}, got {item!r}")
        fields = cast("dict[str, Any]", item)
        if fields == {_PATCH: "merge"}:
            continue
        if key not in fields:
            raise StrategicPatchError(f"map: {_shown(fields)} does not contain declared merge key: {key}")
        at = [i for i, found in enumerate(result) if _has(found, key, fields[key])]
        if fields.get(_PATCH) == "delete":
            result = [found for i, found in enumerate(result) if i not in at]
        elif at:
            result[at[0]] = merge(shape.item, result[at[0]], fields)
        else:
            result.append(merge(shape.item, {}, fields))
    return result


def _ordered(shape: Shape, merged: list[Any], order: list[Any], present: list[Any]) -> list[Any]:
    """Items that the patch names, in its order; the others keep theirs, each before the first named one that it
    was before."""
    key = shape.merge_key

    def identity(item: Any) -> Any:
        return cast("dict[str, Any]", item).get(key) if key and isinstance(item, dict) else item

    wanted = [identity(item) for item in order]
    was = [identity(item) for item in present]
    others = [item for item in merged if identity(item) not in wanted]
    result: list[Any] = []
    named = [item for item in merged if identity(item) in wanted]
    for item in sorted(named, key=lambda item: wanted.index(identity(item))):
        if identity(item) in was:
            at = was.index(identity(item))
            while others and identity(others[0]) in was[:at]:
                result.append(others.pop(0))
        result.append(item)
    return [*result, *others]


def _plain(value: Any) -> Any:
    """A value that is put in as it is: without directives and nulls."""
    if isinstance(value, dict):
        return {
            name: _plain(inner)
            for name, inner in cast("dict[str, Any]", value).items()
            if inner is not None and not name.startswith("$")
        }
    return [_plain(item) for item in cast("list[Any]", value)] if isinstance(value, list) else value


def _shown(fields: dict[str, Any]) -> str:
    return "map[" + " ".join(f"{name}:{value}" for name, value in sorted(fields.items())) + "]"
