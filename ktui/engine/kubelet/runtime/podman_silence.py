"""A Podman that takes calls and never answers, because of a lock that somebody holds: it is shaken loose.

In: word from the REST client that a call got no answer in its time. Out: the service is killed, and with it the
clean-ups of our containers that conmon began long ago, so that their locks are free; who follows the service's
events starts it again. Containers run on: they are conmon's children.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import signal
from collections.abc import Callable
from pathlib import Path

from ktui.engine.kubelet.runtime.podman_rest import PodmanREST
from ktui.engine.kubelet.runtime.podman_service import PodmanService

log = logging.getLogger(__name__)

_CLEANUP_SECONDS = 5.0
"""A clean-up takes well under a second; one that waits for a lock takes as long as the lock is held."""


class SilenceBreaker:
    """Kills a silent service. `is_ours` tells whether a container id is of this engine."""

    def __init__(self, rest: PodmanREST, service: PodmanService, is_ours: Callable[[str], bool]) -> None:
        self._rest = rest
        self._service = service
        self._is_ours = is_ours

    async def run(self) -> None:
        """Act on every silence until cancelled."""
        while True:
            await self._rest.fell_silent.wait()
            log.warning("podman's service takes calls and does not answer: it is killed")
            await self._service.kill()
            for number in await asyncio.to_thread(old_cleanups, self._is_ours):
                log.warning("podman's clean-up %d hangs: it is killed", number)
                with contextlib.suppress(OSError):
                    os.kill(number, signal.SIGKILL)
            self._rest.fell_silent.clear()


def old_cleanups(is_ours: Callable[[str], bool], proc: Path = Path("/proc")) -> list[int]:
    """`podman … container cleanup <id>` of our containers that run for longer than one can take."""
    return [
        int(folder.name)
        for folder in proc.iterdir()
        if folder.name.isdigit() and _is_cleanup(_words(folder), is_ours) and _age(folder) > _CLEANUP_SECONDS
    ]


def _is_cleanup(words: list[str], is_ours: Callable[[str], bool]) -> bool:
    return _follows(words, "container", "cleanup") and any(is_ours(word) for word in words)


def _follows(words: list[str], first: str, second: str) -> bool:
    return (first, second) in itertools.pairwise(words)


def _words(folder: Path) -> list[str]:
    try:
        return (folder / "cmdline").read_text(errors="replace").split("\0")
    except OSError:
        return []


def _age(folder: Path) -> float:
    """Seconds since a process began; 0 for one that is gone."""
    try:
        # The name, the second field, may hold anything: what follows its bracket is numbers.
        ticks = int((folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[19])
        return float((folder.parent / "uptime").read_text().split()[0]) - ticks / os.sysconf("SC_CLK_TCK")
    except OSError:
        return 0.0
