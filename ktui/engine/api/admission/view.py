"""The store as admission plugins look things up in it."""

from __future__ import annotations

from ktui.engine.api.documents import decode
from ktui.engine.store.base import Key, Store
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
