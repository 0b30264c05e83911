"""When a CronJob has to start Jobs, which starts it has missed, and what is next; pure functions of its schedule.

Of starts that were missed only the last one is made up for, and only within `startingDeadlineSeconds`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from lightkube.models.batch_v1 import CronJob

from ktui.engine.controllers.objects import created_at
from ktui.kube.cron import Schedule

MANY: Final = 100
"""Missed starts beyond this are told of: a clock may be wrong, or the CronJob was down for long."""
_DELTA: Final = 0.1
"""A little later than the schedule says, so that its time has surely come."""


@dataclass(frozen=True, slots=True)
class Starts:
    """What is due at a moment."""

    due: datetime | None
    """The last scheduled time that has come and was not used; None: nothing to do yet."""
    missed: int
    after: datetime
    """From where the schedule was read."""

    @property
    def too_many(self) -> bool:
        return self.missed > MANY


def starts(cron_job: CronJob, schedule: Schedule, now: datetime, *, within_deadline: bool = True) -> Starts:
    """What a CronJob should have started since its last start, or its creation."""
    status = cron_job.status
    after = (status.lastScheduleTime if status else None) or created_at(cron_job)
    deadline = cron_job.spec.startingDeadlineSeconds
    if within_deadline and deadline is not None:
        after = max(after, now - timedelta(seconds=deadline))
    first = schedule.next(after)
    if first is None or now < first:
        return Starts(None, 0, after)
    second = schedule.next(first)
    if second is None or now < second:
        return Starts(first, 1, after)
    between = (second - first).total_seconds()
    missed = int((now - first).total_seconds() // between) + 1
    last = first
    near = schedule.next(first + timedelta(seconds=(missed - 2) * between))
    while near is not None and near <= now:
        last, near = near, schedule.next(near)
    return Starts(last, missed, after)


def next_start_in(cron_job: CronJob, schedule: Schedule, now: datetime) -> float | None:
    """Seconds until the next scheduled time; None if there is none."""
    found = starts(cron_job, schedule, now, within_deadline=False)
    following = schedule.next(found.due or found.after)
    if following is None:
        return None
    return max((following - now).total_seconds(), 0.0) + _DELTA


def job_name(cron_job_name: str, scheduled: datetime) -> str:
    """The CronJob's name and the minutes since the epoch, so that a time has one Job."""
    return f"{cron_job_name}-{int(scheduled.astimezone(UTC).timestamp()) // 60}"
