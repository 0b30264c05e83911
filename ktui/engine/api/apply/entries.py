"""metadata.managedFields as data: entries told apart by manager, operation, version and subresource."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

from ktui.engine.api.apply.fieldset import FieldSet, is_wellformed, union
from ktui.kube.resource import Object

Operation = Literal["Apply", "Update"]

MOST_UPDATERS = 10
"""Update managers an object remembers; the oldest are forgotten into `ancient-changes`."""
ANCIENT = "ancient-changes"


@dataclass(frozen=True, slots=True)
class Entry:
    """What one manager owns (`ManagedFieldsEntry`)."""

    manager: str
    operation: Operation
    api_version: str
    subresource: str
    time: str
    fields: FieldSet

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """Appliers stay the same whatever version they apply in."""
        version = self.api_version if self.operation == "Update" else ""
        return self.manager, self.operation, version, self.subresource

    def __str__(self) -> str:
        text = f'"{self.manager}"'
        if self.subresource:
            text += f' with subresource "{self.subresource}"'
        return f"{text} using {self.api_version}" if self.operation == "Update" else text

    def to_object(self) -> Object:
        obj: Object = {"manager": self.manager, "operation": self.operation, "apiVersion": self.api_version}
        if self.time:
            obj["time"] = self.time
        obj["fieldsType"] = "FieldsV1"
        obj["fieldsV1"] = self.fields
        if self.subresource:
            obj["subresource"] = self.subresource
        return obj


def is_reset(managed: Any) -> bool:
    """A client's way to have all managers forgotten: `[]` or `[{}]`."""
    return managed in ([], [{}])


def decoded(managed: Any) -> list[Entry] | None:
    """The entries of a managedFields list; None if there is none or it is not one."""
    if not managed or not isinstance(managed, list):
        return None
    entries: list[Entry] = []
    for obj in cast("list[Object]", managed):
        fields = obj.get("fieldsV1")
        operation = obj.get("operation")
        if operation not in ("Apply", "Update") or not isinstance(fields, dict):
            return None
        entries.append(
            Entry(
                obj.get("manager") or "",
                operation,
                obj.get("apiVersion") or "",
                obj.get("subresource") or "",
                obj.get("time") or "",
                cast("FieldSet", fields),
            )
        )
    return entries


def are_wellformed(entries: Iterable[Entry]) -> bool:
    """Could these, which a client sent, be a server's own?"""
    return all(is_wellformed(entry.fields) for entry in entries)


def encoded(entries: Iterable[Entry]) -> list[Object]:
    """The list as Kubernetes orders it: appliers first, then by time and name."""
    ordered = sorted(
        _capped(list(entries)),
        key=lambda e: (e.operation, e.time, e.manager, e.api_version, e.subresource),
    )
    return [entry.to_object() for entry in ordered]


def _capped(entries: list[Entry]) -> list[Entry]:
    updaters = [entry for entry in entries if entry.operation == "Update"]
    excess = len(updaters) - MOST_UPDATERS
    if excess <= 0:
        return entries
    oldest = sorted(updaters, key=lambda entry: (entry.time, entry.manager))[: excess + 1]
    kept = [entry for entry in entries if entry not in oldest]
    ancient: dict[str, Entry] = {}
    for entry in oldest:
        found = ancient.get(entry.api_version)
        fields = union(found.fields, entry.fields) if found else entry.fields
        ancient[entry.api_version] = replace(entry, manager=ANCIENT, subresource="", fields=fields or {})
    return [*kept, *ancient.values()]
