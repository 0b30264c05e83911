"""Who owns which field: managedFields kept through creates, updates and applies.

A write by anyone takes the fields it changes away from their managers and gives them to its own; an apply
claims what it mentions, conflicts where another manager owns a field with another value (unless forced),
and removes what it no longer mentions and nobody else owns.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from ktui.engine.api.apply.entries import Entry, Operation, are_wellformed, decoded, encoded, is_reset
from ktui.engine.api.apply.fieldset import FieldSet, difference, in_order, intersection, paths, union
from ktui.engine.api.apply.merging import merged, pruned
from ktui.engine.api.apply.ownership import ListItemError, claimed, compared, held
from ktui.engine.api.documents import metadata_of
from ktui.engine.api.patching.shape import Shape
from ktui.engine.api.seen import Seen
from ktui.kube.clock import Clock, rfc3339
from ktui.kube.errors import Cause, StatusError, apply_conflict, bad_request
from ktui.kube.resource import Object

BEFORE_FIRST_APPLY: Final = "before-first-apply"
"""The manager of all that was there when an object without managers is applied to for the first time."""

_UNOWNED: Final = frozenset(
    {
        "name",
        "namespace",
        "creationTimestamp",
        "selfLink",
        "uid",
        "generation",
        "managedFields",
        "resourceVersion",
    }
)
"""Metadata that belongs to nobody."""

_KEPT: Final[FieldSet] = {"f:metadata": {"f:name": {}}}
"""Never let go, whoever applies."""


@dataclass(frozen=True, slots=True)
class Managing:
    """Whose write it is: the manager, through which subresource, of which kind."""

    manager: str
    shape: Shape
    api_version: str
    has_status: bool
    subresource: str = ""

    def owns(self, name: str) -> bool:
        """Is a top-level field a matter of this write, and not of another subresource?"""
        if name in ("apiVersion", "kind"):
            return False
        if self.subresource == "status":
            return name == "status"
        return name != "status" or not self.has_status or bool(self.subresource)


class Managers:
    """Writes managedFields of new objects; the objects themselves are left as they are."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def created(self, managing: Managing, obj: Object) -> Object:
        """The first owner of all there is."""
        shape = managing.shape
        try:
            fields = _held(shape, _owned(managing, obj))
        except ListItemError:
            return obj
        entries = _asked(obj) or []
        if fields is not None:
            entries = self._with(entries, managing, "Update", fields)
        return _managed(obj, entries)

    def updated(self, managing: Managing, old: Object, new: Object) -> Object:
        """What the write changed changes owners."""
        before: Any = metadata_of(old).get("managedFields")
        asked: Any = metadata_of(new).get("managedFields")
        if not managing.subresource and asked != before and is_reset(asked):
            return _managed(new, [])
        entries = decoded(before)
        if not managing.subresource and asked != before:
            entries = _asked(new) or entries
        if not entries:
            return _managed(new, [])
        try:
            changed, removed = compared(
                managing.shape,
                _owned(managing, old, everything=True),
                _owned(managing, new, everything=True),
            )
        except ListItemError:
            return _managed(new, entries)
        if changed is None and removed is None:
            return new if asked == before else _managed(new, entries)
        mine = self._identity(managing, "Update")
        own = next((entry for entry in entries if entry.identity == mine), None)
        kept: list[Entry] = []
        for entry in entries:
            left = difference(entry.fields, removed)
            if entry is not own:
                left = difference(left, changed)
            if left is not None:
                kept.append(entry if left is entry.fields else replace(entry, fields=left))
        if changed is not None:
            before_change = difference(own.fields, removed) if own else None
            kept = self._with(kept, managing, "Update", union(before_change, changed) or {})
        return _managed(new, kept)

    def applied(self, managing: Managing, live: Object | None, config: Object, *, force: bool) -> Object:
        """The live object (None: none yet) with a configuration applied, not yet defaulted."""
        shape = managing.shape
        mine = self._identity(managing, "Apply")
        wanted = _owned(managing, config)
        try:
            claim = claimed(shape, wanted)
            if live is None:
                return _managed(config, self._with([], managing, "Apply", claim or {}) if claim else [])
            entries = self._before(managing, live) if claim is not None else _known(live)
            own = next((entry for entry in entries if entry.identity == mine), None)
            others = [entry for entry in entries if entry is not own]
            result = merged(shape, live, wanted)
            if own is not None:
                owned = union(claim, _KEPT)
                for entry in others:
                    owned = union(owned, entry.fields)
                result = pruned(shape, result, own.fields, owned)
            changed, removed = compared(
                shape, _owned(managing, live, everything=True), _owned(managing, result, everything=True)
            )
        except ListItemError as error:
            raise _untyped(managing, config, error) from error
        kept = _without(others, changed, removed, force=force)
        if claim is not None:
            again = own is not None and own.fields == claim and own.api_version == managing.api_version
            if own is not None and again and changed is None and removed is None:
                kept.append(own)
            else:
                kept = self._with(kept, managing, "Apply", claim)
        return _managed(result, kept)

    def _before(self, managing: Managing, live: Object) -> list[Entry]:
        """The managers before an apply that claims something."""
        if entries := _known(live):
            return entries
        whole = replace(managing, manager=BEFORE_FIRST_APPLY, subresource="")
        fields = held(managing.shape, _owned(whole, live), there=True)
        return [] if fields is None else self._with([], whole, "Update", fields)

    def _identity(self, managing: Managing, operation: Operation) -> tuple[str, str, str, str]:
        return Entry(managing.manager, operation, managing.api_version, managing.subresource, "", {}).identity

    def _entry(self, managing: Managing, operation: Operation, fields: FieldSet) -> Entry:
        now = rfc3339(self._clock.now())
        ordered = in_order(fields)
        return Entry(managing.manager, operation, managing.api_version, managing.subresource, now, ordered)

    def _with(
        self, entries: Sequence[Entry], managing: Managing, operation: Operation, fields: FieldSet
    ) -> list[Entry]:
        entry = self._entry(managing, operation, fields)
        return [*(other for other in entries if other.identity != entry.identity), entry]


_specs: Final = Seen[FieldSet]()
"""The fields of specs."""


def _held(shape: Shape, owned: Object) -> FieldSet | None:
    """All that a new object holds; that of a spec is the same for all replicas."""
    spec: Any = owned.get("spec")
    if not isinstance(spec, dict) or shape.child("spec").kind != "struct":
        return held(shape, owned, there=True)
    form = _specs.form(spec, shape)
    known = _specs.get(form)
    if known is None:
        known = held(shape, {"spec": spec}, there=True) or {}
        _specs.keep(form, known)
    rest = {name: value for name, value in owned.items() if name != "spec"}
    fields = {**(held(shape, rest, there=True) or {}), **known}
    return {step: fields[step] for name in owned if (step := f"f:{name}") in fields} or None


def _owned(managing: Managing, obj: Object, *, everything: bool = False) -> Object:
    """What of an object can be owned (by this write, or by any with `everything`)."""
    owned: Object = {}
    for name, value in obj.items():
        if name == "metadata":
            found = {field: inner for field, inner in value.items() if field not in _UNOWNED}
            if found and (everything or managing.subresource != "status"):
                owned[name] = found
        elif name not in ("apiVersion", "kind") and (everything or managing.owns(name)):
            owned[name] = value
    return owned


def _known(obj: Object) -> list[Entry]:
    return decoded(metadata_of(obj).get("managedFields")) or []


def _asked(obj: Object) -> list[Entry] | None:
    """The managers a client sent along, if they make sense."""
    entries = decoded(metadata_of(obj).get("managedFields"))
    return entries if entries and are_wellformed(entries) else None


def _managed(obj: Object, entries: Sequence[Entry]) -> Object:
    metadata = metadata_of(obj)
    if not entries:
        if "managedFields" not in metadata:
            return obj
        return {**obj, "metadata": {name: v for name, v in metadata.items() if name != "managedFields"}}
    return {**obj, "metadata": {**metadata, "managedFields": encoded(entries)}}


def _without(
    others: Iterable[Entry], changed: FieldSet | None, removed: FieldSet | None, *, force: bool
) -> list[Entry]:
    """The other managers after an apply; raises 409 where it would change what they own, unless forced."""
    kept: list[Entry] = []
    conflicts: list[tuple[str, list[str]]] = []
    for entry in others:
        taken = intersection(entry.fields, changed)
        if taken is not None and not force:
            conflicts.append((str(entry), list(paths(taken))))
        left = difference(difference(entry.fields, taken), removed)
        if left is not None:
            kept.append(entry if left is entry.fields else replace(entry, fields=left))
    if conflicts:
        raise _conflicting(sorted(conflicts))
    return kept


def _conflicting(conflicts: Sequence[tuple[str, list[str]]]) -> StatusError:
    causes = [
        Cause(path, "FieldManagerConflict", f"conflict with {manager}")
        for manager, fields in conflicts
        for path in fields
    ]
    if len(causes) == 1:
        return apply_conflict(f"Apply failed with 1 conflict: {causes[0].message}: {causes[0].field}", causes)
    lines: list[str] = []
    for manager, fields in conflicts:
        lines.append(f"conflicts with {manager}:")
        lines += [f"- {path}" for path in fields]
    return apply_conflict(f"Apply failed with {len(causes)} conflicts: " + "\n".join(lines), causes)


def _untyped(managing: Managing, config: Object, error: ListItemError) -> StatusError:
    metadata = metadata_of(config)
    name = "/".join(part for part in (metadata.get("namespace"), metadata.get("name")) if part)
    kind = f"{managing.api_version}, Kind={config.get('kind')}"
    return bad_request(f"failed to create typed patch object ({name}; {kind}): {error.message}")
