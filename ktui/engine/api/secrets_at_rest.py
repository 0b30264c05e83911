"""Secrets at rest: what the store writes of Secrets is encrypted with keys from a file (`--encrypt-secrets`).

AES-256-GCM with a nonce for every record; object and revision are authenticated along, so that no record can be
moved to another place. The first key of the file encrypts, all of them decrypt: a new key goes first, and when
every record is written with it the old one can go. `plain` in the first place writes without encryption.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ktui.engine.store.base import Key
from ktui.engine.store.sealing import MARK, SealError
from ktui.kube.kinds import SECRETS

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_PLAIN: Final = "plain"
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", re.ASCII)
_ABOUT: Final = """\
# The keys that ktui encrypts Secrets with in its data folder. Whoever has this file and that folder has the
# Secrets; without this file nobody has them: keep a copy, and not in the data folder.
# The first key encrypts, all of them decrypt. To change it put a new line first, restart ktui, then remove the
# old line. A new key: head -c 32 /dev/urandom | base64
"""


class KeyFileError(Exception):
    """The file of keys can't be used; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class SecretKey:
    """A key with the name by which records say what they were encrypted with."""

    id: str
    key: bytes


class KeyFile:
    """A file of keys. `load` reads it or makes keys for a new one, which `save` writes."""

    def __init__(self, path: Path, keys: Sequence[SecretKey], *, is_plain: bool, is_new: bool) -> None:
        self.path = path
        self.keys = keys
        self.is_plain = is_plain
        self.is_new = is_new

    @classmethod
    def load(cls, path: Path) -> KeyFile:
        """The keys in a file; where there is none, a new key that is not written yet. Raises KeyFileError."""
        try:
            mode = path.stat().st_mode
            text = path.read_text()
        except FileNotFoundError:
            fresh = SecretKey(f"key-{os.urandom(4).hex()}", os.urandom(_KEY_BYTES))
            return cls(path, (fresh,), is_plain=False, is_new=True)
        except (OSError, UnicodeDecodeError) as error:
            raise KeyFileError(f"{path}: the keys for Secrets can't be read: {error}") from None
        if mode & 0o077:
            raise KeyFileError(f"{path}: others could read the keys for Secrets; chmod 600 it")
        lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), start=1)]
        words = [(number, line) for number, line in lines if line and not line.startswith("#")]
        is_plain = bool(words) and words[0][1] == _PLAIN
        keys = [_key(path, number, line) for number, line in words[is_plain:]]
        if not keys and not is_plain:
            raise KeyFileError(
                f"{path}: there is no key in it; a line is NAME:KEY, the key 32 bytes in base64"
            )
        names = [key.id for key in keys]
        if doubled := next((name for name in names if names.count(name) > 1), ""):
            raise KeyFileError(f'{path}: two keys are called "{doubled}"')
        return cls(path, keys, is_plain=is_plain, is_new=False)

    def save(self) -> None:
        """Write a new file, readable by its owner only, durably. Raises KeyFileError."""
        lines = [f"{key.id}:{base64.b64encode(key.key).decode()}\n" for key in self.keys]
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(_ABOUT + "".join(lines))
                file.flush()
                os.fsync(file.fileno())
            folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise KeyFileError(f"{self.path}: the new key for Secrets can't be written: {error}") from None


def _key(path: Path, number: int, line: str) -> SecretKey:
    name, colon, encoded = line.partition(":")
    try:
        key = base64.b64decode(encoded.strip(), validate=True)
    except binascii.Error:
        key = b""
    if not colon or not _ID.fullmatch(name) or len(key) != _KEY_BYTES:
        raise KeyFileError(
            f"{path}: line {number} is no key; it must be NAME:KEY, the key 32 bytes in base64"
        )
    return SecretKey(name, key)


class SecretSeal:
    """Encrypts Secrets with the keys of a file."""

    resources: Collection[str] = frozenset((SECRETS.key,))

    def __init__(self, file: KeyFile) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._path = file.path
        self._ciphers: dict[str, AESGCM] = {key.id: AESGCM(key.key) for key in file.keys}
        self._first = "" if file.is_plain else file.keys[0].id
        self._lead = MARK + f"aesgcm:{self._first}:".encode()

    def seal(self, key: Key, revision: int, data: bytes) -> bytes:
        if not self._first:
            return data
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._ciphers[self._first].encrypt(nonce, data, _bound_to(key, revision))
        return self._lead + base64.b64encode(nonce + sealed)

    def open(self, key: Key, revision: int, data: bytes) -> bytes:
        from cryptography.exceptions import InvalidTag

        if not data.startswith(MARK):
            return data
        way, _, rest = data[len(MARK) :].partition(b":")
        name, _, encoded = rest.partition(b":")
        if way != b"aesgcm":
            raise SealError(f"{key} is encrypted in a way that only a newer ktui knows")
        cipher = self._ciphers.get(name.decode())
        if cipher is None:
            raise SealError(
                f'{key} is encrypted with the key "{name.decode()}", which is not in {self._path}; put that key back '
                "into the file, below the others"
            )
        try:
            sealed = base64.b64decode(encoded)
            return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _bound_to(key, revision))
        except (InvalidTag, ValueError):
            raise SealError(
                f'{key} can\'t be decrypted with the key "{name.decode()}" of {self._path}: it is another key than the '
                "one of that name it was encrypted with, or the record was tampered with"
            ) from None

    def is_current(self, data: bytes) -> bool:
        if not self._first:
            return not data.startswith(MARK)
        return data.startswith(self._lead)


def _bound_to(key: Key, revision: int) -> bytes:
    return "\0".join((*key, str(revision))).encode()
