"""The versioned store: every object at every recent revision, durable in a journal, watchable."""

from ktui.engine.store.base import (
    Change,
    CompactedError,
    Entry,
    FutureRevisionError,
    Key,
    Page,
    RevisionConflictError,
    Store,
    StoreError,
    Watcher,
)
from ktui.engine.store.history import HistoryLimits
from ktui.engine.store.lock import FolderLock, LockedError
from ktui.engine.store.recovery import CorruptStoreError
from ktui.engine.store.repair import Repair, repair
from ktui.engine.store.store import JournaledStore, open_store

__all__ = [
    "Change",
    "CompactedError",
    "CorruptStoreError",
    "Entry",
    "FolderLock",
    "FutureRevisionError",
    "HistoryLimits",
    "JournaledStore",
    "Key",
    "LockedError",
    "Page",
    "Repair",
    "RevisionConflictError",
    "Store",
    "StoreError",
    "Watcher",
    "open_store",
    "repair",
]
