"""One nftables table in the kernel that follows what it should be.

The first time it is made anew, whatever an earlier engine left in it; after that a script names only what
changed. Where a script fails, the next one makes it anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from ktui.engine.network.nft import has_table, nft, remove_table
from ktui.engine.network.ruleset import Ruleset, creation, difference


class Table:
    """A table of family ip with a fixed part and rules that come and go."""

    def __init__(self, name: str, base: Iterable[str]) -> None:
        self.name = name
        self._base = tuple(base)
        self._rules: Ruleset | None = None
        """What is in the kernel; None when that is not known."""
        self.suspect = asyncio.Event()
        """Set when it may have been removed: to be looked at now."""

    @property
    def is_known(self) -> bool:
        """Whether the next change is told by its difference."""
        return self._rules is not None

    async def apply(self, rules: Ruleset) -> None:
        """Make the rules these. Raises NetworkToolError; the kernel's rules are then the ones before."""
        before, self._rules = self._rules, None
        if before is None:
            await nft(creation(self.name, self._base, rules))
        else:
            await nft(difference(self.name, before, rules))
        self._rules = rules

    async def check(self) -> bool:
        """Whether it is still there: somebody may have flushed the whole ruleset."""
        if not await has_table(self.name):
            self._rules = None
        return self.is_known

    def forget(self) -> None:
        """Another may have written to it, or what it needs is gone: the next change makes it anew."""
        self._rules = None
        self.suspect.set()

    async def remove(self) -> None:
        """Take it out of the kernel, where it need not be."""
        self._rules = None
        await remove_table(self.name)
