"""How the data of some resources is kept from the disk's readers: sealed before it is written, opened when read.

The store knows no cryptography: it is handed a `Seal`. Sealed data begins with a mark that no object's JSON
begins with, so both kinds can stand in one file. In memory everything is open.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, Protocol

from ktui.engine.store.base import Key, StoreError

MARK: Final = b"sealed:"
"""What sealed data begins with; behind it there is no newline."""


class SealError(StoreError):
    """Sealed data can't be opened; the message says of what, and what is missing."""


class Seal(Protocol):
    """Seals the data of some resources."""

    resources: Collection[str]
    """By `Resource.key`; others are never handed over for sealing."""

    def seal(self, key: Key, revision: int, data: bytes) -> bytes:
        """What goes to the disk. Called from several threads."""
        ...

    def open(self, key: Key, revision: int, data: bytes) -> bytes:
        """What was sealed, or `data` if it is not; raises SealError."""
        ...

    def is_current(self, data: bytes) -> bool:
        """Whether data on the disk is as it would be written today."""
        ...


class Unsealed:
    """Of a store that was given no keys: writes as it is, and refuses what it can't read."""

    resources: Collection[str] = ()

    def seal(self, key: Key, revision: int, data: bytes) -> bytes:
        return data

    def open(self, key: Key, revision: int, data: bytes) -> bytes:
        if data.startswith(MARK):
            raise SealError(f"{key} is encrypted; start with --encrypt-secrets and the file that has its key")
        return data

    def is_current(self, data: bytes) -> bool:
        return True
