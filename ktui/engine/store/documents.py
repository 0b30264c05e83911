"""The live documents as TinyDB's: a storage, a table class and the database that joins them.

Stock TinyDB reads and writes its whole content at each operation. Here a table keeps its documents as the
store's entries (bytes at a revision) and decodes one only when somebody looks inside it; an update collects
the documents it touched and hands just those to the store's journal. One table a resource, and a document's
id is `namespace/name`. `_read_table` and `_update_table` are TinyDB 4's seam for this.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from functools import cached_property
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


def document_key(resource: str, identity: str) -> Key:
    """The key of the object that TinyDB calls `identity`."""
    namespace, _, name = identity.partition("/")
    return Key(resource, namespace, name)


class Documents:
    """One table's content: entries by key, and the keys in order, sorted when first asked for."""

    def __init__(self) -> None:
        self.entries: dict[Key, Entry] = {}
        self._keys: list[Key] = []
        self._added: set[Key] = set()
        self._removed: set[Key] = set()

    def get(self, key: Key) -> Entry | None:
        return self.entries.get(key)

    def put(self, entry: Entry) -> None:
        key = entry.key
        if key not in self.entries:
            if key in self._removed:
                self._removed.discard(key)
            else:
                self._added.add(key)
        self.entries[key] = entry

    def drop(self, key: Key) -> None:
        if self.entries.pop(key, None) is None:
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

    def __init__(self, resource: str, entries: Mapping[Key, Entry]) -> None:
        self._resource = resource
        self._entries = entries

    def __getitem__(self, identity: str) -> Object:
        return _decode(self._entries[document_key(self._resource, identity)].data)

    def __contains__(self, identity: object) -> bool:
        return document_key(self._resource, str(identity)) in self._entries

    def __iter__(self) -> Iterator[str]:
        return (document_id(key.namespace, key.name) for key in self._entries)

    def __len__(self) -> int:
        return len(self._entries)


class Draft(MutableMapping[str, Any]):
    """A table as TinyDB's updaters change it: what they touched is kept apart until it is handed over."""

    def __init__(self, resource: str, entries: Mapping[Key, Entry]) -> None:
        self._resource = resource
        self._entries = entries
        self._touched: dict[Key, Object | None] = {}

    def __getitem__(self, identity: str) -> Object:
        key = document_key(self._resource, identity)
        if key not in self._touched:
            self._touched[key] = _decode(self._entries[key].data)
        found = self._touched[key]
        if found is None:
            raise KeyError(identity)
        return found

    def __setitem__(self, identity: str, document: Object) -> None:
        self._touched[document_key(self._resource, identity)] = document

    def __delitem__(self, identity: str) -> None:
        key = document_key(self._resource, identity)
        if not self._holds(key):
            raise KeyError(identity)
        self._touched[key] = None

    def __contains__(self, identity: object) -> bool:
        return self._holds(document_key(self._resource, str(identity)))

    def __iter__(self) -> Iterator[str]:
        known = [*self._entries, *(key for key in self._touched if key not in self._entries)]
        yield from [document_id(key.namespace, key.name) for key in known if self._holds(key)]

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def mutations(self) -> Iterator[Mutation]:
        """The documents that are no longer what they were."""
        for key, document in self._touched.items():
            entry = self._entries.get(key)
            if document is None:
                if entry is not None:
                    yield Mutation(key, None)
            elif entry is None or _decode(entry.data) != document:
                yield Mutation(key, document)

    def _holds(self, key: Key) -> bool:
        return self._touched[key] is not None if key in self._touched else key in self._entries


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
        return {
            name: DocumentsView(name, table.entries) for name, table in self._tables.items() if table.entries
        }

    def write(self, data: Mapping[str, Mapping[str, Any]]) -> None:
        """Make the whole content `data`, writing what differs (TinyDB does this to drop tables)."""
        mutations: list[Mutation] = []
        for resource in {*self._tables, *data}:
            draft = Draft(resource, self.documents(resource).entries)
            wanted = data.get(resource, {})
            for identity in [identity for identity in draft if identity not in wanted]:
                del draft[identity]
            draft.update({identity: dict(wanted[identity]) for identity in wanted})
            mutations.extend(draft.mutations())
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
        return DocumentsView(self.name, self.documents.entries)

    def _update_table(self, updater: Callable[[Any], None]) -> None:
        draft = Draft(self.name, self.documents.entries)
        updater(draft)
        self._storage.commit(list(draft.mutations()))
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

    @cached_property
    def documents(self) -> Callable[[str], Documents]:
        """What the table of a resource holds."""
        assert isinstance(self._storage, DocumentStorage)
        return self._storage.documents

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
