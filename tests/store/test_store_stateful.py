"""Any sequence of writes, failures, crashes, restarts and compactions against a model of three lines."""

from __future__ import annotations

import asyncio
import errno
import json
import shutil
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import hypothesis.strategies as st
import pytest
from broken_disk import FaultyDisk, crash
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ktui.engine.store import (
    HistoryLimits,
    JournaledStore,
    Key,
    RevisionConflictError,
    StoreError,
    open_store,
)

T = TypeVar("T")
keys = st.builds(
    Key, st.sampled_from(["pods", "nodes"]), st.sampled_from(["", "a", "a-b"]), st.sampled_from("xyz")
)
LIMITS = HistoryLimits(changes=8)


class StoreMachine(RuleBasedStateMachine):
    """The model: what is live, and every state there has been, by revision."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.folder = self.root / "0"
        self.crashes = 0
        self.runner = asyncio.Runner()
        self.disk = FaultyDisk()
        self.live: dict[Key, tuple[int, Any]] = {}
        self.states: dict[int, dict[Key, tuple[int, Any]]] = {1: {}}
        self.revision = 1

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    @initialize()
    def start(self) -> None:
        self.store = self.opened()

    def opened(self) -> JournaledStore:
        return open_store(self.folder, limits=LIMITS, compact_at=2000, files=self.disk)

    def remember(self, revision: int) -> None:
        assert revision > self.revision
        self.revision = revision
        self.states[revision] = dict(self.live)

    @rule(key=keys, value=st.integers(), expect=st.sampled_from(["any", "current", "nothing", "stale"]))
    def write(self, key: Key, value: int, expect: str) -> None:
        there = self.live.get(key, (0, None))[0]
        expected = {"any": None, "current": there, "nothing": 0, "stale": there + 1000}[expect]
        obj = {"metadata": {"name": key.name}, "value": value}
        if expected not in (None, there):
            with pytest.raises(RevisionConflictError):
                self.run(self.store.write(key, obj, expected=expected))
            return
        entry = self.run(self.store.write(key, obj, expected=expected))
        self.live[key] = (entry.revision, value)
        self.remember(entry.revision)

    @rule(key=keys)
    def delete(self, key: Key) -> None:
        if key not in self.live:
            with pytest.raises(RevisionConflictError):
                self.run(self.store.delete(key))
            return
        entry = self.run(self.store.delete(key, expected=self.live[key][0]))
        del self.live[key]
        self.remember(entry.revision)

    @rule(several=st.lists(st.tuples(keys, st.integers()), min_size=2, max_size=6))
    def write_together(self, several: list[tuple[Key, int]]) -> None:
        async def together() -> list[Any]:
            return await asyncio.gather(
                *(self.store.write(key, {"metadata": {}, "value": value}) for key, value in several)
            )

        for (key, value), entry in zip(several, self.run(together()), strict=True):
            self.live[key] = (entry.revision, value)
            self.remember(entry.revision)

    @rule(key=keys, broken=st.sampled_from(["write", "sync"]), stuck=st.booleans())
    def fail(self, key: Key, broken: str, stuck: bool) -> None:
        self.disk.broken = {broken: errno.ENOSPC} | ({"truncate": errno.EIO} if stuck else {})
        with pytest.raises(StoreError):
            self.run(self.store.write(key, {"metadata": {}, "value": None}))
        self.disk.broken = {}

    @rule()
    def compact(self) -> None:
        self.run(self.store.compact())

    @rule()
    def reopen(self) -> None:
        self.run(self.store.close())
        self.store = self.opened()

    @rule()
    @precondition(lambda self: self.crashes < 5)
    def lose_power(self) -> None:
        # A batch that failed on a disk that then refused to cut it may come back; settle that first.
        self.write(Key("pods", "a", "x"), 0, "any")
        self.run(self.store.compact())
        self.write(Key("pods", "a", "x"), 1, "any")
        self.crashes += 1
        copy = crash(self.folder, self.root / str(self.crashes))
        self.run(self.store.close())
        self.folder = copy
        self.store = self.opened()

    @invariant()
    def agrees_with_the_model(self) -> None:
        if not hasattr(self, "store"):
            return
        store = self.store
        assert store.revision == self.revision
        assert store.revision - store.oldest_revision <= LIMITS.changes
        for revision in range(store.oldest_revision, store.revision + 1):
            state = self.states[revision]
            for resource in ("pods", "nodes"):
                wanted = sorted((key, *seen) for key, seen in state.items() if key.resource == resource)
                page = store.list(resource, revision=revision)
                assert [self.seen(entry) for entry in page.entries] == wanted
        for resource in ("pods", "nodes"):
            wanted = sorted((key, *seen) for key, seen in self.live.items() if key.resource == resource)
            assert [self.seen(entry) for entry in store.list(resource).entries] == wanted
            page = store.list(resource, "a", limit=1)
            rest = store.list(resource, "a", after=page.entries[-1].key).entries if page.entries else []
            assert len(rest) == page.remaining
            assert [self.seen(e) for e in (*page.entries, *rest)] == [
                w for w in wanted if w[0].namespace == "a"
            ]

    def seen(self, entry: Any) -> tuple[Key, int, Any]:
        obj = json.loads(entry.data)
        assert obj["metadata"]["resourceVersion"] == str(entry.revision)
        return entry.key, entry.revision, obj["value"]

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.run(self.store.close())
        self.runner.close()
        shutil.rmtree(self.root)


StoreMachine.TestCase.settings = settings(
    max_examples=30, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
test_the_store_agrees_with_its_model = StoreMachine.TestCase
