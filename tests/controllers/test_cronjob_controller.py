"""CronJob: starts on time, missed starts, concurrency, history, and what becomes of its Jobs."""

from datetime import UTC, datetime, timedelta

import pytest
from job_objects import cron_job, end, job, running

from ktui.kube.cron import ScheduleError, parse_schedule, parse_zone
from ktui.kube.errors import StatusError
from ktui.kube.kinds import CRON_JOBS, JOBS

START = datetime(2026, 1, 1, tzinfo=UTC)
"""When the world's clock starts."""


def minutes(moment):
    return int(moment.timestamp()) // 60


async def status(world, name="tick"):
    return (await world.get(CRON_JOBS, name))["status"]


async def test_a_job_starts_on_time(world):
    template = {
        "metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}},
        "spec": cron_job()["spec"]["jobTemplate"]["spec"],
    }
    await world.apply(CRON_JOBS, cron_job(jobTemplate=template, timeZone="Europe/Berlin"))
    await world.advance(590, step=590)
    assert await world.names(JOBS) == []
    await world.advance(11)
    name = f"tick-{minutes(START + timedelta(minutes=10))}"
    assert await world.names(JOBS) == [name]
    made = await world.get(JOBS, name)
    assert made["metadata"]["labels"] == {"a": "b"}
    assert made["metadata"]["annotations"] == {
        "c": "d",
        "batch.kubernetes.io/cronjob-scheduled-timestamp": "2026-01-01T01:10:00+01:00",
    }
    (reference,) = made["metadata"]["ownerReferences"]
    assert (reference["kind"], reference["name"], reference["controller"]) == ("CronJob", "tick", True)
    found = await status(world)
    assert found["lastScheduleTime"] == "2026-01-01T00:10:00Z"
    assert [each["name"] for each in found["active"]] == [name]
    assert await world.events("SuccessfulCreate") and f"Created job {name}" in await world.events()
    (pod,) = await running(world)
    await end(world, pod)
    found = await status(world)
    assert not found.get("active") and found["lastSuccessfulTime"]
    assert await world.events("SawCompletedJob") == [f"Saw completed job: {name}, condition: Complete"]


@pytest.mark.parametrize(("policy", "jobs", "pods"), [("Allow", 2, 2), ("Forbid", 1, 1), ("Replace", 1, 1)])
async def test_what_still_runs_at_the_next_start(world, policy, jobs, pods):
    await world.apply(CRON_JOBS, cron_job(concurrencyPolicy=policy))
    await world.advance(601, step=601)
    first = await world.names(JOBS)
    await world.advance(600, step=600)
    names = await world.names(JOBS)
    assert (len(names), len(await running(world))) == (jobs, pods)
    assert (first[0] in names) is (policy != "Replace")
    assert len((await status(world))["active"]) == jobs
    assert bool(await world.events("JobAlreadyActive")) is (policy == "Forbid")


async def test_forbidden_starts_are_made_up_for_when_the_job_has_ended(world):
    await world.apply(CRON_JOBS, cron_job(concurrencyPolicy="Forbid"))
    await world.advance(601, step=601)
    await world.advance(660, step=660)
    await end(world, (await running(world))[0])
    assert f"tick-{minutes(START + timedelta(minutes=20))}" in await world.names(JOBS)


async def test_suspended_ones_start_nothing(world):
    await world.apply(CRON_JOBS, cron_job(suspend=True))
    await world.advance(1300, step=1300)
    assert await world.names(JOBS) == []


async def test_of_missed_starts_the_last_is_made_up_for(world):
    await world.apply(CRON_JOBS, cron_job(schedule="* * * * *", suspend=True))
    await world.advance(150 * 60 + 5, step=150 * 60 + 5)
    await world.merge(CRON_JOBS, "tick", {"spec": {"suspend": False}})
    assert await world.names(JOBS) == [f"tick-{minutes(START + timedelta(minutes=150))}"]
    (message,) = set(await world.events("TooManyMissedTimes"))
    assert message.startswith("too many missed start times")


async def test_a_start_is_too_late_after_its_deadline(world):
    await world.apply(CRON_JOBS, cron_job(startingDeadlineSeconds=30, suspend=True))
    await world.advance(660, step=660)
    await world.merge(CRON_JOBS, "tick", {"spec": {"suspend": False}})
    assert await world.names(JOBS) == []
    await world.advance(541, step=541)
    assert await world.names(JOBS) == [f"tick-{minutes(START + timedelta(minutes=20))}"]


async def test_only_the_last_jobs_are_kept(world):
    await world.apply(CRON_JOBS, cron_job(successfulJobsHistoryLimit=2, failedJobsHistoryLimit=0))
    await world.advance(1)
    for phase in ("Succeeded", "Succeeded", "Succeeded", "Failed"):
        await world.advance(600, step=600)
        if phase == "Failed":
            await world.merge(JOBS, (await world.names(JOBS))[-1], {"spec": {"backoffLimit": 0}})
        await end(world, (await running(world))[0], phase)
    names = await world.names(JOBS)
    assert names == [f"tick-{minutes(START + timedelta(minutes=each))}" for each in (20, 30)]


async def test_a_job_that_was_taken_away_is_missed(world):
    await world.apply(CRON_JOBS, cron_job())
    await world.advance(601, step=601)
    (name,) = await world.names(JOBS)
    await world.client.delete(JOBS, name, "default")
    await world.settle()
    assert not (await status(world)).get("active")
    assert await world.events("MissingJob") == [f"Active job went missing: {name}"]
    assert await world.names(JOBS) == []


async def test_a_job_of_the_same_name_is_left_alone(world):
    name = f"tick-{minutes(START + timedelta(minutes=10))}"
    await world.apply(JOBS, job(name))
    await world.apply(CRON_JOBS, cron_job())
    await world.advance(601, step=601)
    assert await world.names(JOBS) == [name]
    assert not (await status(world)).get("active")


async def test_deleting_a_cron_job_takes_its_jobs_and_pods_along(world):
    await world.apply(CRON_JOBS, cron_job())
    await world.advance(601, step=601)
    await world.client.delete(CRON_JOBS, "tick", "default")
    await world.settle()
    assert (await world.names(JOBS), await running(world)) == ([], [])


@pytest.mark.parametrize(
    ("schedule", "zone", "after", "expected"),
    [
        ("30 3 * * 1-5", "UTC", "2026-01-02T03:30:00", "2026-01-05T03:30:00"),
        ("*/15 0,12 * * *", "UTC", "2026-01-01T00:45:10", "2026-01-01T12:00:00"),
        ("0 0 13 * FRI", "UTC", "2026-01-01T00:00:00", "2026-01-02T00:00:00"),
        ("0 0 */2 * fri", "UTC", "2026-01-03T00:00:00", "2026-01-05T00:00:00"),
        ("0 0 29 feb ?", "UTC", "2026-01-01T00:00:00", "2028-02-29T00:00:00"),
        ("5/20 * * * *", "UTC", "2026-01-01T00:05:00", "2026-01-01T00:25:00"),
        ("@hourly", "UTC", "2026-01-01T00:00:00", "2026-01-01T01:00:00"),
        ("@yearly", "America/New_York", "2026-01-01T06:00:00", "2027-01-01T05:00:00"),
        ("@every 90s", "UTC", "2026-01-01T00:00:00", "2026-01-01T00:01:30"),
        ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00", "2026-03-30T00:30:00"),
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00", "2026-10-25T01:30:00"),
        ("0 0 31 2 *", "UTC", "2026-01-01T00:00:00", None),
    ],
)
def test_schedules(schedule, zone, after, expected):
    found = parse_schedule(schedule, parse_zone(zone)).next(datetime.fromisoformat(after + "+00:00"))
    assert found == (expected and datetime.fromisoformat(expected + "+00:00"))


@pytest.mark.parametrize(
    ("schedule", "problem"),
    [
        ("error", "expected exactly 5 fields, found 1: [error]"),
        ("60 * * * *", "end of range (60) above maximum (59): 60"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("1/2/3 * * * *", "too many slashes: 1/2/3"),
        ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
        ("@often", "unrecognized descriptor: @often"),
    ],
)
async def test_schedules_that_are_none(world, schedule, problem):
    with pytest.raises(ScheduleError) as error:
        parse_schedule(schedule)
    assert str(error.value) == problem
    with pytest.raises(StatusError, match="schedule: Invalid value"):
        await world.apply(CRON_JOBS, cron_job(schedule=schedule))
