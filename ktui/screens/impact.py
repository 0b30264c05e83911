"""What deleting objects takes along: counted through owner references, in words for a confirmation."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from ktui.client.base import Client, ListOptions
from ktui.kube.errors import StatusError
from ktui.kube.kinds import MANIFEST_FILES, NAMESPACES, PODS, REPLICA_SETS
from ktui.kube.resource import Object, Resource
from ktui.screens.catalog import Catalog
from ktui.screens.items import Item

_OWNED_KINDS = ("replicasets.apps", "statefulsets.apps", "daemonsets.apps", "jobs.batch", "pods")
_NOT_CONTENT = {"events", "events.events.k8s.io", "componentstatuses"}


def owned(roots: Iterable[str], objects: Mapping[str, Sequence[Object]]) -> Counter[str]:
    """How many objects of each kind (`objects` by kind's name) belong to `roots` by UID, through any number of
    owners between."""
    found: Counter[str] = Counter()
    owners = set(roots)
    pending = [(kind, metadata) for kind, listed in objects.items() for metadata in listed]
    grew = True
    while grew:
        grew = False
        rest: list[tuple[str, Object]] = []
        for kind, metadata in pending:
            if any(r.get("uid") in owners for r in metadata.get("ownerReferences") or ()):
                owners.add(metadata["uid"])
                found[kind] += 1
                grew = True
            else:
                rest.append((kind, metadata))
        pending = rest
    return found


async def impact_of(
    client: Client, catalog: Catalog, items: Sequence[Item], *, kept: Collection[str] = ()
) -> list[str]:
    """Lines that tell what goes with `items` when they are deleted. `kept`: UIDs that a watched file brings back."""
    resource = items[0].resource
    if resource.key == MANIFEST_FILES.key:
        return ["Only the record goes: the objects stay, and a file in the watched folder gets a new one."]
    if resource.key == NAMESPACES.key:
        contents = await asyncio.gather(*(_contents(client, catalog, item.name) for item in items))
        return [line for lines in contents for line in lines]
    lines: list[str] = []
    if resource.key == PODS.key:
        bare = [item.name for item in items if item.owner is None and item.uid not in kept]
        owners = {f"{o.get('kind')} {o.get('name')}" for item in items if (o := item.owner) is not None}
        if owners:
            lines.append(f"{_some(sorted(owners))} will make new ones.")
        if bare:
            lines.append(f"Nothing brings back {_some(bare)}.")
        return lines
    kinds = [r for key in _OWNED_KINDS if (r := catalog.find(key)) is not None]
    namespaces = {item.namespace for item in items}
    listed = await asyncio.gather(*(_metadata(client, kind, namespaces) for kind in kinds))
    counts = owned(
        (item.uid for item in items), {kind.plural: found for kind, found in zip(kinds, listed, strict=True)}
    )
    if counts:
        lines.append("With it go " + ", ".join(f"{n} {_number(kind, n)}" for kind, n in counts.items()) + ".")
    if resource.key == REPLICA_SETS.key and (owner := items[0].owner) is not None:
        lines.append(f"{owner.get('kind')} {owner.get('name')} owns it and may make it again.")
    return lines


async def _contents(client: Client, catalog: Catalog, namespace: str) -> list[str]:
    kinds = [
        r for r in catalog.resources if r.namespaced and r.key not in _NOT_CONTENT and r.group != "ktui.dev"
    ]
    counts = await asyncio.gather(*(_count(client, kind, namespace) for kind in kinds))
    parts = [f"{n} {_number(kind.plural, n)}" for kind, n in zip(kinds, counts, strict=True) if n]
    return [f"Everything in {namespace} goes: {', '.join(parts) or 'nothing is in it'}."]


async def _count(client: Client, resource: Resource, namespace: str) -> int:
    try:
        page = await client.list(resource, namespace, options=ListOptions(limit=1))
    except (StatusError, OSError):
        return 0
    return len(page.raw) + (page.remaining or 0)


async def _metadata(client: Client, resource: Resource, namespaces: Iterable[str]) -> list[Object]:
    found: list[Object] = []
    for namespace in namespaces:
        try:
            table = await client.table(resource, namespace)
        except (StatusError, OSError):
            continue
        found += [(row.get("object") or {}).get("metadata") or {} for row in table.get("rows") or ()]
    return found


def _number(plural: str, count: int) -> str:
    return plural[:-1] if count == 1 and plural.endswith("s") else plural


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
