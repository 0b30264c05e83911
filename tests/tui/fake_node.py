"""A node's agent for the screens' tests: logs that a test writes line by line, and exec sessions it plays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from ktui.client.base import ExecOptions, ExecSession, LogOptions
from ktui.kube.errors import bad_request
from ktui.kube.resource import Object


@dataclass
class FakeLog:
    """One run of a container: its lines so far, and whether it has ended."""

    lines: list[bytes] = field(default_factory=list)
    ended: bool = False
    broken: str = ""
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def write(self, *lines: str) -> None:
        """Stamped lines: `12:00:01 hello` becomes one of 2026-03-01."""
        for line in lines:
            time, _, text = line.partition(" ")
            self.lines.append(f"2026-03-01T{time}Z {text}\n".encode())
        self._wake()

    def end(self) -> None:
        self.ended = True
        self._wake()

    def break_off(self, message: str) -> None:
        """The connection is lost once."""
        self.broken = message
        self._wake()

    def _wake(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()


class FakeNode:
    """Answers like a kubelet, for pods on one node."""

    def __init__(self) -> None:
        self.logs_of: dict[tuple[str, str], FakeLog] = {}
        self.previous_of: dict[tuple[str, str], FakeLog] = {}
        self.asked: list[tuple[str, LogOptions]] = []
        self.executed: list[tuple[str, ExecOptions]] = []
        self.session: ExecSession | None = None

    def log(self, pod: str, container: str = "main") -> FakeLog:
        return self.logs_of.setdefault((pod, container), FakeLog())

    def restart(self, pod: str, container: str = "main") -> FakeLog:
        """The present run becomes the previous one."""
        old = self.log(pod, container)
        self.previous_of[pod, container] = old
        self.logs_of[pod, container] = FakeLog()
        old.end()
        return self.logs_of[pod, container]

    @asynccontextmanager
    async def logs(self, pod: Object, options: LogOptions) -> AsyncGenerator[AsyncIterator[bytes]]:
        name = pod["metadata"]["name"]
        self.asked.append((name, options))
        if options.previous:
            log = self.previous_of.get((name, options.container))
            if log is None:
                raise bad_request(
                    f'previous terminated container "{options.container}" in pod "{name}" not found'
                )
        else:
            log = self.log(name, options.container)
        yield self._chunks(log, options)

    async def _chunks(self, log: FakeLog, options: LogOptions) -> AsyncGenerator[bytes]:
        at = 0 if options.tail_lines is None else max(0, len(log.lines) - options.tail_lines)
        while True:
            changed = log.changed
            new = log.lines[at:]
            at = len(log.lines)
            wanted = [line for line in new if line[:20].decode() >= options.since_time[:20]]
            if wanted:
                yield b"".join(wanted)
            if log.broken:
                message, log.broken = log.broken, ""
                raise ConnectionResetError(message)
            if log.ended or not options.follow:
                return
            await changed.wait()

    async def exec(self, pod: Object, options: ExecOptions) -> ExecSession:
        self.executed.append((pod["metadata"]["name"], options))
        assert self.session is not None
        return self.session

    attach = exec  # noqa: A003

    async def dial(self, pod: Object, port: int) -> tuple[object, object]:
        raise NotImplementedError

    async def stats(self) -> Sequence[Object]:
        return ()
