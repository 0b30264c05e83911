"""Image garbage collection: when the disk is over 85 % full, unused images that ktui pulled go, oldest first.

Only images this kubelet pulled itself are ever removed: on a person's machine the store also holds theirs. Which
those are is kept in a file of the data folder.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

from ktui.engine.kubelet.runtime.base import ImageRecord, Runtime, RuntimeCallError
from ktui.kube.clock import Clock, parse_time, rfc3339

log = logging.getLogger(__name__)

HIGH_PERCENT = 85
LOW_PERCENT = 80
MINIMUM_AGE = timedelta(minutes=2)
PERIOD_SECONDS = 300.0


class PulledImages:
    """The ledger of images this kubelet pulled: id to when it was last used."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self.used: dict[str, datetime] = _load(path)

    def pulled(self, image_id: str) -> None:
        """An image came by a pull of ours."""
        if image_id not in self.used:
            self.used[image_id] = self._clock.now()
            self.save()

    def save(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps({id_: rfc3339(when) for id_, when in self.used.items()}))
        fresh.replace(self._path)


def _load(path: Path) -> dict[str, datetime]:
    try:
        found = cast(dict[str, Any], json.loads(path.read_text()))
        return {str(id_): parse_time(str(when)) for id_, when in found.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError) as error:
        # Losing the ledger only means that older images are kept.
        log.warning("%s: %s", path, error)
        return {}


class ImageGarbageCollector:
    """Frees space when it runs out. `mounted` gives the images that pods have as volumes."""

    def __init__(
        self,
        runtime: Runtime,
        clock: Clock,
        ledger: PulledImages,
        mounted: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        self._runtime = runtime
        self._clock = clock
        self._ledger = ledger
        self._mounted = mounted

    async def run(self) -> None:
        """Look every five minutes until cancelled."""
        while True:
            await self._clock.sleep(PERIOD_SECONDS)
            try:
                await self.collect()
            except RuntimeCallError as error:
                log.warning("image garbage collection: %s", error)

    async def collect(self, *, everything: bool = False) -> list[ImageRecord]:
        """One round; the images that were removed: as many as it takes, or `everything` that is unused."""
        images = await self._runtime.images()
        in_use = {
            name
            for pod in await self._runtime.pods()
            for container in pod.containers
            for name in (container.image_id, container.image)
        }
        for reference in set(self._mounted()):
            if (volume := await self._runtime.image_status(reference)) is not None:
                in_use.add(volume.id)
        now = self._clock.now()
        for image in images:
            if image.id in self._ledger.used and _is_used(image, in_use):
                self._ledger.used[image.id] = now
        known = {image.id for image in images}
        for gone in set(self._ledger.used) - known:
            del self._ledger.used[gone]
        await asyncio.to_thread(self._ledger.save)
        used, capacity = await self._runtime.filesystem_usage()
        if everything:
            to_free = sum(image.size_bytes for image in images)
        elif not capacity or used * 100 < capacity * HIGH_PERCENT:
            return []
        else:
            to_free = used - capacity * LOW_PERCENT // 100
        candidates = [
            image
            for image in images
            if image.id in self._ledger.used
            and not image.pinned
            and not _is_used(image, in_use)
            and now - self._ledger.used[image.id] >= MINIMUM_AGE
        ]
        removed = await self._remove(sorted(candidates, key=lambda i: self._ledger.used[i.id]), to_free)
        missing = to_free - sum(image.size_bytes for image in removed)
        if missing > 0 and not everything:
            log.warning("image garbage collection: %d bytes more would have to be freed", missing)
        return removed

    async def _remove(self, candidates: list[ImageRecord], to_free: int) -> list[ImageRecord]:
        removed: list[ImageRecord] = []
        for image in candidates:
            if to_free <= 0:
                break
            try:
                await self._runtime.remove_image(image.id)
            except RuntimeCallError as error:
                log.info("image %s not removed: %s", image.id, error)
                continue
            to_free -= image.size_bytes
            del self._ledger.used[image.id]
            removed.append(image)
        return removed


def _is_used(image: ImageRecord, in_use: set[str]) -> bool:
    return image.id in in_use or any(name in in_use for name in (*image.tags, *image.digests))
