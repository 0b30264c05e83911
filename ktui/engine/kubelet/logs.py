"""A container's log as a stream: what there is, then (following) what comes, until the container has ended.

Reading happens in threads, a piece at a time; while following, inotify tells of new lines and the runtime's events
tell of the end. Like the kubelet's, a follow ends with the container it began with.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

from ktui.client.base import LogOptions
from ktui.engine.kubelet.file_changes import FileChanges
from ktui.engine.kubelet.log_reader import LogFormatter, LogReader
from ktui.engine.kubelet.runtime.base import ContainerState, NotFoundError, Runtime
from ktui.kube.clock import Clock, parse_time

_LAST_WRITES_SECONDS = 0.1
"""A dying container's last lines may reach the file a moment after its end was told."""


@asynccontextmanager
async def container_log(
    runtime: Runtime, container_id: str, options: LogOptions, clock: Clock
) -> AsyncGenerator[AsyncIterator[bytes]]:
    """The log of one container as chunks of whole lines. Raises NotFoundError when there is none."""
    record = await runtime.container(container_id)
    if record.log_path is None:
        raise NotFoundError(f"container {record.name} has no log file")
    formatter = LogFormatter(
        timestamps=options.timestamps, since=_since(options, clock), limit=options.limit_bytes
    )
    reader = LogReader(record.log_path, options.tail_lines)
    chunks = (
        _follow(runtime, container_id, reader, formatter, record.log_path)
        if options.follow and record.state is not ContainerState.EXITED
        else _present(reader, formatter)
    )
    try:
        yield chunks
    finally:
        await chunks.aclose()
        reader.close()


def _since(options: LogOptions, clock: Clock) -> datetime | None:
    if options.since_time:
        return parse_time(options.since_time)
    if options.since_seconds is not None:
        return clock.now() - timedelta(seconds=options.since_seconds)
    return None


def _read(reader: LogReader, formatter: LogFormatter) -> tuple[bytes, bool]:
    """The next output, and whether the present end was reached."""
    raw = reader.read()
    return formatter.format(raw), not raw


async def _present(reader: LogReader, formatter: LogFormatter) -> AsyncGenerator[bytes]:
    while not formatter.exhausted:
        output, at_end = await asyncio.to_thread(_read, reader, formatter)
        if output:
            yield output
        if at_end:
            break
    if not formatter.exhausted and (rest := reader.rest()) and (output := formatter.format(rest)):
        yield output


async def _follow(
    runtime: Runtime, container_id: str, reader: LogReader, formatter: LogFormatter, path: Path
) -> AsyncGenerator[bytes]:
    with FileChanges(path) as file:
        ended = asyncio.create_task(_until_ended(runtime, container_id), name=f"log of {container_id[:12]}")
        try:
            while not formatter.exhausted:
                file.changed.clear()
                was_ended = ended.done()
                output, at_end = await asyncio.to_thread(_read, reader, formatter)
                if output:
                    yield output
                if not at_end:
                    continue
                if was_ended:
                    break
                changed = asyncio.ensure_future(file.changed.wait())
                try:
                    await asyncio.wait([changed, ended], return_when=asyncio.FIRST_COMPLETED)
                finally:
                    changed.cancel()
        finally:
            ended.cancel()
            await asyncio.gather(ended, return_exceptions=True)
    if not formatter.exhausted and (rest := reader.rest()) and (output := formatter.format(rest)):
        yield output


async def _until_ended(runtime: Runtime, container_id: str) -> None:
    async with runtime.events() as events:
        if await _has_ended(runtime, container_id):
            return
        async for event in events:
            about_it = event.container_id == container_id
            if (about_it and event.type in ("died", "oom", "removed")) or not event.pod_uid:
                if not about_it and not await _has_ended(runtime, container_id):
                    continue
                await asyncio.sleep(_LAST_WRITES_SECONDS)
                return


async def _has_ended(runtime: Runtime, container_id: str) -> bool:
    try:
        record = await runtime.container(container_id)
    except NotFoundError:
        return True
    return record.state is ContainerState.EXITED
