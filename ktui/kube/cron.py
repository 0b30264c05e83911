"""Schedules in cron's five fields and its descriptors (`@hourly`, `@every 1h30m`): when is the next time?

The syntax, the messages about what is wrong with it and the habits around daylight saving are those of
robfig/cron, which Kubernetes uses: a day matches when day of month *and* day of week do if one of them is `*`,
else when one does; a time that a clock skips does not come, one that comes twice counts twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, NamedTuple, Protocol
from zoneinfo import ZoneInfo

from ktui.kube.duration import parse_duration

_YEARS: Final = 5
"""How far to look for a time: `30 2 *` (30 February) has none."""
_MINUTE: Final = timedelta(minutes=1)
_LONGEST: Final = 2**63 / 1e9
"""Seconds of the longest duration there is in Go."""


class ScheduleError(ValueError):
    """A schedule that cannot be read; the message says why."""


class Schedule(Protocol):
    """When something happens, again and again."""

    def next(self, after: datetime) -> datetime | None:
        """The first time later than `after`, in UTC; None if there is none in the coming years."""
        ...


class _Bounds(NamedTuple):
    low: int
    high: int
    names: tuple[str, ...] = ()


_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: Final = (
    _Bounds(0, 59),
    _Bounds(0, 23),
    _Bounds(1, 31),
    _Bounds(1, 12, _MONTHS),
    _Bounds(0, 6, _DAYS),
)
_DESCRIPTORS: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


class _Field(NamedTuple):
    values: frozenset[int]
    is_star: bool


@dataclass(frozen=True, slots=True)
class _Calendar:
    """Five fields, read on the clock of a zone."""

    minute: _Field
    hour: _Field
    day: _Field
    month: _Field
    weekday: _Field
    zone: tzinfo

    def next(self, after: datetime) -> datetime | None:
        moment = after.astimezone(UTC).replace(second=0, microsecond=0) + _MINUTE
        last = moment.year + _YEARS
        while moment.year <= last:
            local = moment.astimezone(self.zone)
            if local.month not in self.month.values:
                year, month = divmod(local.year * 12 + local.month, 12)
                moment = self._midnight(year, month + 1, 1)
            elif not self._has_day(local):
                tomorrow = local.date() + timedelta(days=1)
                moment = self._midnight(tomorrow.year, tomorrow.month, tomorrow.day)
            elif local.hour not in self.hour.values:
                moment += timedelta(minutes=60 - local.minute)
            elif local.minute not in self.minute.values:
                moment += _MINUTE
            else:
                return moment
        return None

    def _midnight(self, year: int, month: int, day: int) -> datetime:
        return datetime(year, month, day, tzinfo=self.zone).astimezone(UTC)

    def _has_day(self, local: datetime) -> bool:
        of_month = local.day in self.day.values
        of_week = local.isoweekday() % 7 in self.weekday.values
        if self.day.is_star or self.weekday.is_star:
            return of_month and of_week
        return of_month or of_week


@dataclass(frozen=True, slots=True)
class _Every:
    """A fixed time apart."""

    delay: timedelta

    def next(self, after: datetime) -> datetime | None:
        return after.astimezone(UTC).replace(microsecond=0) + self.delay


def parse_schedule(text: str, zone: tzinfo = UTC) -> Schedule:
    """Read a schedule, which `zone` places on the clock. Raises ScheduleError."""
    text = text.strip()
    if not text:
        raise ScheduleError("empty spec string")
    if text.startswith("@every "):
        return _every(text)
    if text.startswith("@"):
        if text not in _DESCRIPTORS:
            raise ScheduleError(f"unrecognized descriptor: {text}")
        text = _DESCRIPTORS[text]
    words = text.split()
    if len(words) != len(_FIELDS):
        raise ScheduleError(f"expected exactly 5 fields, found {len(words)}: [{' '.join(words)}]")
    minute, hour, day, month, weekday = (
        _field(word, bounds) for word, bounds in zip(words, _FIELDS, strict=True)
    )
    return _Calendar(minute, hour, day, month, weekday, zone)


def parse_zone(name: str) -> tzinfo:
    """A time zone by its name in the IANA database; raises ScheduleError for one that isn't there."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError) as error:
        raise ScheduleError(f"unknown time zone {name}") from error


def _every(text: str) -> Schedule:
    word = text.removeprefix("@every ").strip()
    try:
        seconds = parse_duration(word)
    except ValueError as error:
        raise ScheduleError(f"failed to parse duration {text}: {error}") from error
    if seconds > _LONGEST:
        raise ScheduleError(f"failed to parse duration {text}: it is too long")
    return _Every(timedelta(seconds=max(int(seconds), 1)))


def _field(text: str, bounds: _Bounds) -> _Field:
    """Ranges with commas between them."""
    values: set[int] = set()
    is_star = False
    for part in filter(None, text.split(",")):
        found, star = _range(part, bounds)
        values.update(found)
        is_star = is_star or star
    return _Field(frozenset(values), is_star)


def _range(text: str, bounds: _Bounds) -> tuple[range, bool]:
    """`*`, `n`, `n-m`, each perhaps with `/step`; and whether it says "any"."""
    span, *steps = text.split("/")
    first, *others = span.split("-")
    if len(steps) > 1:
        raise ScheduleError(f"too many slashes: {text}")
    is_star = first in ("*", "?")
    if is_star:
        low, high = bounds.low, bounds.high
    else:
        low = high = _number(first, bounds)
        if len(others) > 1:
            raise ScheduleError(f"too many hyphens: {text}")
        if others:
            high = _number(others[0], bounds)
    step = 1
    if steps:
        step = _integer(steps[0])
        if not others and not is_star:
            high = bounds.high
        is_star = is_star and step == 1
    if low < bounds.low:
        raise ScheduleError(f"beginning of range ({low}) below minimum ({bounds.low}): {text}")
    if high > bounds.high:
        raise ScheduleError(f"end of range ({high}) above maximum ({bounds.high}): {text}")
    if low > high:
        raise ScheduleError(f"beginning of range ({low}) beyond end of range ({high}): {text}")
    if step == 0:
        raise ScheduleError(f"step of range should be a positive number: {text}")
    return range(low, high + 1, step), is_star


def _number(text: str, bounds: _Bounds) -> int:
    name = text.lower()
    return bounds.names.index(name) + bounds.low if name in bounds.names else _integer(text)


def _integer(text: str) -> int:
    sign = text[:1] if text[:1] in ("+", "-") else ""
    digits = text[len(sign) :]
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 18:
        raise ScheduleError(
            f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax'
        )
    if sign == "-":
        raise ScheduleError(f"negative number (-{int(digits)}) not allowed: {text}")
    return int(digits)
