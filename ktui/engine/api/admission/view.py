"""The store as admission plugins look things up in it."""

from __future__ import annotations

from ktui.engine.api.documents import decode, metadata_of
from ktui.engine.store.base import Key, RevisionConflictError, Store
from ktui.kube.resource import Object


class StoreView:
    """The store as admission plugins look things up."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def lookup(self, resource: str, namespace: str, name: str) -> Object | None:
        entry = self._store.get(Key(resource, namespace, name))
        return decode(entry.data) if entry else None

    def listed(self, resource: str, namespace: str = "") -> list[Object]:
        return [decode(entry.data) for entry in self._store.list(resource, namespace).entries]

    def changed(self, resource: str) -> int:
        return self._store.changed(resource)

    async def replace(self, resource: str, obj: Object) -> bool:
        metadata = metadata_of(obj)
        key = Key(resource, metadata.get("namespace") or "", metadata["name"])
        try:
            await self._store.write(key, obj, expected=int(metadata["resourceVersion"]))
        except RevisionConflictError:
            return False
        return True
