"""Limit ranges and resource quotas, by themselves and as sections of their namespace."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from ktui.describe.fields import metadata_of
from ktui.describe.related import Related
from ktui.describe.text import Text
from ktui.kube.resource import Object

_LIMIT_COLUMNS: Final = (
    "Type",
    "Resource",
    "Min",
    "Max",
    "Default Request",
    "Default Limit",
    "Max Limit/Request Ratio",
)
_LISTS: Final = ("min", "max", "defaultRequest", "default", "maxLimitRequestRatio")
_SCOPES: Final = {
    "BestEffort": "Matches all pods that do not have resource requirements set. These pods have a best effort quality of service.",
    "NotBestEffort": "Matches all pods that have at least one resource requirement set. These pods have a burstable or guaranteed quality of service.",
    "NotTerminating": "Matches all pods that do not have an active deadline. These pods usually include long running pods whose container command is not expected to terminate.",
    "Terminating": "Matches all pods that have an active deadline. These pods have a limited lifespan on a node before being actively terminated by the system.",
}


def describe_limit_range(out: Text, obj: Object, related: Related) -> None:
    """Write a limit range."""
    metadata = metadata_of(obj)
    out.field("Name", metadata.get("name") or "")
    out.field("Namespace", metadata.get("namespace") or "")
    out.row(*_LIMIT_COLUMNS)
    out.row(*("-" * len(column) for column in _LIMIT_COLUMNS))
    for row in _limits(obj):
        out.row(*row)


def describe_quota(out: Text, obj: Object, related: Related) -> None:
    """Write a resource quota."""
    metadata = metadata_of(obj)
    out.field("Name", metadata.get("name") or "")
    out.field("Namespace", metadata.get("namespace") or "")
    _write_scopes(out, obj, " * ")
    out.row("Resource", "Used", "Hard")
    out.row("--------", "----", "----")
    for row in _amounts(obj):
        out.row(*row)


def write_quotas(out: Text, quotas: Sequence[Object] | None) -> None:
    """The section of a namespace about its quotas."""
    if quotas is None:
        return
    out.line()
    if not quotas:
        out.line("No resource quota.")
        return
    out.line("Resource Quotas")
    for quota in quotas:
        out.field("Name", metadata_of(quota).get("name") or "", level=1)
        _write_scopes(out, quota, "* ", level=1)
        out.row("Resource", "Used", "Hard", level=1)
        out.row("--------", "---", "---", level=1)
        for row in _amounts(quota):
            out.row(*row, level=1)


def write_limit_ranges(out: Text, limit_ranges: Sequence[Object] | None) -> None:
    """The section of a namespace about its limit ranges."""
    if limit_ranges is None:
        return
    out.line()
    if not limit_ranges:
        out.line("No LimitRange resource.")
        return
    out.line("Resource Limits")
    out.row(f" {_LIMIT_COLUMNS[0]}", *_LIMIT_COLUMNS[1:])
    dashes = ["-" * len(column) for column in _LIMIT_COLUMNS]
    out.row(f" {dashes[0]}", *dashes[1:])
    for limit_range in limit_ranges:
        for kind, *cells in _limits(limit_range):
            out.row(f" {kind}", *cells)


def _write_scopes(out: Text, quota: Object, bullet: str, level: int = 0) -> None:
    spec: Object = quota.get("spec") or {}
    scopes: list[str] = sorted(spec.get("scopes") or ())
    if not scopes:
        return
    out.field("Scopes", ", ".join(scopes), level)
    for scope in scopes:
        if scope in _SCOPES:
            out.line(f"{bullet}{_SCOPES[scope]}", level)


def _amounts(quota: Object) -> Iterable[tuple[str, str, str]]:
    status: Object = quota.get("status") or {}
    hard: dict[str, str] = status.get("hard") or {}
    used: dict[str, str] = status.get("used") or {}
    return [(name, used.get(name, "0"), hard[name]) for name in sorted(hard)]


def _limits(limit_range: Object) -> Iterable[tuple[str, ...]]:
    spec: Object = limit_range.get("spec") or {}
    for item in spec.get("limits") or ():
        lists: list[dict[str, str]] = [item.get(name) or {} for name in _LISTS]
        for resource in sorted({name for amounts in lists for name in amounts}):
            yield item.get("type") or "", resource, *(amounts.get(resource, "-") for amounts in lists)
