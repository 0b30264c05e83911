"""Who has what of a stock: what objects hold by the store, and what writes on their way have claimed.

Kept in memory and derived from the store, so that nothing can leak: what no stored object and no write in
flight has is free. Revisions decide when news of one object arrive out of order.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from ktui.engine.store.base import Key


class Item(NamedTuple):
    """One thing of a stock."""

    kind: str
    """"ip" or "port"."""
    number: int


Items: TypeAlias = frozenset[Item]


class Holdings:
    """Items and their holders."""

    def __init__(self) -> None:
        self._stored: dict[Key, tuple[int, Items]] = {}
        self._claims: dict[Key, list[Items]] = {}
        self._holders: dict[Item, set[Key]] = {}

    def is_free(self, item: Item, key: Key) -> bool:
        """Whether nobody but `key` has it."""
        return not (self._holders.get(item, frozenset[Key]()) - {key})

    def holds(self, key: Key) -> Items:
        """What an object has, by the store and by writes on their way."""
        _, stored = self._stored.get(key, (0, frozenset[Item]()))
        return stored.union(*self._claims.get(key, ()))

    def count(self, kind: str) -> int:
        """How many items of a kind somebody has."""
        return sum(item.kind == kind for item in self._holders)

    def claim(self, key: Key, items: Items) -> None:
        before = self.holds(key)
        self._claims.setdefault(key, []).append(items)
        self._update(key, before)

    def end_claim(self, key: Key, items: Items) -> None:
        before = self.holds(key)
        claims = self._claims[key]
        claims.remove(items)
        if not claims:
            del self._claims[key]
        self._update(key, before)
        self._forget(key)

    def store(self, key: Key, revision: int, items: Items) -> None:
        """What an object has had since a revision; nothing when it was deleted."""
        known, _ = self._stored.get(key, (0, None))
        if revision < known:
            return
        before = self.holds(key)
        self._stored[key] = (revision, items)
        self._update(key, before)
        self._forget(key)

    def _forget(self, key: Key) -> None:
        """Of an object that has nothing only news on their way matter."""
        _, stored = self._stored.get(key, (0, None))
        if not stored and key not in self._claims:
            self._stored.pop(key, None)

    def _update(self, key: Key, before: Items) -> None:
        after = self.holds(key)
        for item in before - after:
            holders = self._holders[item]
            holders.discard(key)
            if not holders:
                del self._holders[item]
        for item in after - before:
            self._holders.setdefault(item, set()).add(key)
