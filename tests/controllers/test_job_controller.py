"""Job: completions, parallelism, failures, indexes, policies, suspension, deadlines, clearing away."""

import pytest
from job_objects import conditions, end, indexes, job, running

from ktui.client.base import DeleteOptions
from ktui.kube.kinds import JOBS, PODS

TRACKING = "batch.kubernetes.io/job-tracking"


async def status(world, name="work"):
    return (await world.get(JOBS, name))["status"]


async def test_pods_are_marked_and_selected(world):
    await world.apply(JOBS, job())
    (pod,) = await running(world)
    found = await world.get(JOBS, "work")
    uid, metadata = found["metadata"]["uid"], pod["metadata"]
    assert metadata["finalizers"] == [TRACKING]
    assert metadata["labels"] == {
        "controller-uid": uid,
        "job-name": "work",
        "batch.kubernetes.io/controller-uid": uid,
        "batch.kubernetes.io/job-name": "work",
    }
    assert metadata["ownerReferences"][0]["uid"] == uid
    assert found["spec"]["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
    assert (found["status"]["active"], found["status"]["ready"]) == (1, 1)
    assert await world.events("SuccessfulCreate") == [f"Created pod: {metadata['name']}"]


async def test_a_job_completes(world):
    await world.apply(JOBS, job(completions=3, parallelism=2))
    for expected in (2, 2, 1):
        pods = await running(world)
        assert len(pods) == expected
        await end(world, pods[0])
    found = await status(world)
    assert (found["succeeded"], found.get("active"), found["ready"], found["terminating"]) == (3, None, 0, 0)
    assert found["completionTime"] and found["startTime"]
    assert await conditions(world) == {
        "SuccessCriteriaMet": "CompletionsReached",
        "Complete": "CompletionsReached",
    }
    assert found["conditions"][-1]["message"] == "Reached expected number of succeeded pods"
    assert await world.events("Completed") == ["Job completed"]
    assert all(not pod["metadata"].get("finalizers") for pod in await world.list(PODS))


async def test_without_completions_one_success_is_enough_once_all_have_ended(world):
    await world.apply(JOBS, job(parallelism=2))
    first, second = await running(world)
    await end(world, first)
    assert len(await running(world)) == 1
    assert await conditions(world) == {}
    await end(world, second)
    assert "Complete" in await conditions(world)
    assert (await status(world))["succeeded"] == 2


async def test_failed_pods_are_replaced_later_and_later(world):
    await world.apply(JOBS, job())
    await end(world, (await running(world))[0], "Failed")
    assert await running(world) == []
    await world.advance(9)
    assert await running(world) == []
    await world.advance(2)
    (pod,) = await running(world)
    await end(world, pod, "Failed")
    await world.advance(18)
    assert await running(world) == []
    await world.advance(3)
    assert len(await running(world)) == 1
    assert (await status(world))["failed"] == 2


async def test_too_many_failures_end_a_job(world):
    await world.apply(JOBS, job(backoffLimit=0, parallelism=2, completions=2))
    first, second = await running(world)
    world.kubelet.removes = False
    await end(world, first, "Failed")
    assert await conditions(world) == {"FailureTarget": "BackoffLimitExceeded"}
    assert (await status(world))["terminating"] == 1
    world.kubelet.removes = True
    world.kubelet.poke()
    await world.settle()
    assert await conditions(world) == {
        "FailureTarget": "BackoffLimitExceeded",
        "Failed": "BackoffLimitExceeded",
    }
    assert (await status(world))["failed"] == 2
    assert await world.events("BackoffLimitExceeded") == ["Job has reached the specified backoff limit"]
    assert not await world.exists(PODS, second["metadata"]["name"])


async def test_restarts_in_place_count_as_failures(world):
    obj = job(backoffLimit=2)
    obj["spec"]["template"]["spec"]["restartPolicy"] = "OnFailure"
    await world.apply(JOBS, obj)
    (pod,) = await running(world)
    container = {
        "name": "main",
        "image": "work:1",
        "imageID": "",
        "ready": False,
        "restartCount": 2,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
    }
    await world.merge(
        PODS, pod["metadata"]["name"], {"status": {"containerStatuses": [container]}}, subresource="status"
    )
    assert (await conditions(world))["Failed"] == "BackoffLimitExceeded"


async def test_a_deadline_ends_a_job(world):
    await world.apply(JOBS, job(activeDeadlineSeconds=60))
    await world.advance(58, step=29)
    assert await conditions(world) == {}
    await world.advance(4)
    assert (await conditions(world))["Failed"] == "DeadlineExceeded"
    assert await running(world) == []


async def test_a_deleted_pod_is_replaced_and_counts_as_failed(world):
    await world.apply(JOBS, job())
    (pod,) = await running(world)
    await world.client.delete(PODS, pod["metadata"]["name"], "default")
    await world.advance(40, step=10)
    assert (await status(world))["failed"] == 1
    (other,) = await running(world)
    assert other["metadata"]["name"] != pod["metadata"]["name"]


async def test_policy_failed_waits_until_a_pod_has_gone(world):
    world.kubelet.removes = False
    await world.apply(JOBS, job(podReplacementPolicy="Failed"))
    (pod,) = await running(world)
    await world.client.delete(PODS, pod["metadata"]["name"], "default")
    await world.advance(20, step=10)
    assert await running(world) == []
    found = await status(world)
    assert (found["terminating"], found.get("failed")) == (1, None)
    await end(world, pod, "Failed")
    await world.advance(20, step=5)
    assert (await status(world))["failed"] == 1
    assert len(await running(world)) == 1


async def test_policy_failed_replaces_a_pod_that_went_before_it_had_a_node(world_with_nodes):
    world = world_with_nodes
    world.kubelet.starts = False
    await world.apply(JOBS, job(podReplacementPolicy="Failed"))
    (pod,) = await running(world)
    await world.client.delete(PODS, pod["metadata"]["name"], "default")
    await world.settle()
    assert (await status(world))["terminating"] == 1
    await world.advance(40, step=5)
    assert (await status(world))["failed"] == 1
    (other,) = await running(world)
    assert other["metadata"]["name"] != pod["metadata"]["name"]


async def test_scaling_parallelism_down_deletes_pods(world):
    await world.apply(JOBS, job(parallelism=3, completions=6))
    await world.merge(JOBS, "work", {"spec": {"parallelism": 1}})
    assert len(await running(world)) == 1
    assert (await status(world))["active"] == 1


async def test_suspending_and_resuming(world):
    await world.apply(JOBS, job(suspend=True))
    assert await running(world) == []
    assert await conditions(world) == {"Suspended": "JobSuspended"}
    assert "startTime" not in await status(world)
    await world.merge(JOBS, "work", {"spec": {"suspend": False}})
    assert len(await running(world)) == 1
    assert await conditions(world) == {}
    assert (await status(world))["startTime"]
    await world.merge(JOBS, "work", {"spec": {"suspend": True}})
    assert await running(world) == []
    assert await conditions(world) == {"Suspended": "JobSuspended"}
    assert "Job resumed" in await world.events("Resumed")
    assert "Job suspended" in await world.events("Suspended")


async def test_indexed_pods_know_their_index(world):
    await world.apply(JOBS, job(completionMode="Indexed", completions=4, parallelism=3))
    assert await indexes(world) == [0, 1, 2]
    pod = (await running(world))[1]
    key = "batch.kubernetes.io/job-completion-index"
    assert pod["metadata"]["name"].startswith("work-1-")
    assert pod["metadata"]["labels"][key] == pod["metadata"]["annotations"][key] == "1"
    assert pod["spec"]["hostname"] == "work-1"
    (variable,) = pod["spec"]["containers"][0]["env"]
    assert variable["name"] == "JOB_COMPLETION_INDEX"
    assert variable["valueFrom"]["fieldRef"]["fieldPath"] == f"metadata.labels['{key}']"
    for each in await running(world):
        await end(world, each)
    found = await status(world)
    assert (found["completedIndexes"], found["succeeded"]) == ("0-2", 3)
    assert await indexes(world) == [3]
    await end(world, (await running(world))[0])
    assert (await status(world))["completedIndexes"] == "0-3"
    assert "Complete" in await conditions(world)


async def test_failures_are_limited_for_each_index(world):
    spec = {"completionMode": "Indexed", "completions": 2, "parallelism": 2, "backoffLimitPerIndex": 1}
    await world.apply(JOBS, job(**spec))
    for _ in range(2):
        first = next(pod for pod in await running(world) if pod["spec"]["hostname"] == "work-0")
        await end(world, first, "Failed")
        await world.advance(15, step=5)
    found = await status(world)
    assert found["failedIndexes"] == "0"
    assert await indexes(world) == [1]
    await end(world, (await running(world))[0])
    assert (await conditions(world))["Failed"] == "FailedIndexes"
    found = await status(world)
    assert (found["completedIndexes"], found["failedIndexes"], found["failed"]) == ("1", "0", 2)


async def test_a_retry_of_an_index_knows_of_its_failures(world):
    spec = {"completionMode": "Indexed", "completions": 1, "parallelism": 1, "backoffLimitPerIndex": 3}
    await world.apply(JOBS, job(**spec))
    await end(world, (await running(world))[0], "Failed")
    await world.advance(12, step=4)
    (pod,) = await running(world)
    assert pod["metadata"]["annotations"]["batch.kubernetes.io/job-index-failure-count"] == "1"
    assert (await status(world))["failed"] == 1


async def test_too_many_failed_indexes(world):
    spec = {"completionMode": "Indexed", "completions": 4, "parallelism": 4, "backoffLimitPerIndex": 0}
    await world.apply(JOBS, job(**spec, maxFailedIndexes=1))
    for pod in (await running(world))[:2]:
        await end(world, pod, "Failed")
    assert (await conditions(world))["Failed"] == "MaxFailedIndexesExceeded"
    assert (await status(world))["failedIndexes"] == "0,1"


@pytest.mark.parametrize(
    ("action", "ended", "counted"),
    [("FailJob", True, 1), ("Ignore", False, None), ("Count", False, 1)],
)
async def test_exit_codes_decide(world, action, ended, counted):
    codes = {"operator": "In", "values": [42]}
    policy = {"rules": [{"action": action, "onExitCodes": codes}]}
    await world.apply(JOBS, job(podFailurePolicy=policy))
    (pod,) = await running(world)
    await end(world, pod, "Failed", 42)
    assert ("Failed" in await conditions(world)) is ended
    assert (await status(world)).get("failed") == counted
    if ended:
        assert (await status(world))["conditions"][-1]["message"] == (
            f"Container main for pod default/{pod['metadata']['name']} failed with exit code 42 "
            "matching FailJob rule at index 0"
        )


async def test_disrupted_pods_may_be_ignored(world):
    pattern = {"type": "DisruptionTarget", "status": "True"}
    rule = {"action": "Ignore", "onPodConditions": [pattern]}
    await world.apply(JOBS, job(backoffLimit=0, podFailurePolicy={"rules": [rule]}))
    (pod,) = await running(world)
    await end(world, pod, "Failed", conditions=[pattern])
    assert await conditions(world) == {}
    await world.advance(12, step=4)
    assert len(await running(world)) == 1


async def test_an_index_may_fail_for_good(world):
    rule = {"action": "FailIndex", "onExitCodes": {"operator": "In", "values": [3]}}
    spec = {"completionMode": "Indexed", "completions": 2, "parallelism": 2, "backoffLimitPerIndex": 5}
    await world.apply(JOBS, job(**spec, podFailurePolicy={"rules": [rule]}))
    await end(world, (await running(world))[0], "Failed", 3)
    await world.advance(15, step=5)
    assert (await status(world))["failedIndexes"] == "0"
    assert await indexes(world) == [1]


async def test_a_job_may_succeed_early(world):
    policy = {"rules": [{"succeededIndexes": "0"}]}
    spec = {"completionMode": "Indexed", "completions": 3, "parallelism": 3}
    await world.apply(JOBS, job(**spec, successPolicy=policy))
    await end(world, (await running(world))[0])
    assert await conditions(world) == {"SuccessCriteriaMet": "SuccessPolicy", "Complete": "SuccessPolicy"}
    found = await status(world)
    assert (found["succeeded"], found["completedIndexes"], found.get("failed")) == (1, "0", None)
    assert found["conditions"][0]["message"] == "Matched rules at index 0"
    assert await running(world) == []


async def test_ended_jobs_go_with_their_pods_when_their_time_is_over(world):
    await world.apply(JOBS, job(ttlSecondsAfterFinished=30))
    await end(world, (await running(world))[0])
    await world.advance(29, step=10)
    assert await world.exists(JOBS, "work")
    await world.advance(3)
    assert not await world.exists(JOBS, "work")
    assert await world.list(PODS) == []


@pytest.mark.parametrize("policy", ["Background", "Foreground", "Orphan", ""])
async def test_a_deleted_job_leaves_no_pod_that_cannot_go(world, policy):
    await world.apply(JOBS, job())
    await world.client.delete(JOBS, "work", "default", options=DeleteOptions(propagation_policy=policy))
    await world.settle()
    assert not await world.exists(JOBS, "work")
    pods = await world.list(PODS)
    assert len(pods) == (1 if policy in ("Orphan", "") else 0)
    assert all(not pod["metadata"].get("finalizers") for pod in pods)


async def test_pods_are_adopted_and_released(world):
    selector = {"matchLabels": {"app": "work"}}
    obj = job(manualSelector=True, selector=selector, parallelism=1, completions=1)
    obj["spec"]["template"]["metadata"] = {"labels": {"app": "work"}}
    spec = obj["spec"]["template"]["spec"]
    orphan = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "stray", "namespace": "default", "labels": {"app": "work"}},
        "spec": spec,
    }
    await world.apply(PODS, orphan)
    await world.apply(JOBS, obj)
    found = await world.get(PODS, "stray")
    assert found["metadata"]["ownerReferences"][0]["name"] == "work"
    assert found["metadata"]["finalizers"] == [TRACKING]
    assert len(await running(world)) == 1
    await world.merge(PODS, "stray", {"metadata": {"labels": {"app": "other"}}})
    found = await world.get(PODS, "stray")
    assert not found["metadata"].get("ownerReferences") and not found["metadata"].get("finalizers")
    assert len(await running(world)) == 2


async def test_a_job_of_another_manager_is_left_alone(world):
    await world.apply(JOBS, job(managedBy="example.com/queue"))
    assert await running(world) == []
    assert await status(world) == {}
