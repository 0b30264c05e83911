"""The live documents as TinyDB's: a storage, a table class and the database that joins them.

Stock TinyDB reads and writes its whole content at each operation. Here a table keeps its documents as the
store's entries (bytes at a revision) and decodes one only when somebody looks inside it; an update collects
the documents it touched and hands just those to the store's journal. One table a resource, and a document's
id is `namespace/name`. `_read_table` and `_update_table` are TinyDB 4's seam for this.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any, NamedTuple

import msgspec
from tinydb import TinyDB
from tinydb.storages import Storage
from tinydb.table import Document, Table

from ktui.engine.store.base import Entry, Key
from ktui.kube.resource import Object, ObjectKey

_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Mutation(NamedTuple):
    """What an update through TinyDB wants of the journal: put `obj`, or remove what is there (None)."""

    key: Key
    obj: Object | None


def document_id(namespace: str, name: str) -> str:
    """TinyDB's id of an object in its resource's table."""
    return f"{namespace}/{name}"


class Documents:
    """One table's content: entries by document id, and their keys in order, sorted when first asked for."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self._keys: list[Key] = []
        self._added: set[Key] = set()
        self._removed: set[Key] = set()

    def get(self, key: Key) -> Entry | None:
        return self.entries.get(document_id(key.namespace, key.name))

    def put(self, entry: Entry) -> None:
        key = entry.key
        identity = document_id(key.namespace, key.name)
        if identity not in self.entries:
            if key in self._removed:
                self._removed.discard(key)
            else:
                self._added.add(key)
        self.entries[identity] = entry

    def drop(self, key: Key) -> None:
        if self.entries.pop(document_id(key.namespace, key.name), None) is None:
            return
        if key in self._added:
            self._added.discard(key)
        else:
            self._removed.add(key)

    def keys(self) -> Sequence[Key]:
        """Every key in (namespace, name) order; not to be changed, and good until the next write."""
        if len(self._added) + len(self._removed) > 16 + len(self._keys) // 1000:
            removed = self._removed
            kept = [key for key in self._keys if key not in removed] if removed else self._keys
            self._keys = sorted([*kept, *self._added])
        else:
            for key in self._removed:
                del self._keys[bisect_left(self._keys, key)]
            for key in self._added:
                insort(self._keys, key)
        self._added.clear()
        self._removed.clear()
        return self._keys


class DocumentsView(Mapping[str, Mapping[str, Any]]):
    """A table as TinyDB reads it: documents decoded one by one as they are looked at."""

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        self._entries = entries

    def __getitem__(self, identity: str) -> Object:
        return _decode(self._entries[identity].data)

    def __contains__(self, identity: object) -> bool:
        return identity in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


class Draft(MutableMapping[str, Any]):
    """A table as TinyDB's updaters change it: what they touched is kept apart until it is handed over."""

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        self._entries = entries
        self._touched: dict[str, Object | None] = {}

    def __getitem__(self, identity: str) -> Object:
        if identity not in self._touched:
            self._touched[identity] = _decode(self._entries[identity].data)
        found = self._touched[identity]
        if found is None:
            raise KeyError(identity)
        return found

    def __setitem__(self, identity: str, document: Object) -> None:
        self._touched[identity] = document

    def __delitem__(self, identity: str) -> None:
        if identity not in self:
            raise KeyError(identity)
        self._touched[identity] = None

    def __contains__(self, identity: object) -> bool:
        if identity in self._touched:
            return self._touched[str(identity)] is not None
        return identity in self._entries

    def __iter__(self) -> Iterator[str]:
        yield from [identity for identity in self._entries if identity in self]
        yield from [
            identity for identity in self._touched if identity not in self._entries and identity in self
        ]

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def mutations(self, resource: str) -> Iterator[Mutation]:
        """The documents that are no longer what they were."""
        for identity, document in self._touched.items():
            namespace, _, name = identity.partition("/")
            entry = self._entries.get(identity)
            if document is None:
                if entry is not None:
                    yield Mutation(entry.key, None)
            elif entry is None or _decode(entry.data) != document:
                yield Mutation(Key(resource, namespace, name), document)


class DocumentStorage(Storage):
    """TinyDB's storage: all tables, and the way into the journal (`commit` returns when durable)."""

    def __init__(self, commit: Callable[[Iterable[Mutation]], None]) -> None:
        self.commit = commit
        self._tables: dict[str, Documents] = {}

    def documents(self, resource: str) -> Documents:
        """The content of a table, begun when first asked for."""
        found = self._tables.get(resource)
        if found is None:
            found = self._tables[resource] = Documents()
        return found

    def contents(self) -> Iterable[Documents]:
        """Every table's content."""
        return self._tables.values()

    def read(self) -> dict[str, Any]:
        return {name: DocumentsView(table.entries) for name, table in self._tables.items() if table.entries}

    def write(self, data: Mapping[str, Mapping[str, Any]]) -> None:
        """Make the whole content `data`, writing what differs (TinyDB does this to drop tables)."""
        mutations: list[Mutation] = []
        for resource in {*self._tables, *data}:
            draft = Draft(self.documents(resource).entries)
            wanted = data.get(resource, {})
            for identity in [identity for identity in draft if identity not in wanted]:
                del draft[identity]
            draft.update({identity: dict(wanted[identity]) for identity in wanted})
            mutations.extend(draft.mutations(resource))
        self.commit(mutations)


class ObjectTable(Table):
    """A resource's objects as a TinyDB table."""

    document_id_class = str  # pyright: ignore[reportAssignmentType] - TinyDB's types know int only
    _storage: DocumentStorage

    def __init__(self, storage: DocumentStorage, name: str, **options: Any) -> None:
        super().__init__(storage, name, **options)
        self.documents = storage.documents(name)

    def insert(self, document: Mapping[str, Any]) -> int:
        return super().insert(_identified(document))  # pyright: ignore[reportUnknownMemberType] - TinyDB's types have bare mappings

    def insert_multiple(self, documents: Iterable[Mapping[str, Any]]) -> list[int]:
        identified = [_identified(document) for document in documents]
        return super().insert_multiple(identified)  # pyright: ignore[reportUnknownMemberType] - TinyDB's types have bare mappings

    def _read_table(self) -> DocumentsView:  # pyright: ignore[reportIncompatibleMethodOverride] - a view of what TinyDB wants as a dict
        return DocumentsView(self.documents.entries)

    def _update_table(self, updater: Callable[[Any], None]) -> None:
        draft = Draft(self.documents.entries)
        updater(draft)
        self._storage.commit(list(draft.mutations(self.name)))
        self.clear_cache()


class ObjectDatabase(TinyDB):
    """TinyDB with a table a resource."""

    table_class = ObjectTable
    default_storage_class = DocumentStorage  # pyright: ignore[reportAssignmentType] - TinyDB's types name its own class only

    def objects(self, resource: str) -> ObjectTable:
        """The table of a resource, as the class it is."""
        table = self._tables.get(resource)
        if table is None:
            table = self.table(resource)  # pyright: ignore[reportUnknownMemberType] - TinyDB's types have bare mappings
        assert isinstance(table, ObjectTable)
        return table

    def contents(self) -> Iterable[Documents]:
        """Every table's content."""
        assert isinstance(self._storage, DocumentStorage)
        return self._storage.contents()


def _identified(document: Mapping[str, Any]) -> Document:
    """Give a plain document the id that its metadata says."""
    if isinstance(document, Document):
        return document
    namespace, name = ObjectKey.of(dict(document))
    if not name:
        raise ValueError("a document needs metadata.name, it is stored under that")
    return Document(document, document_id(namespace, name))  # pyright: ignore[reportArgumentType] - TinyDB's types know int only
