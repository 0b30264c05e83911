"""Expectations: a controller waits for its own writes to show up in the cache."""

from ktui.engine.controllers.expectations import Expectations
from ktui.kube.clock import FakeClock
from ktui.kube.resource import ObjectKey

KEY = ObjectKey("default", "web")


def test_creations_are_awaited_one_by_one():
    expectations = Expectations(FakeClock())
    assert expectations.satisfied(KEY)
    expectations.expect_creations(KEY, 2)
    assert not expectations.satisfied(KEY)
    expectations.creation_observed(KEY)
    assert not expectations.satisfied(KEY)
    expectations.creation_observed(KEY)
    assert expectations.satisfied(KEY)


def test_failed_creations_are_ticked_off_at_once():
    expectations = Expectations(FakeClock())
    expectations.expect_creations(KEY, 5)
    expectations.creation_observed(KEY, 5)
    assert expectations.satisfied(KEY)


def test_deletions_are_told_apart_by_uid():
    expectations = Expectations(FakeClock())
    expectations.expect_deletions(KEY, {"1", "2"})
    expectations.deletion_observed(KEY, "1")
    expectations.deletion_observed(KEY, "1")
    expectations.deletion_observed(KEY, "other")
    assert not expectations.satisfied(KEY)
    expectations.deletion_observed(KEY, "2")
    assert expectations.satisfied(KEY)


async def test_after_five_minutes_a_lost_watch_event_blocks_no_more():
    clock = FakeClock()
    expectations = Expectations(clock)
    expectations.expect_creations(KEY, 1)
    await clock.advance(299)
    assert not expectations.satisfied(KEY)
    await clock.advance(2)
    assert expectations.satisfied(KEY)


def test_a_gone_owner_is_forgotten():
    expectations = Expectations(FakeClock())
    expectations.expect_creations(KEY, 1)
    expectations.forget(KEY)
    assert expectations.satisfied(KEY)
    expectations.creation_observed(KEY)
