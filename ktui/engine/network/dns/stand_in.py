"""The engine answers names itself while no agent does: one that was killed takes a second or two to come back.

It reads the very sockets that the agent had (see `sockets`), so that no question is lost, and stops once the next
agent has sockets of its own. What it takes to answer is loaded when the first agent serves, and kept ready.
"""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING

from ktui.client.informer import Informers
from ktui.engine.network.dns.sockets import NameSockets
from ktui.engine.network.services import ServiceView
from ktui.engine.network.settings import NetworkSettings
from ktui.kube.clock import Clock

if TYPE_CHECKING:
    from ktui.engine.network.dns.part import DnsPart

_PART = "ktui.engine.network.dns.part"


class NameStandIn:
    """Told by the agent's keeper how the agent fares; `run` until cancelled."""

    def __init__(self, informers: Informers, settings: NetworkSettings, clock: Clock) -> None:
        self._informers = informers
        self._settings = settings
        self._clock = clock
        self._sockets: NameSockets | None = None
        """Those of the last agent that served."""
        self._served, self._needed, self._relieved = asyncio.Event(), asyncio.Event(), asyncio.Event()

    def _part(self) -> DnsPart:
        from ktui.engine.network.dns.part import DnsPart

        return DnsPart(ServiceView(self._informers), self._informers, self._settings, self._clock)

    def relieve(self, sockets: NameSockets) -> None:
        """An agent serves on these sockets, which are ours to close."""
        before, self._sockets = self._sockets, sockets
        self._served.set()
        self._needed.clear()
        self._relieved.set()
        if before is not None:
            before.close()

    def step_in(self) -> None:
        """The agent has ended."""
        self._relieved.clear()
        self._needed.set()

    async def run(self) -> None:
        try:
            await self._served.wait()
            # To import it takes a tenth of a second that the loop does not have.
            await asyncio.to_thread(import_module, _PART)
            names = self._part()
            while True:
                await self._needed.wait()
                if self._sockets is None:
                    self._needed.clear()
                    continue
                answering = asyncio.create_task(names.run(self._sockets), name="names")
                relieved = asyncio.create_task(self._relieved.wait())
                try:
                    await asyncio.wait((answering, relieved), return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for task in (answering, relieved):
                        task.cancel()
                    await asyncio.gather(answering, relieved, return_exceptions=True)
                if not self._relieved.is_set():
                    answering.result()
        finally:
            if self._sockets is not None:
                self._sockets.close()
                self._sockets = None
