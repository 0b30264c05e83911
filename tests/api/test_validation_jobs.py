"""Rules for Jobs and CronJobs, and what the server adds to a new Job."""

from __future__ import annotations

from typing import Any

import pytest
from kind_cases import kind

from ktui.engine.api.local import LocalClient
from ktui.engine.api.registry import default_registry
from ktui.engine.api.server import ApiServer
from ktui.engine.store import open_store
from ktui.kube.clock import FakeClock
from ktui.kube.errors import StatusError
from ktui.kube.index_ranges import IndexRangeError, IndexRanges
from ktui.kube.kinds import CRON_JOBS, JOBS
from ktui.kube.resource import Object, Resource

POD: Object = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "work:1"}]}
INDEXED: Object = {"completionMode": "Indexed", "completions": 3}


@pytest.fixture
async def client():
    clock = FakeClock()
    store = open_store(None, clock=clock)
    server = ApiServer(store, default_registry(), clock)
    await server.start()
    yield LocalClient(server)
    await store.close()


def job(**spec: Any) -> Object:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "work", "namespace": "default"},
        "spec": {"template": {"spec": POD}, **spec},
    }


def cron_job(**spec: Any) -> Object:
    template = {"spec": {"template": {"spec": POD}}}
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "tick", "namespace": "default"},
        "spec": {"schedule": "@daily", "jobTemplate": template, **spec},
    }


async def refused(client: LocalClient, resource: Resource, obj: Object) -> list[str]:
    with pytest.raises(StatusError) as error:
        await client.create(resource, obj, "default")
    return [f"{cause.field}: {cause.message}" for cause in error.value.causes]


def rule(**fields: Any) -> Object:
    return {"podFailurePolicy": {"rules": [fields]}}


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        (
            {"template": {"spec": {**POD, "restartPolicy": "Always"}}},
            'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"',
        ),
        ({"completions": -1}, "spec.completions: Invalid value: -1: must be greater than or equal to 0"),
        (
            {"completionMode": "Indexed"},
            None,
        ),
        (
            {"completionMode": "Indexed", "parallelism": 1},
            "spec.completions: Required value: when completion mode is Indexed",
        ),
        (
            {"backoffLimitPerIndex": 1},
            "spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode",
        ),
        (
            {**INDEXED, "maxFailedIndexes": 1},
            "spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified",
        ),
        (
            rule(action="FailJob"),
            "spec.podFailurePolicy.rules[0]: Invalid value: specifying one of OnExitCodes and "
            "OnPodConditions is required",
        ),
        (
            rule(action="FailJob", onExitCodes={"operator": "In", "values": [0]}),
            "spec.podFailurePolicy.rules[0].onExitCodes.values[0]: Invalid value: 0: "
            "must not be 0 for the In operator",
        ),
        (
            {**INDEXED, "successPolicy": {"rules": [{"succeededIndexes": "2-5"}]}},
            'spec.successPolicy.rules[0].succeededIndexes: Invalid value: "2-5": '
            'error parsing succeededIndexes: too large index: "5"',
        ),
        (
            {"template": {"metadata": {"labels": {"job-name": "other"}}, "spec": POD}},
            "must be 'work'",
        ),
        (
            {"selector": {"matchLabels": {"a": "b"}}},
            "`selector` not auto-generated",
        ),
    ],
)
async def test_jobs_that_are_refused(client: LocalClient, spec: Object, problem: str | None):
    if problem is None:
        assert await client.create(JOBS, job(**spec), "default")
    else:
        assert any(problem in each for each in await refused(client, JOBS, job(**spec)))


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ({"schedule": ""}, "spec.schedule: Required value"),
        ({"schedule": "TZ=UTC @daily"}, "use timeZone field instead"),
        ({"timeZone": "Mars/Olympus"}, "unknown time zone Mars/Olympus"),
        ({"timeZone": "Local"}, "timeZone must be an explicit time zone"),
        ({"concurrencyPolicy": "Never"}, 'supported values: "Allow", "Forbid", "Replace"'),
        ({"failedJobsHistoryLimit": -1}, "must be greater than or equal to 0"),
    ],
)
async def test_cron_jobs_that_are_refused(client: LocalClient, spec: Object, problem: str):
    assert any(problem in each for each in await refused(client, CRON_JOBS, cron_job(**spec)))


async def test_what_is_filled_in(client: LocalClient):
    made = await client.create(JOBS, job(), "default")
    spec = {k: v for k, v in made["spec"].items() if k not in ("template", "selector")}
    assert spec == {
        "completions": 1,
        "parallelism": 1,
        "backoffLimit": 6,
        "completionMode": "NonIndexed",
        "suspend": False,
        "manualSelector": False,
        "podReplacementPolicy": "TerminatingOrFailed",
    }
    uid = made["metadata"]["uid"]
    assert made["metadata"]["labels"] == made["spec"]["template"]["metadata"]["labels"]
    assert made["metadata"]["labels"]["batch.kubernetes.io/controller-uid"] == uid
    assert made["status"] == {}


async def test_the_template_changes_only_while_a_job_is_suspended(client: LocalClient):
    await client.create(JOBS, job(suspend=True), "default")
    place: Object = {"spec": {"template": {"spec": {"nodeSelector": {"disk": "ssd"}}}}}
    await client.patch(JOBS, "work", place, "default")
    image = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "work:2"}]}}}}
    with pytest.raises(StatusError, match="field is immutable"):
        await client.patch(JOBS, "work", image, "default")
    await client.patch(JOBS, "work", {"spec": {"suspend": False}}, "default")
    place["spec"]["template"]["spec"]["nodeSelector"]["disk"] = "hdd"
    with pytest.raises(StatusError, match="field is immutable"):
        await client.patch(JOBS, "work", place, "default")


async def test_completions_of_an_indexed_job_change_with_its_parallelism(client: LocalClient):
    await client.create(JOBS, job(**INDEXED, parallelism=3), "default")
    with pytest.raises(StatusError, match="can only be modified in tandem"):
        await client.patch(JOBS, "work", {"spec": {"completions": 5}}, "default")
    await client.patch(JOBS, "work", {"spec": {"completions": 5, "parallelism": 5}}, "default")


async def test_a_status_agrees_with_itself(client: LocalClient):
    await client.create(JOBS, job(), "default")
    done = {"conditions": [{"type": "Complete", "status": "True"}]}
    with pytest.raises(StatusError) as error:
        await client.patch(JOBS, "work", {"status": done}, "default", subresource="status")
    assert "completionTime is required for Complete jobs" in error.value.message
    assert "without the SuccessCriteriaMet=true condition" in error.value.message


def test_cells():
    cells = {column.name: column.read for column in kind("jobs").columns}
    failed = {**job(), "status": {"conditions": [{"type": "Failed", "status": "True"}]}}
    assert (cells["Status"](job()), cells["Status"](failed)) == ("Running", "Failed")
    assert cells["Completions"](job(completions=3)) == "0/3"
    assert cells["Completions"](job(parallelism=2)) == "0/1 of 2"


def test_sets_of_indexes():
    some = IndexRanges.parse("0,2-4,7", 8)
    assert (len(some), list(some), str(some.including([1, 5]))) == (5, [0, 2, 3, 4, 7], "0-5,7")
    assert some.common(IndexRanges.of([3, 4, 5])) == 2
    assert some.pending(8, IndexRanges.of([1])) == [5, 6]
    for text in ("a", "3-1", "1,1", "0-1-2", "8"):
        with pytest.raises(IndexRangeError):
            IndexRanges.parse(text, 8)
