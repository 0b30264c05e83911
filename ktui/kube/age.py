"""Durations and ages as kubectl prints them: `45s`, `3m12s`, `5h`, `2d3h`."""

from __future__ import annotations

from datetime import datetime

from ktui.kube.clock import parse_time

UNKNOWN = "<unknown>"


def human_duration(seconds: float) -> str:
    """A duration in two or three significant figures; up to a second before zero counts as zero."""
    total = int(seconds)
    if total < -1:
        return "<invalid>"
    if total < 0:
        return "0s"
    if total < 120:
        return f"{total}s"
    minutes = total // 60
    if minutes < 10:
        return _pair(minutes, "m", total % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    hours = minutes // 60
    if hours < 8:
        return _pair(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    days = hours // 24
    if days < 8:
        return _pair(days, "d", hours % 24, "h")
    if days < 365 * 2:
        return f"{days}d"
    years = days // 365
    if years < 8:
        return _pair(years, "y", days % 365, "d")
    return f"{years}y"


def age(since: str | datetime | None, now: datetime) -> str:
    """How long ago a timestamp was, or `<unknown>` when there is none."""
    if not since:
        return UNKNOWN
    try:
        moment = parse_time(since) if isinstance(since, str) else since
        return human_duration((now - moment).total_seconds())
    except (ValueError, TypeError):
        return UNKNOWN


def _pair(first: int, unit: str, second: int, smaller: str) -> str:
    return f"{first}{unit}{second}{smaller}" if second else f"{first}{unit}"
