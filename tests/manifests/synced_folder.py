"""What a test does with a watched folder and its cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from ktui.client.base import Client, WatchOptions
from ktui.engine.manifests.folder import Folder
from ktui.engine.manifests.record import FOLDER_RECORD, record_name
from ktui.engine.manifests.syncer import Syncer
from ktui.kube.clock import RealClock
from ktui.kube.errors import StatusError
from ktui.kube.kinds import CONFIG_MAPS, MANIFEST_FILES
from ktui.kube.resource import Object, Resource

SETTLED_SECONDS = 4.0
"""By then a look takes everything for what it seems."""


class SkippingClock(RealClock):
    """Real time that a test can move on, so that nobody has to wait for what only takes its time."""

    def __init__(self) -> None:
        self._skipped = 0.0
        self._moved = asyncio.Event()

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self._skipped)

    def monotonic(self) -> float:
        return super().monotonic() + self._skipped

    async def sleep(self, seconds: float) -> None:
        due = self.monotonic() + seconds
        while (left := due - self.monotonic()) > 0:
            try:
                async with asyncio.timeout(left):
                    await self._moved.wait()
            except TimeoutError:
                return

    def skip(self, seconds: float) -> None:
        """Move on, and wake who has slept long enough."""
        self._skipped += seconds
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()


class SyncedFolder:
    """What a test does with the folder and the cluster."""

    def __init__(self, client: Client, root: Path, prune_limit: int = 20) -> None:
        self.client = client
        self.root = root
        self.prune_limit = prune_limit
        self.clock = SkippingClock()
        self._looks = 0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        folder = Folder(self.root, self.clock)
        syncer = Syncer(self.client, folder, clock=self.clock, prune_limit=self.prune_limit)
        self._task = asyncio.create_task(syncer.run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            _, pending = await asyncio.wait({self._task}, timeout=10)
            assert not pending, "the syncer does not end"
            self._task = None

    async def settle(self) -> None:
        """Let the syncer look at the folder once everything that is missing counts as missing."""
        # What the second look finds missing for long enough is removed before the third one.
        for seconds in (SETTLED_SECONDS, 0.0, 0.0):
            self._looks += 1
            self.write(
                "zz-look.yaml",
                f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: look-{self._looks}}}\n",
            )
            await self.until(self._has_looked, CONFIG_MAPS)
            self.clock.skip(seconds)

    async def _has_looked(self) -> bool:
        return await self.get(CONFIG_MAPS, f"look-{self._looks}") is not None

    def write(self, path: str, text: str) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    async def get(self, resource: Resource, name: str, namespace: str = "default") -> Object | None:
        try:
            return await self.client.get(resource, name, namespace if resource.namespaced else "")
        except StatusError as error:
            assert error.is_not_found, error
            return None

    async def record(self, path: str) -> Object:
        """A file's record, {} if there is none."""
        return await self.get(MANIFEST_FILES, record_name(str(self.root), path)) or {}

    async def folder(self) -> Object:
        return await self.get(MANIFEST_FILES, FOLDER_RECORD) or {}

    async def annotate(self, name: str, key: str, value: str) -> None:
        await self.client.patch(MANIFEST_FILES, name, {"metadata": {"annotations": {key: value}}})

    async def until(self, check: Callable[[], Awaitable[Any]], resource: Resource = MANIFEST_FILES) -> Any:
        """Check again whenever an object of `resource` changes; returns the first true result."""
        async with asyncio.timeout(10):
            async with self.client.watch(resource, options=WatchOptions(resource_version=None)) as batches:
                if found := await check():
                    return found
                async for _ in batches:
                    if found := await check():
                        return found
        raise AssertionError("the watch ended")

    async def until_state(self, path: str, state: str) -> Object:
        """The record's status once the file is in a state."""

        async def check() -> Object | None:
            status = (await self.record(path)).get("status") or {}
            return status if status.get("state") == state else None

        return await self.until(check)

    async def until_gone(self, resource: Resource, name: str, namespace: str = "default") -> None:
        async def check() -> bool:
            return await self.get(resource, name, namespace) is None

        await self.until(check, resource)
