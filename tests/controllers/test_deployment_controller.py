"""Deployment: rollouts, scaling, pause, rollback, deadlines, history, conditions and events."""

import pytest
from lightkube.models.core_v1 import Pod

from ktui.kube.errors import forbidden
from ktui.kube.kinds import DEPLOYMENTS, PODS, REPLICA_SETS


def image(name):
    return {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": name}]}}}}


async def revision(world, name="web"):
    return (await world.get(DEPLOYMENTS, name))["metadata"]["annotations"][
        "deployment.kubernetes.io/revision"
    ]


class Watch:
    """Notes, at every change of a pod, how many are available and how many there are."""

    def __init__(self, world):
        self.available, self.total = [], []
        informer = world.informers.of(PODS, Pod)
        informer.add_handler(lambda delta: self.note(informer.list()))

    def note(self, pods):
        alive = [pod for pod in pods if pod.metadata.deletionTimestamp is None]
        ready = [
            pod
            for pod in alive
            if any(each.type == "Ready" and each.status == "True" for each in pod.status.conditions or ())
        ]
        self.available.append(len(ready))
        self.total.append(len(alive))


async def test_a_new_deployment_runs_its_pods(world, make):
    await world.apply(DEPLOYMENTS, make.deployment(replicas=3))
    (replica_set,) = await world.list(REPLICA_SETS)
    hash_label = replica_set["metadata"]["labels"]["pod-template-hash"]
    assert replica_set["metadata"]["name"] == f"web-{hash_label}"
    assert replica_set["spec"]["selector"]["matchLabels"] == {"app": "web", "pod-template-hash": hash_label}
    assert replica_set["metadata"]["annotations"] == {
        "deployment.kubernetes.io/desired-replicas": "3",
        "deployment.kubernetes.io/max-replicas": "4",
        "deployment.kubernetes.io/revision": "1",
    }
    assert all(pod["metadata"]["labels"]["pod-template-hash"] == hash_label for pod in await world.pods())
    found = await world.get(DEPLOYMENTS, "web")
    status = dict(found["status"])
    assert {each["type"]: each["reason"] for each in status.pop("conditions")} == {
        "Available": "MinimumReplicasAvailable",
        "Progressing": "NewReplicaSetAvailable",
    }
    assert status == {
        "observedGeneration": 1,
        "replicas": 3,
        "updatedReplicas": 3,
        "readyReplicas": 3,
        "availableReplicas": 3,
        "terminatingReplicas": 0,
    }
    assert await revision(world) == "1"
    name = replica_set["metadata"]["name"]
    assert await world.condition("web", "Progressing") == (
        "True",
        "NewReplicaSetAvailable",
        f'ReplicaSet "{name}" has successfully progressed.',
    )
    assert await world.condition("web", "Available") == (
        "True",
        "MinimumReplicasAvailable",
        "Deployment has minimum availability.",
    )
    assert await world.events("ScalingReplicaSet") == [f"Scaled up replica set {name} from 0 to 3"]


@pytest.mark.parametrize(
    ("surge", "unavailable", "most", "least"),
    [(1, 0, 11, 10), (0, 1, 10, 9), ("25%", "25%", 13, 8), ("30%", 0, 13, 10), ("100%", "0%", 20, 10)],
)
async def test_a_rolling_update_keeps_its_bounds(world, make, surge, unavailable, most, least):
    strategy = {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable},
    }
    await world.apply(DEPLOYMENTS, make.deployment(replicas=10, strategy=strategy))
    watch = Watch(world)
    await world.merge(DEPLOYMENTS, "web", image("web:2"))
    assert await world.replica_sets() == {"web:1": 0, "web:2": 10}
    assert min(watch.available) >= least
    assert max(watch.total) <= most
    assert await revision(world) == "2"


async def test_a_rollout_that_gets_stuck_keeps_the_old_pods_and_says_so(world, make):
    await world.apply(DEPLOYMENTS, make.deployment(replicas=4, progressDeadlineSeconds=60))
    world.kubelet.ready = lambda pod: pod["spec"]["containers"][0]["image"] == "web:1"
    await world.merge(DEPLOYMENTS, "web", image("web:bad"))
    assert await world.replica_sets() == {"web:1": 3, "web:bad": 2}
    condition = await world.condition("web", "Progressing")
    assert condition[:2] == ("True", "ReplicaSetUpdated")
    assert condition[2].endswith("is progressing.")
    await world.advance(59)
    assert (await world.condition("web", "Progressing"))[1] == "ReplicaSetUpdated"
    await world.advance(4)
    status, reason, message = await world.condition("web", "Progressing")
    assert (status, reason) == ("False", "ProgressDeadlineExceeded")
    assert message.startswith('ReplicaSet "web-')
    assert message.endswith('" has timed out progressing.')
    assert (await world.condition("web", "Available"))[0] == "True"
    world.kubelet.ready = lambda pod: True
    world.kubelet.poke()
    await world.settle()
    assert await world.replica_sets() == {"web:1": 0, "web:bad": 4}
    assert (await world.condition("web", "Progressing"))[:2] == ("True", "NewReplicaSetAvailable")


async def test_unavailable_pods_make_the_deployment_unavailable(world, make):
    world.kubelet.ready = lambda pod: False
    await world.apply(DEPLOYMENTS, make.deployment(replicas=2))
    assert await world.condition("web", "Available") == (
        "False",
        "MinimumReplicasUnavailable",
        "Deployment does not have minimum availability.",
    )
    found = await world.get(DEPLOYMENTS, "web")
    assert found["status"]["unavailableReplicas"] == 2


async def test_recreate_lets_every_old_pod_end_before_a_new_one_starts(world, make):
    await world.apply(DEPLOYMENTS, make.deployment(replicas=3, strategy={"type": "Recreate"}))
    world.kubelet.removes = False
    await world.merge(DEPLOYMENTS, "web", image("web:2"))
    assert await world.replica_sets() == {"web:1": 0}
    assert len(await world.names(PODS)) == 3
    world.kubelet.removes = True
    world.kubelet.poke()
    await world.settle()
    assert await world.replica_sets() == {"web:1": 0, "web:2": 3}
    images = {pod["spec"]["containers"][0]["image"] for pod in await world.pods()}
    assert images == {"web:2"}


async def test_going_back_reuses_the_old_replica_set_with_a_new_revision(world, make):
    await world.apply(DEPLOYMENTS, make.deployment())
    await world.merge(DEPLOYMENTS, "web", image("web:2"))
    await world.merge(DEPLOYMENTS, "web", image("web:1"))
    sets = {
        each["spec"]["template"]["spec"]["containers"][0]["image"]: each
        for each in await world.list(REPLICA_SETS)
    }
    assert await world.replica_sets() == {"web:1": 3, "web:2": 0}
    annotations = sets["web:1"]["metadata"]["annotations"]
    assert annotations["deployment.kubernetes.io/revision"] == "3"
    assert annotations["deployment.kubernetes.io/revision-history"] == "1"
    assert await revision(world) == "3"


async def test_scaling_is_not_a_rollout(world, make):
    await world.apply(DEPLOYMENTS, make.deployment(replicas=2))
    await world.merge(DEPLOYMENTS, "web", {"spec": {"replicas": 5}})
    (replica_set,) = await world.list(REPLICA_SETS)
    name = replica_set["metadata"]["name"]
    assert replica_set["spec"]["replicas"] == 5
    assert replica_set["metadata"]["annotations"]["deployment.kubernetes.io/desired-replicas"] == "5"
    await world.merge(DEPLOYMENTS, "web", {"spec": {"replicas": 1}})
    assert len(await world.pods()) == 1
    assert await world.events("ScalingReplicaSet") == [
        f"Scaled up replica set {name} from 0 to 2",
        f"Scaled up replica set {name} from 2 to 5",
        f"Scaled down replica set {name} from 5 to 1",
    ]
    assert (await world.condition("web", "Progressing"))[1] == "NewReplicaSetAvailable"


async def test_scaling_in_the_middle_of_a_rollout_is_proportional(world, make):
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 3, "maxUnavailable": 2}}
    await world.apply(DEPLOYMENTS, make.deployment(replicas=10, strategy=strategy))
    world.kubelet.ready = lambda pod: pod["spec"]["containers"][0]["image"] == "web:1"
    await world.merge(DEPLOYMENTS, "web", image("web:2"))
    assert await world.replica_sets() == {"web:1": 8, "web:2": 5}
    await world.merge(DEPLOYMENTS, "web", {"spec": {"replicas": 15}})
    assert await world.replica_sets() == {"web:1": 11, "web:2": 7}


async def test_a_paused_deployment_scales_but_does_not_roll(world, make):
    await world.apply(DEPLOYMENTS, make.deployment(replicas=2))
    await world.merge(DEPLOYMENTS, "web", {"spec": {"paused": True}})
    assert await world.condition("web", "Progressing") == (
        "Unknown",
        "DeploymentPaused",
        "Deployment is paused",
    )
    await world.merge(DEPLOYMENTS, "web", image("web:2"))
    await world.merge(DEPLOYMENTS, "web", {"spec": {"replicas": 4}})
    assert await world.replica_sets() == {"web:1": 4}
    assert len(await world.pods()) == 4
    world.kubelet.ready = lambda pod: pod["spec"]["containers"][0]["image"] == "web:1"
    await world.merge(DEPLOYMENTS, "web", {"spec": {"paused": False}})
    assert (await world.condition("web", "Progressing"))[1] in ("NewReplicaSetCreated", "ReplicaSetUpdated")
    world.kubelet.ready = lambda pod: True
    world.kubelet.poke()
    await world.settle()
    assert await world.replica_sets() == {"web:1": 0, "web:2": 4}


async def test_resuming_says_so(world, make):
    world.kubelet.ready = lambda pod: False
    await world.apply(DEPLOYMENTS, make.deployment(replicas=1, paused=True))
    assert await world.replica_sets() == {}
    await world.merge(DEPLOYMENTS, "web", {"spec": {"paused": False}})
    condition = await world.condition("web", "Progressing")
    assert condition[0] == "True"
    assert await world.replica_sets() == {"web:1": 1}


async def test_a_stuck_rollout_that_is_paused_and_resumed_gets_its_whole_deadline_again(world, make):
    world.kubelet.ready = lambda pod: False
    await world.apply(DEPLOYMENTS, make.deployment(replicas=1, progressDeadlineSeconds=60))
    await world.advance(50, step=10)
    await world.merge(DEPLOYMENTS, "web", {"spec": {"paused": True}})
    await world.advance(100, step=10)
    assert (await world.condition("web", "Progressing"))[1] == "DeploymentPaused"
    await world.merge(DEPLOYMENTS, "web", {"spec": {"paused": False}})
    resumed = ("Unknown", "DeploymentResumed", "Deployment is resumed")
    assert await world.condition("web", "Progressing") == resumed
    await world.advance(50, step=10)
    assert await world.condition("web", "Progressing") == resumed
    await world.advance(20, step=10)
    assert (await world.condition("web", "Progressing"))[1] == "ProgressDeadlineExceeded"


async def test_a_deployment_without_deadline_says_nothing_of_progress(world, make):
    await world.apply(DEPLOYMENTS, make.deployment(replicas=1, progressDeadlineSeconds=2**31 - 1))
    assert await world.condition("web", "Progressing") is None
    assert (await world.condition("web", "Available"))[0] == "True"


async def test_old_revisions_beyond_the_limit_are_deleted(world, make):
    await world.apply(DEPLOYMENTS, make.deployment(replicas=1, revisionHistoryLimit=2))
    for number in range(2, 7):
        await world.merge(DEPLOYMENTS, "web", image(f"web:{number}"))
    assert await world.replica_sets() == {"web:4": 0, "web:5": 0, "web:6": 1}
    assert await revision(world) == "6"
    await world.merge(DEPLOYMENTS, "web", {"spec": {"revisionHistoryLimit": 0}})
    assert await world.replica_sets() == {"web:6": 1}


async def test_min_ready_seconds_slows_a_rollout_down(world, make):
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    await world.apply(DEPLOYMENTS, make.deployment(replicas=2, minReadySeconds=10, strategy=strategy))
    await world.advance(11)
    await world.merge(DEPLOYMENTS, "web", image("web:2"))
    assert await world.replica_sets() == {"web:1": 2, "web:2": 1}
    await world.advance(10)
    assert await world.replica_sets() == {"web:1": 1, "web:2": 2}
    await world.advance(10)
    assert await world.replica_sets() == {"web:1": 0, "web:2": 2}


async def test_annotations_of_the_deployment_reach_its_replica_set(world, make):
    await world.apply(DEPLOYMENTS, make.deployment(replicas=1))
    await world.merge(
        DEPLOYMENTS, "web", {"metadata": {"annotations": {"kubernetes.io/change-cause": "why"}}}
    )
    (replica_set,) = await world.list(REPLICA_SETS)
    assert replica_set["metadata"]["annotations"]["kubernetes.io/change-cause"] == "why"
    assert replica_set["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "1"


async def test_a_hash_collision_is_resolved(world, make):
    await world.apply(DEPLOYMENTS, make.deployment(replicas=1))
    (first,) = await world.list(REPLICA_SETS)
    await world.client.delete(DEPLOYMENTS, "web", "default")
    await world.settle()
    squatter = make.replica_set(first["metadata"]["name"], replicas=0)
    squatter["spec"]["selector"]["matchLabels"] = {"other": "x"}
    squatter["spec"]["template"]["metadata"]["labels"] = {"other": "x"}
    await world.apply(REPLICA_SETS, squatter)
    await world.apply(DEPLOYMENTS, make.deployment(replicas=1))
    assert (await world.get(DEPLOYMENTS, "web"))["status"]["collisionCount"] == 1
    assert len(await world.names(REPLICA_SETS)) == 2
    assert len(await world.pods()) == 1


async def test_a_matching_orphan_replica_set_is_adopted(world, make):
    orphan = make.replica_set("old-one", replicas=1)
    orphan["metadata"]["labels"] = {"app": "web"}
    await world.apply(REPLICA_SETS, orphan)
    await world.apply(DEPLOYMENTS, make.deployment(replicas=1))
    assert await world.names(REPLICA_SETS) == ["old-one"]
    adopted = await world.get(REPLICA_SETS, "old-one")
    assert adopted["metadata"]["ownerReferences"][0]["kind"] == "Deployment"
    assert (await world.condition("web", "Progressing"))[1] in (
        "FoundNewReplicaSet",
        "NewReplicaSetAvailable",
    )


async def test_failures_of_replica_sets_show_on_the_deployment(world, make, monkeypatch):
    create = world.client.create

    async def refuse(resource, obj, *args, **options):
        if resource == PODS:
            raise forbidden(PODS, "", "exceeded quota")
        return await create(resource, obj, *args, **options)

    monkeypatch.setattr(world.client, "create", refuse)
    await world.apply(DEPLOYMENTS, make.deployment(replicas=1))
    assert (await world.condition("web", "ReplicaFailure"))[:2] == ("True", "FailedCreate")


async def test_a_deleted_deployment_takes_everything_along(world, make):
    await world.apply(DEPLOYMENTS, make.deployment(replicas=3))
    await world.client.delete(DEPLOYMENTS, "web", "default")
    await world.settle()
    assert await world.names(REPLICA_SETS) == []
    assert await world.names(PODS) == []


async def test_status_is_written_only_when_it_changes(world, make):
    await world.apply(DEPLOYMENTS, make.deployment(replicas=2))
    before = world.store.revision
    await world.advance(700, step=100)
    assert world.store.revision == before
