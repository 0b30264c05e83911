"""One record a line: how a change, a snapshot's object or a marker is spelled in the store's files.

`crc revision batch time op resource namespace name data`, separated by tabs. The CRC covers the rest of the
line, the data is the object's JSON as everyone else gets it, and `batch` is the first revision of the group
commit the record was written with: it tells a torn tail (never acknowledged) from damage further up.
"""

from __future__ import annotations

from collections.abc import Iterable
from sys import intern
from typing import NamedTuple
from urllib.parse import unquote_to_bytes
from zlib import crc32

from ktui.engine.store.base import Change, Entry
from ktui.engine.store.sealing import Seal

HEADER = "H"
STATE = "S"
END = "E"
CHANGES = {"A": "ADDED", "M": "MODIFIED", "D": "DELETED"}

_OPS = frozenset({HEADER, STATE, END, *CHANGES})
_ESCAPES = str.maketrans({"%": "%25", "\t": "%09", "\n": "%0A", "\r": "%0D", "\0": "%00"})


class BadRecordError(ValueError):
    """The line is not a whole record; the message says in which way."""


class Record(NamedTuple):
    """What a line says; `time` is in milliseconds since the epoch."""

    revision: int
    batch: int
    time: int
    op: str
    resource: str
    namespace: str
    name: str
    data: bytes


def encode(record: Record) -> bytes:
    """Spell a record as a line, newline included."""
    revision, batch, time, op, resource, namespace, name, data = record
    return b"".join(_line(revision, f"{batch}\t{time}", op, resource, namespace, name, data))


def encode_changes(changes: Iterable[Change], batch: int, time: int, seal: Seal) -> bytes:
    """Spell changes as lines of the group commit that began with revision `batch`."""
    parts: list[bytes] = []
    commit = f"{batch}\t{time}"
    for change in changes:
        resource, namespace, name = change.key
        data = change.data
        if resource in seal.resources:
            data = seal.seal(change.key, change.revision, data)
        parts += _line(change.revision, commit, change.type[0], resource, namespace, name, data)
    return b"".join(parts)


def encode_state(entry: Entry, batch: int, time: int, seal: Seal) -> bytes:
    """Spell an object of a snapshot as a line."""
    data = entry.data
    if entry.key.resource in seal.resources:
        data = seal.seal(entry.key, entry.revision, data)
    return b"".join(_line(entry.revision, f"{batch}\t{time}", STATE, *entry.key, data))


def _line(
    revision: int, commit: str, op: str, resource: str, namespace: str, name: str, data: bytes
) -> tuple[bytes, bytes]:
    """The line in two parts, so that joining many copies each once; `commit` is its batch and time."""
    key = resource + namespace + name
    if "%" in key or not key.isprintable():
        resource, namespace, name = (part.translate(_ESCAPES) for part in (resource, namespace, name))
    head = f"{revision}\t{commit}\t{op}\t{resource}\t{namespace}\t{name}\t".encode()
    body = head + data + b"\n"
    return b"%08x\t" % crc32(body), body


def decode(line: bytes) -> Record:
    """Read a line back; raises BadRecordError."""
    if not line.endswith(b"\n"):
        raise BadRecordError("the line is cut short")
    crc, tab, body = line[:8], line[8:9], line[9:]
    try:
        intact = tab == b"\t" and int(crc, 16) == crc32(body)
    except ValueError:
        intact = False
    if not intact:
        raise BadRecordError("the checksum does not match")
    fields = body.split(b"\t", 7)
    if len(fields) != 8:
        raise BadRecordError("fields are missing")
    try:
        revision, batch, time = int(fields[0]), int(fields[1]), int(fields[2])
        op = intern(fields[3].decode())
        resource, namespace, name = (_text(field) for field in fields[4:7])
    except ValueError as error:
        raise BadRecordError(str(error)) from error
    if op not in _OPS:
        raise BadRecordError(f"{op!r} is not a kind of record this version knows")
    return Record(revision, batch, time, op, intern(resource), intern(namespace), name, fields[7][:-1])


def _text(field: bytes) -> str:
    return (unquote_to_bytes(field) if b"%" in field else field).decode()
