"""Podman's event stream, kept to: what others do to our pods, and a relist whenever the stream broke.

When the service died, or had to be killed because it answers no more, it is restarted first. Ends of containers
come sooner from the index's own watch.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any

import msgspec

from ktui.engine.kubelet.runtime.base import RuntimeCallError, RuntimeEvent
from ktui.engine.kubelet.runtime.podman_pods import PodIndex
from ktui.engine.kubelet.runtime.podman_rest import PodmanREST
from ktui.engine.kubelet.runtime.podman_service import PodmanService
from ktui.engine.kubelet.runtime.podman_silence import SilenceBreaker
from ktui.engine.kubelet.runtime.podman_specs import engine_filter

JSON = dict[str, Any]

log = logging.getLogger(__name__)

_CONNECT_SECONDS = 30.0
_RECONNECT_PAUSE = 0.2
_RECONNECT_PAUSE_MAX = 5.0


class PodmanEvents:
    """Feeds the stream to the index, for as long as the runtime is up."""

    def __init__(self, rest: PodmanREST, service: PodmanService, index: PodIndex, engine: str) -> None:
        self._rest = rest
        self._service = service
        self._index = index
        self._filters = engine_filter(engine)
        self._silence = SilenceBreaker(rest, service, index.owns)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, oci_runtime: str) -> None:
        """Connect, then list everything, so that nothing falls between; raises RuntimeCallError."""
        connected = asyncio.Event()
        self._tasks = [
            asyncio.create_task(self._keep_to_it(connected, oci_runtime)),
            asyncio.create_task(self._silence.run()),
        ]
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                await connected.wait()
        except TimeoutError as error:
            raise RuntimeCallError(f"podman gives no events in {_CONNECT_SECONDS:g}s") from error
        await self._index.relist()

    async def close(self) -> None:
        """Stop listening."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep_to_it(self, connected: asyncio.Event, oci_runtime: str) -> None:
        pause = _RECONNECT_PAUSE
        while True:
            is_first = not connected.is_set()
            try:
                async with self._rest.lines("GET", "events", stream="true", filters=self._filters) as lines:
                    connected.set()
                    if not is_first:
                        await self._index.relist()
                        self._index.events.send(RuntimeEvent(""))
                    pause = _RECONNECT_PAUSE
                    async for line in lines:
                        await self._take(line)
                log.warning("podman's event stream ended")
            except RuntimeCallError as error:
                log.warning("podman's event stream broke: %s", error)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _RECONNECT_PAUSE_MAX)
            if not self._service.is_running:
                try:
                    await self._service.start(oci_runtime)
                    log.warning("podman's service had ended and was restarted")
                except RuntimeCallError as error:
                    log.error("podman's service can't be restarted: %s", error)

    async def _take(self, line: bytes) -> None:
        with contextlib.suppress(msgspec.MsgspecError, KeyError):
            event: JSON = msgspec.json.decode(line, type=dict[str, Any])
            if event["Type"] == "container":
                await self._index.take_event(str(event["Action"]), str(event["Actor"]["ID"]))
