"""The stores that benchmarks/store.py measures, behind one small protocol: load, write, close.

etcd is spoken to in its own protocol, gRPC, by the least client there can be: ready-made HTTP/2 frames on one
connection, about 20 µs a request, so that what is measured is etcd and not a Python client.
"""

from __future__ import annotations

import asyncio
import re
import socket
import sqlite3
import struct
import time
from pathlib import Path
from typing import Any, Protocol

import msgspec
from tinydb import TinyDB
from tinydb.table import Document

from ktui.engine.store import Entry, Key, open_store


def pod(n: int) -> dict[str, Any]:
    """A pod as a small Deployment's look when they run: about 2 KB of JSON."""
    stamp = "2026-11-24T10:00:00Z"
    conditions = ("PodScheduled", "Initialized", "ContainersReady", "Ready")
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"web-{n}",
            "namespace": "default",
            "uid": f"7d1c1f0e-1f7b-4c53-9f5e-{n:012d}",
            "creationTimestamp": stamp,
            "labels": {"app": "web", "tier": "front", "pod-template-hash": "6f7d5b8c9d"},
            "ownerReferences": [
                {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-6f7d5b8c9d", "controller": True}
            ],
        },
        "spec": {
            "nodeName": "node-1",
            "restartPolicy": "Always",
            "serviceAccountName": "default",
            "containers": [
                {
                    "name": name,
                    "image": "localhost/ktui-sample:latest",
                    "env": [{"name": f"SETTING_{i}", "value": f"value-{i}"} for i in range(6)],
                    "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
                    "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 10},
                }
                for name in ("web", "sidecar")
            ],
        },
        "status": {
            "phase": "Running",
            "podIP": "10.88.0.7",
            "startTime": stamp,
            "conditions": [{"type": t, "status": "True", "lastTransitionTime": stamp} for t in conditions],
        },
    }


class Peer(Protocol):
    """A store under test; `write` returns when the new version of pod `n` is durable."""

    name: str
    note: str
    suspends: bool
    """Whether a write lets others run; if not, writers take turns."""

    async def load(self, count: int) -> None: ...

    async def write(self, n: int) -> None: ...

    async def reopen(self) -> float:
        """Seconds from a stopped store to one that answers."""
        ...

    async def close(self) -> None: ...


class Ktui:
    name = "ktui"
    suspends = True
    note = "in process; compare-and-swap, stamp, encode, group commit"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._store = open_store(folder)
        self._entries: list[Entry] = []

    async def load(self, count: int) -> None:
        self._pods = [pod(n) for n in range(count)]
        for start in range(0, count, 5000):
            batch = range(start, min(count, start + 5000))
            self._entries += await asyncio.gather(
                *(self._store.write(Key("pods", "default", f"web-{n}"), self._pods[n]) for n in batch)
            )
        await self._store.compact()

    async def write(self, n: int) -> None:
        entry = self._entries[n]
        self._entries[n] = await self._store.write(entry.key, self._pods[n], expected=entry.revision)

    async def reopen(self) -> float:
        count = len(self._entries)
        await self._store.close()
        self._entries = []
        start = time.perf_counter()
        self._store = open_store(self._folder)
        taken = time.perf_counter() - start
        assert len(self._store.list("pods").entries) == count
        return taken

    async def close(self) -> None:
        await self._store.close()


class StockTinyDB:
    name = "TinyDB JSONStorage"
    suspends = False
    note = "in process; rewrites its file and fsyncs it at each write"

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._path = folder / "db.json"
        self._db = TinyDB(self._path)

    async def load(self, count: int) -> None:
        self._pods = [pod(n) for n in range(count)]
        self._db.insert_multiple([Document(obj, n + 1) for n, obj in enumerate(self._pods)])

    async def write(self, n: int) -> None:
        self._db.update(self._pods[n], doc_ids=[n + 1])

    async def reopen(self) -> float:
        self._db.close()
        start = time.perf_counter()
        self._db = TinyDB(self._path)
        self._db.get(doc_id=1)
        return time.perf_counter() - start

    async def close(self) -> None:
        self._db.close()


class Sqlite:
    name = "sqlite3"
    suspends = False
    note = "in process; WAL, synchronous=FULL, one transaction a write, writers take turns on one connection"

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._path = folder / "db.sqlite"
        self._open()
        self._db.execute(
            "CREATE TABLE objects (key TEXT PRIMARY KEY, revision INTEGER, data BLOB) WITHOUT ROWID"
        )

    def _open(self) -> None:
        self._db = sqlite3.connect(self._path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")

    async def load(self, count: int) -> None:
        self._pods = [pod(n) for n in range(count)]
        self._revisions = [1] * count
        self._db.execute("BEGIN")
        rows = ((f"pods/web-{n}", 1, msgspec.json.encode(obj)) for n, obj in enumerate(self._pods))
        self._db.executemany("INSERT INTO objects VALUES (?, ?, ?)", rows)
        self._db.execute("COMMIT")

    async def write(self, n: int) -> None:
        seen = self._revisions[n]
        data = msgspec.json.encode(self._pods[n])
        self._db.execute(
            "UPDATE objects SET revision = ?, data = ? WHERE key = ? AND revision = ?",
            (seen + 1, data, f"pods/web-{n}", seen),
        )
        self._revisions[n] = seen + 1

    async def reopen(self) -> float:
        self._db.close()
        start = time.perf_counter()
        self._open()
        self._db.execute("SELECT count(*) FROM objects").fetchone()
        return time.perf_counter() - start

    async def close(self) -> None:
        self._db.close()


OWN_TOOL = str(Path(__file__).parents[1] / ".venv" / "bin" / "etcd-benchmark")
"""etcd's own load generator (go.etcd.io/etcd/tools/benchmark), which `make bench` builds where there is Go."""


class Etcd:
    name = "etcd"
    suspends = True
    note = "own process on loopback; plain Put over gRPC, one connection, client of ready-made HTTP/2 frames"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None

    async def load(self, count: int) -> None:
        self._pods = [pod(n) for n in range(count)]
        await self._start()
        pending = iter(range(count))

        async def loader() -> None:
            for n in pending:
                await self.write(n)

        await asyncio.gather(*(loader() for _ in range(200)))

    async def write(self, n: int) -> None:
        await self._client.put(b"/registry/pods/default/web-%d" % n, msgspec.json.encode(self._pods[n]))

    async def reopen(self) -> float:
        await self.close()
        start = time.perf_counter()
        await self._start()
        return time.perf_counter() - start

    async def close(self) -> None:
        if self._process is not None:
            self._client.close()
            self._process.terminate()
            await self._process.wait()
            self._process = None

    async def by_own_tool(self, count: int, writers: int, seconds: float) -> tuple[float, float]:
        """Writes a second and p99 by `benchmark put`, each writer with a connection of its own, as etcd is measured."""
        total = int(seconds * (10_000 if writers > 1 else 2_500))
        process = await asyncio.create_subprocess_exec(
            OWN_TOOL,
            *(f"--endpoints={self._endpoint}", f"--conns={writers}", f"--clients={writers}", "put"),
            *("--key-size=40", f"--val-size={len(msgspec.json.encode(self._pods[0]))}"),
            *(f"--total={total}", f"--key-space-size={count}"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        text = (await process.communicate())[0].decode()
        rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
        slow = re.search(r"99% in ([\d.]+) secs", text)
        if not rate or not slow:
            raise EtcdError(f"benchmark put said: {text}")
        return float(rate[1]), float(slow[1])

    async def _start(self) -> None:
        client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        self._endpoint = client
        arguments = {
            "data-dir": self._folder,
            "listen-client-urls": client,
            "advertise-client-urls": client,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": f"default={peer}",
            "quota-backend-bytes": 8 << 30,
            "log-level": "error",
            "logger": "zap",
        }
        self._process = await asyncio.create_subprocess_exec(
            "etcd",
            *(f"--{name}={value}" for name, value in arguments.items()),
            stderr=asyncio.subprocess.DEVNULL,
        )
        port = int(client.rpartition(":")[2])
        async with asyncio.timeout(60):
            while True:
                try:
                    self._client = await GrpcPut.connect(port)
                    await self._client.put(b"/health", b"")
                    return
                except (OSError, EtcdError):
                    await asyncio.sleep(0.01)


class EtcdError(Exception):
    """etcd answered a Put with an error, or hung up."""


class GrpcPut(asyncio.Protocol):
    """Unary `etcdserverpb.KV/Put` calls multiplexed on one HTTP/2 connection, within its flow control."""

    def __init__(self) -> None:
        self._calls: dict[int, asyncio.Future[None]] = {}
        self._answered: set[int] = set()
        self._next_stream = 1
        self._window = 65535
        self._blocked: list[bytes] = []
        self._received = bytearray()
        self._consumed = 0

    @classmethod
    async def connect(cls, port: int) -> GrpcPut:
        _, client = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        return client

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b""))

    def connection_lost(self, exc: Exception | None) -> None:
        for call in self._calls.values():
            if not call.done():
                call.set_exception(EtcdError("the connection is lost"))

    def close(self) -> None:
        self._calls.clear()
        self._transport.close()

    async def put(self, key: bytes, value: bytes) -> None:
        message = b"\x0a" + varint(len(key)) + key + b"\x12" + varint(len(value)) + value
        data = b"\0" + struct.pack(">I", len(message)) + message
        stream, self._next_stream = self._next_stream, self._next_stream + 2
        call = self._calls[stream] = asyncio.get_running_loop().create_future()
        self._send(frame(1, 4, stream, HEADERS) + frame(0, 1, stream, data), len(data))
        await call

    def _send(self, frames: bytes, cost: int) -> None:
        if self._blocked or cost > self._window:
            self._blocked.append(frames)
        else:
            self._window -= cost
            self._transport.write(frames)

    def data_received(self, data: bytes) -> None:
        received = self._received
        received += data
        at = 0
        while len(received) - at >= 9:
            length = int.from_bytes(received[at : at + 3], "big")
            if len(received) - at < 9 + length:
                break
            kind, flags = received[at + 3], received[at + 4]
            stream = int.from_bytes(received[at + 5 : at + 9], "big")
            self._frame(kind, flags, stream, bytes(received[at + 9 : at + 9 + length]))
            at += 9 + length
        del received[:at]

    def _frame(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == 0:  # DATA: a unary call that succeeded has a message
            self._answered.add(stream)
            self._consumed += len(payload)
            if self._consumed > 16384:
                self._transport.write(frame(8, 0, 0, struct.pack(">I", self._consumed)))
                self._consumed = 0
        elif kind == 1 and flags & 1:  # trailers
            call = self._calls.pop(stream, None)
            if call is not None and not call.done():
                if stream in self._answered:
                    call.set_result(None)
                else:
                    call.set_exception(EtcdError("Put failed"))
            self._answered.discard(stream)
        elif kind == 4 and not flags & 1:  # SETTINGS
            self._transport.write(frame(4, 1, 0, b""))
        elif kind == 6 and not flags & 1:  # PING
            self._transport.write(frame(6, 1, 0, payload))
        elif kind == 8 and stream == 0:  # WINDOW_UPDATE of the connection
            self._window += int.from_bytes(payload, "big")
            blocked, self._blocked = self._blocked, []
            for frames in blocked:
                self._send(frames, len(frames) - 18 - len(HEADERS))


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def header(name: bytes, value: bytes) -> bytes:
    """An HPACK literal without indexing, with a new name."""
    return b"\0" + varint(len(name)) + name + varint(len(value)) + value


HEADERS = b"".join(
    header(name, value)
    for name, value in [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", b"/etcdserverpb.KV/Put"),
        (b":authority", b"localhost"),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
    ]
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
