"""How a cluster does, in a few numbers for the header: nodes ready, pods, and load where metrics are served."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from ktui.client.base import Client, ListOptions
from ktui.kube.errors import StatusError
from ktui.kube.kinds import NAMESPACES, NODES, PODS
from ktui.kube.quantity import bytes_of, cpu_millis
from ktui.kube.resource import Object, Resource
from ktui.screens.catalog import Catalog


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    """Numbers that could be read; None where the cluster does not tell."""

    nodes: int | None = None
    ready: int | None = None
    pods: int | None = None
    cpu_percent: int | None = None
    memory_percent: int | None = None
    namespaces: tuple[str, ...] = ()


async def read_status(client: Client, catalog: Catalog) -> ClusterStatus:
    """Ask for all of it at once; what is refused stays None."""
    metrics = next(
        (r for r in catalog.resources if r.group == "metrics.k8s.io" and r.plural == "nodes"), None
    )
    nodes, namespaces, usage, pods = await asyncio.gather(
        _items(client, NODES), _items(client, NAMESPACES), _items(client, metrics), _count(client, PODS)
    )
    return summarize(nodes, namespaces, usage, pods)


def summarize(
    nodes: list[Object] | None, namespaces: list[Object] | None, usage: list[Object] | None, pods: int | None
) -> ClusterStatus:
    """The numbers from the objects."""
    ready = None if nodes is None else sum(_is_ready(node) for node in nodes)
    cpu = memory = None
    if nodes and usage:
        cpu = _percent(
            sum(cpu_millis((u.get("usage") or {}).get("cpu")) for u in usage),
            sum(cpu_millis(_allocatable(n).get("cpu")) for n in nodes),
        )
        memory = _percent(
            sum(bytes_of((u.get("usage") or {}).get("memory")) for u in usage),
            sum(bytes_of(_allocatable(n).get("memory")) for n in nodes),
        )
    names = tuple(str((n.get("metadata") or {}).get("name") or "") for n in namespaces or ())
    return ClusterStatus(None if nodes is None else len(nodes), ready, pods, cpu, memory, names)


def _is_ready(node: Object) -> bool:
    conditions: list[Object] = (node.get("status") or {}).get("conditions") or []
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)


def _allocatable(node: Object) -> Object:
    return (node.get("status") or {}).get("allocatable") or {}


def _percent(part: int, whole: int) -> int | None:
    return round(100 * part / whole) if whole else None


async def _items(client: Client, resource: Resource | None) -> list[Object] | None:
    if resource is None:
        return None
    try:
        return (await client.list(resource)).items
    except (StatusError, OSError):
        return None


async def _count(client: Client, resource: Resource) -> int | None:
    try:
        page = await client.list(resource, options=ListOptions(limit=1))
    except (StatusError, OSError):
        return None
    return len(page.raw) + (page.remaining or 0)
