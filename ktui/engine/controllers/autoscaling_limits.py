"""How fast an autoscaler may follow what its metrics ask for: stabilization windows, policies and bounds.

In: a wish, and the autoscaler's `History` of earlier wishes and changes. Out: the replicas it may have now,
with the reasons Kubernetes gives for holding it back. Times are readings of the monotonic clock.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from ktui.kube.data import items, section
from ktui.kube.resource import Object

DOWNSCALE_STABILIZATION: Final = 300.0
_LONGEST_WINDOW: Final = 3600.0
"""The longest stabilization window the API allows; policies look back less far."""


class Moment(NamedTuple):
    """A wish, or by how many replicas a change went, and when."""

    replicas: int
    at: float


@dataclass(slots=True)
class History:
    """What an autoscaler wished for and did lately; lost with the engine, as in Kubernetes."""

    wishes: list[Moment] = field(default_factory=list[Moment])
    ups: list[Moment] = field(default_factory=list[Moment])
    downs: list[Moment] = field(default_factory=list[Moment])

    def wished(self, replicas: int, now: float) -> None:
        self.wishes = [*_since(self.wishes, now), Moment(replicas, now)]

    def changed(self, before: int, after: int, now: float) -> None:
        moment = Moment(abs(after - before), now)
        if after > before:
            self.ups = [*_since(self.ups, now), moment]
        else:
            self.downs = [*_since(self.downs, now), moment]


def _since(moments: Sequence[Moment], now: float) -> list[Moment]:
    return [moment for moment in moments if moment.at >= now - _LONGEST_WINDOW]


class Verdict(NamedTuple):
    """A number of replicas, and the reason and message of the condition that goes with it."""

    replicas: int
    reason: str
    message: str


_UP_STABILIZED: Final = (
    "ScaleUpStabilized",
    "recent recommendations were lower than current one, applying the lowest recent recommendation",
)
_DOWN_STABILIZED: Final = (
    "ScaleDownStabilized",
    "recent recommendations were higher than current one, applying the highest recent recommendation",
)
_READY: Final = ("ReadyForNewScale", "recommended size matches current size")
_WITHIN: Final = ("DesiredWithinRange", "the desired count is within the acceptable range")
_TOO_FAST_UP: Final = (
    "ScaleUpLimit",
    "the desired replica count is increasing faster than the maximum scale rate",
)
_TOO_FAST_DOWN: Final = (
    "ScaleDownLimit",
    "the desired replica count is decreasing faster than the maximum scale rate",
)
_TOO_MANY: Final = ("TooManyReplicas", "the desired replica count is more than the maximum replica count")
_TOO_FEW: Final = ("TooFewReplicas", "the desired replica count is less than the minimum replica count")


def stabilized(wish: int, current: int, behavior: Object | None, history: History, now: float) -> Verdict:
    """The wish, held back by the wishes of the last minutes; remembers it as one of them."""
    if behavior is None:
        recent = [each.replicas for each in history.wishes if each.at >= now - DOWNSCALE_STABILIZATION]
        held = max([wish, *recent])
        why = _DOWN_STABILIZED
    else:
        lowest = min([wish, *_within(history.wishes, _window(behavior, "scaleUp", 0.0), now)])
        down = _window(behavior, "scaleDown", DOWNSCALE_STABILIZATION)
        highest = max([wish, *_within(history.wishes, down, now)])
        held = min(max(current, lowest), highest)
        why = _UP_STABILIZED if wish >= current else _DOWN_STABILIZED
    history.wished(wish, now)
    return Verdict(held, *(why if held != wish else _READY))


def _window(behavior: Object, direction: str, default: float) -> float:
    seconds = section(behavior, direction).get("stabilizationWindowSeconds")
    return default if seconds is None else float(seconds)


def _within(moments: Sequence[Moment], seconds: float, now: float) -> list[int]:
    return [moment.replicas for moment in moments if moment.at > now - seconds]


def bounded(
    wish: int, current: int, least: int, most: int, behavior: Object | None, history: History, now: float
) -> Verdict:
    """The wish within minReplicas, maxReplicas and the rate of the policies."""
    if behavior is None:
        fastest = int(max(2.0 * current, 4.0))
        if wish < least:
            return Verdict(least, *_TOO_FEW)
        return _capped(wish, most, fastest)
    if wish > current:
        return _capped(
            wish, most, max(current, _up_limit(current, section(behavior, "scaleUp"), history, now))
        )
    if wish < current:
        slowest = min(current, _down_limit(current, section(behavior, "scaleDown"), history, now))
        if wish < max(least, slowest):
            return Verdict(max(least, slowest), *(_TOO_FAST_DOWN if least < slowest else _TOO_FEW))
    return Verdict(wish, *_WITHIN)


def _capped(wish: int, most: int, fastest: int) -> Verdict:
    if wish > min(most, fastest):
        return Verdict(min(most, fastest), *(_TOO_FAST_UP if most > fastest else _TOO_MANY))
    return Verdict(wish, *_WITHIN)


def _up_limit(current: int, rules: Object, history: History, now: float) -> int:
    if rules.get("selectPolicy") == "Disabled":
        return current
    limits = [
        start + int(policy["value"])
        if policy.get("type") == "Pods"
        else math.ceil(start * (1 + int(policy["value"]) / 100))
        for policy, start in _starts(current, rules, history, now)
    ]
    return min(limits) if rules.get("selectPolicy") == "Min" else max(limits)


def _down_limit(current: int, rules: Object, history: History, now: float) -> int:
    if rules.get("selectPolicy") == "Disabled":
        return current
    limits = [
        start - int(policy["value"])
        if policy.get("type") == "Pods"
        else int(start * (1 - int(policy["value"]) / 100))
        for policy, start in _starts(current, rules, history, now)
    ]
    return max(limits) if rules.get("selectPolicy") == "Min" else min(limits)


def _starts(current: int, rules: Object, history: History, now: float) -> list[tuple[Object, int]]:
    """Each policy, and how many replicas there were when its period began."""
    found: list[tuple[Object, int]] = []
    for policy in items(rules, "policies"):
        period = float(policy.get("periodSeconds") or 0)
        added, removed = sum(_within(history.ups, period, now)), sum(_within(history.downs, period, now))
        found.append((policy, current - added + removed))
    return found
