"""What must hold when writes fail, caches lag, the engine restarts, or there is a lot to do."""

import asyncio
import random
import time

import pytest
from controllers_world import NODE_CONTROLLERS, World

from ktui.client.events import EventRecorder
from ktui.client.informer import Informers
from ktui.engine.controllers.all import default_controllers
from ktui.engine.controllers.runtime import ControllerRunner
from ktui.kube.clock import settle
from ktui.kube.errors import conflict, internal, too_many_requests
from ktui.kube.kinds import DEPLOYMENTS, NAMESPACES, PODS, REPLICA_SETS


def image(name):
    return {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": name}]}}}}


class Flaky:
    """A client some of whose writes fail: before they are made, or, worse, after."""

    def __init__(self, client, seed):
        self._client = client
        self._random = random.Random(seed)
        self.failures = 0
        self.broken = True

    def __getattr__(self, name):
        call = getattr(self._client, name)
        if name not in ("create", "update", "patch", "delete", "delete_collection"):
            return call

        async def write(resource, *args, **options):
            luck = self._random.random() if self.broken else 1.0
            if luck < 0.15:
                self.failures += 1
                raise self._random.choice(
                    [conflict(resource, "x", "changed"), internal("bad luck"), too_many_requests("busy", 1)]
                )
            result = await call(resource, *args, **options)
            if luck < 0.25:
                self.failures += 1
                raise internal("the answer got lost")
            return result

        return write


@pytest.mark.parametrize("seed", range(5))
async def test_failing_writes_delay_but_never_derail(make, seed):
    world = World(without=NODE_CONTROLLERS)
    flaky = Flaky(world.client, seed)
    informers = Informers(world.client, world.clock)
    recorder = EventRecorder(flaky, "ktui", clock=world.clock)
    controllers = [
        each
        for each in default_controllers(flaky, recorder, world.clock)
        if each.name not in NODE_CONTROLLERS
    ]
    world.informers, world.recorder = informers, recorder
    world.runner = ControllerRunner(controllers, informers, world.clock)
    world.kubelet.setup(informers)
    await world.start()
    await world.apply(DEPLOYMENTS, make.deployment(replicas=5))
    await world.advance(2, step=0.5)
    await world.merge(DEPLOYMENTS, "web", image("web:2"))
    await world.advance(1, step=0.5)
    await world.merge(DEPLOYMENTS, "web", {"spec": {"replicas": 8}})
    await world.merge(DEPLOYMENTS, "web", image("web:3"))
    # A pod created whose answer got lost is expected for five minutes before anyone acts again.
    await world.advance(700, step=20)
    flaky.broken = False
    await world.advance(700, step=20)
    assert flaky.failures > 5
    sizes = await world.replica_sets()
    assert sizes["web:3"] == 8
    assert sum(sizes.values()) == 8
    assert len(await world.pods()) == 8
    found = await world.get(DEPLOYMENTS, "web")
    assert found["status"]["availableReplicas"] == 8
    await world.client.delete(DEPLOYMENTS, "web", "default")
    await world.advance(60, step=10)
    assert await world.names(PODS) == await world.names(REPLICA_SETS) == []
    await world.stop()


@pytest.mark.parametrize("seed", range(8))
async def test_whatever_people_do_the_last_word_counts(world, make, seed):
    luck = random.Random(seed)
    healthy = {f"web:{number}" for number in range(4)}
    world.kubelet.ready = lambda pod: pod["spec"]["containers"][0]["image"] in healthy

    async def break_an_image():
        healthy.discard(f"web:{luck.randrange(4)}")

    async def mend_all():
        healthy.update(f"web:{number}" for number in range(4))
        world.kubelet.poke()

    async def lose_a_pod():
        names = await world.names(PODS)
        if names:
            await world.client.delete(PODS, luck.choice(names), "default")

    async def strategy():
        rolling = {"maxSurge": luck.choice([0, 1, "50%"]), "maxUnavailable": luck.choice([1, 2, "25%"])}
        wanted = luck.choice(
            [{"type": "Recreate", "rollingUpdate": None}, {"type": "RollingUpdate", "rollingUpdate": rolling}]
        )
        await merge({"spec": {"strategy": wanted}})

    async def merge(patch):
        await world.client.patch(DEPLOYMENTS, "web", patch, "default")

    deeds = [
        lambda: merge(image(f"web:{luck.randrange(4)}")),
        lambda: merge({"spec": {"replicas": luck.randrange(8)}}),
        lambda: merge({"spec": {"paused": luck.random() < 0.3}}),
        lambda: world.clock.advance(luck.choice([0.01, 1, 30])),
        lambda: settle(luck.randrange(40)),
        break_an_image,
        mend_all,
        lose_a_pod,
        strategy,
    ]
    await world.apply(DEPLOYMENTS, make.deployment(replicas=4, image="web:0"))
    for _ in range(40):
        await luck.choice(deeds)()
    await mend_all()
    await merge({"spec": {"paused": False, "replicas": 5}})
    await merge(image("web:last"))
    healthy.add("web:last")
    await world.advance(700, step=50)
    sizes = await world.replica_sets()
    assert {name: size for name, size in sizes.items() if size} == {"web:last": 5}
    assert len(await world.pods()) == 5
    status = (await world.get(DEPLOYMENTS, "web"))["status"]
    assert (status["replicas"], status["updatedReplicas"], status["availableReplicas"]) == (5, 5, 5)
    assert (await world.condition("web", "Progressing"))[1] == "NewReplicaSetAvailable"


async def test_a_cache_that_lags_never_creates_pods_twice(world, make):
    informer = world.informers.of(PODS, object)
    store, held = informer._store, []
    informer._store = lambda key, obj: held.append((key, obj))
    await world.apply(REPLICA_SETS, make.replica_set(replicas=3))
    for number in range(5):
        await world.merge(REPLICA_SETS, "web", {"metadata": {"labels": {"touched": str(number)}}})
    assert len(await world.names(PODS)) == 3
    informer._store = store
    for key, obj in held:
        store(key, obj)
    await world.settle()
    assert len(await world.names(PODS)) == 3


async def test_a_restart_in_the_middle_of_a_rollout_goes_on(world, make):
    await world.apply(DEPLOYMENTS, make.deployment(replicas=6))
    world.kubelet.ready = lambda pod: pod["spec"]["containers"][0]["image"] == "web:1"
    await world.merge(DEPLOYMENTS, "web", image("web:2"))
    names = set(await world.names(PODS))
    await world.runner.stop()
    informers = Informers(world.client, world.clock)
    recorder = EventRecorder(world.client, "ktui", clock=world.clock)
    controllers = [
        each
        for each in default_controllers(world.client, recorder, world.clock)
        if each.name not in NODE_CONTROLLERS
    ]
    world.runner = ControllerRunner(controllers, informers, world.clock)
    tasks = [asyncio.create_task(work()) for work in (informers.run, world.runner.run, recorder.run)]
    await world.settle()
    assert set(await world.names(PODS)) == names
    world.kubelet.ready = lambda pod: True
    world.kubelet.poke()
    await world.settle()
    assert await world.replica_sets() == {"web:1": 0, "web:2": 6}
    await world.runner.stop()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_what_happened_while_no_controller_ran_is_made_good(make):
    world = World(without=NODE_CONTROLLERS)
    await world.server.start()
    await world.client.create(NAMESPACES, {"metadata": {"name": "going"}})
    await world.client.delete(NAMESPACES, "going")
    owner = await world.client.create(DEPLOYMENTS, make.deployment("gone", replicas=1), "default")
    orphan = make.pod("left-over", ownerReferences=[make.owner(owner, controller=True)])
    await world.client.create(PODS, orphan, "default")
    await world.client.delete(DEPLOYMENTS, "gone", "default")
    await world.client.create(DEPLOYMENTS, make.deployment(replicas=2), "default")
    await world.start()
    await world.advance(1)
    assert len(await world.pods()) == 2
    assert not await world.exists(PODS, "left-over")
    assert not await world.exists(NAMESPACES, "going")
    await world.stop()


async def test_a_thousand_replicas_are_created_in_under_three_seconds_of_one_core(world, make):
    world.kubelet.starts = False
    start = time.process_time()
    await world.client.create(DEPLOYMENTS, make.deployment(replicas=1000), "default")
    await world.settle()
    assert time.process_time() - start < 3
    assert (await world.get(DEPLOYMENTS, "web"))["status"]["replicas"] == 1000
