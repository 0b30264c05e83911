"""Ends of processes as they happen: a pidfd per process in the event loop.

Podman's own event log is read by polling (its `died` events come up to 250 ms late); a pidfd is readable the
moment the process ends, costs nothing meanwhile, and works for any user's processes.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Hashable


class ProcessWatch:
    """Calls back once for each watched process that ends. Use from one event loop."""

    def __init__(self) -> None:
        self._descriptors: dict[Hashable, int] = {}

    def watch(self, key: Hashable, pid: int, ended: Callable[[], None]) -> None:
        """Call `ended` when `pid` has ended, soon if it already has. Raises OSError without descriptors."""
        self.forget(key)
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            asyncio.get_running_loop().call_soon(ended)
            return

        def readable() -> None:
            self.forget(key)
            ended()

        self._descriptors[key] = descriptor
        asyncio.get_running_loop().add_reader(descriptor, readable)

    def send_signal(self, key: Hashable, number: int) -> bool:
        """Signal the watched process; False when it is not watched, has ended or isn't ours to signal."""
        descriptor = self._descriptors.get(key)
        if descriptor is None:
            return False
        try:
            signal.pidfd_send_signal(descriptor, number)
        except OSError:
            return False
        return True

    def watches(self, key: Hashable) -> bool:
        """Whether `key`'s process is being watched."""
        return key in self._descriptors

    def lives(self, key: Hashable) -> bool:
        """Whether a watched process has not ended yet, even if nobody has been told."""
        descriptor = self._descriptors.get(key)
        if descriptor is None:
            return False
        try:
            signal.pidfd_send_signal(descriptor, 0)
        except ProcessLookupError:
            return False
        except OSError:
            return True  # it is there, and not ours to signal
        return True

    def forget(self, key: Hashable) -> None:
        """Stop watching. Idempotent."""
        descriptor = self._descriptors.pop(key, None)
        if descriptor is not None:
            asyncio.get_running_loop().remove_reader(descriptor)
            os.close(descriptor)

    def close(self) -> None:
        """Stop watching anything."""
        for key in list(self._descriptors):
            self.forget(key)
