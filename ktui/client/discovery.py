"""Discovery: which resource types a server has, by the aggregated documents or the older ones."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence

from ktui.client import rest
from ktui.kube.errors import StatusError
from ktui.kube.resource import Object, Resource

Fetch = Callable[[str, str], Awaitable[Object]]
"""(path, Accept) -> document."""


async def read_discovery(fetch: Fetch) -> Sequence[Resource]:
    """Every resource type, preferred versions first within a group; a broken group is left out."""
    core, groups = await asyncio.gather(fetch("/api", rest.DISCOVERY), fetch("/apis", rest.DISCOVERY))
    if core.get("kind") == "APIGroupDiscoveryList":
        return [*_aggregated(core), *_aggregated(groups)]
    paths = [f"/api/{version}" for version in core.get("versions") or ()]
    for group in groups.get("groups") or ():
        preferred: Object = group.get("preferredVersion") or {}
        versions = [str(item["version"]) for item in group.get("versions") or ()]
        first = [version for version in versions if version == preferred.get("version")]
        others = [version for version in versions if version not in first]
        paths += [f"/apis/{group['name']}/{version}" for version in (*first, *others)]

    async def one(path: str) -> Object:
        try:
            return await fetch(path, rest.JSON)
        except StatusError:
            return {}

    documents = await asyncio.gather(*(one(path) for path in paths))
    return [resource for document in documents for resource in _legacy(document)]


def _aggregated(document: Object) -> Iterator[Resource]:
    """The resources of an `APIGroupDiscoveryList` (apidiscovery.k8s.io/v2)."""
    for group in document.get("items") or ():
        name = group["metadata"].get("name") or ""
        for version in group.get("versions") or ():
            for item in version.get("resources") or ():
                kind: Object = item.get("responseKind") or {}
                yield Resource(
                    group=name,
                    version=version["version"],
                    plural=item["resource"],
                    kind=kind.get("kind") or "",
                    namespaced=item.get("scope") == "Namespaced",
                    singular=item.get("singularResource") or "",
                    short_names=tuple(item.get("shortNames") or ()),
                    categories=tuple(item.get("categories") or ()),
                    verbs=tuple(item.get("verbs") or ()),
                    subresources=tuple(sub["subresource"] for sub in item.get("subresources") or ()),
                )


def _legacy(document: Object) -> Iterator[Resource]:
    """The resources of an `APIResourceList` (meta/v1)."""
    group, _, version = str(document.get("groupVersion") or "").rpartition("/")
    items: Sequence[Object] = document.get("resources") or ()
    for item in items:
        plural = str(item["name"])
        if "/" in plural:
            continue
        yield Resource(
            group=item.get("group") or group,
            version=item.get("version") or version,
            plural=plural,
            kind=item["kind"],
            namespaced=bool(item.get("namespaced")),
            singular=item.get("singularName") or "",
            short_names=tuple(item.get("shortNames") or ()),
            categories=tuple(item.get("categories") or ()),
            verbs=tuple(item.get("verbs") or ()),
            subresources=tuple(
                other["name"].partition("/")[2] for other in items if other["name"].startswith(f"{plural}/")
            ),
        )
