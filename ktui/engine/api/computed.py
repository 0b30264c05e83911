"""Kinds that are worked out at every read and never stored: metrics, and the health of components.

In: a get or list of such a kind, and the source that makes its objects. Out: what is selected of them, in key
order, as the bytes a stored kind would give. They have no versions, no pages and no watches.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from ktui.client.base import ListOptions, ObjectList
from ktui.engine.api.declaration import Declaration
from ktui.engine.api.documents import encode, metadata_of
from ktui.engine.api.selection import Selection
from ktui.engine.store.base import Entry, Key
from ktui.kube.errors import not_found
from ktui.kube.resource import Object, Resource

Source = Callable[[], Awaitable[Sequence[Object]]]
"""Makes all objects of a kind as they are now."""


class Computed:
    """Reads of the kinds that have a source; `in` tells whether one has."""

    def __init__(self, sources: Mapping[str, Source]) -> None:
        self._sources = sources
        """By the kind's key."""

    def __contains__(self, resource: Resource) -> bool:
        return resource.key in self._sources

    async def entries(
        self,
        declaration: Declaration,
        namespace: str = "",
        name: str = "",
        options: ListOptions | None = None,
    ) -> list[Entry]:
        """What is selected, or the one of a name; 404 when that isn't there."""
        resource = declaration.resource
        options = options or ListOptions(field_selector=f"metadata.name={name}" if name else "")
        selection = Selection(declaration, options.label_selector, options.field_selector)
        found: list[Entry] = []
        for obj in await self._sources[resource.key]():
            metadata = metadata_of(obj)
            key = Key(resource.key, metadata.get("namespace") or "", metadata["name"])
            data = encode(obj)
            if namespace in ("", key.namespace) and selection.matches(key, data):
                found.append(Entry(key, 0, data))
        if name and not found:
            raise not_found(resource, name)
        return sorted(found, key=lambda entry: entry.key)

    async def list(self, declaration: Declaration, namespace: str, options: ListOptions) -> ObjectList:
        """What is selected."""
        return ObjectList(
            [entry.data for entry in await self.entries(declaration, namespace, options=options)], ""
        )

    async def get(self, declaration: Declaration, namespace: str, name: str) -> bytes:
        """The one of a name."""
        return (await self.entries(declaration, namespace, name))[0].data
