"""A node that runs out: who has to go, what it is told, and who may come meanwhile."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from kubelet_world import NODE, World, condition, container, pod
from lightkube.models.core_v1 import Pod

from ktui.engine.kubelet.disk_usage import DiskUsage
from ktui.engine.kubelet.eviction import has_limits, overfull
from ktui.engine.kubelet.machine import Machine, read_machine
from ktui.engine.kubelet.node_eviction import Usage, ranked
from ktui.kube.kinds import EVENTS, NODES

MI = 2**20


class Weather:
    """The machine, as the test has it."""

    def __init__(self) -> None:
        self.machine = dataclasses.replace(
            read_machine(Path(__file__)), memory_available=4096 * MI, disk=10_000 * MI, disk_available=5_000 * MI,
            pids_max=10_000, pids_used=10,
        )  # fmt: skip

    def set(self, **fields: int) -> None:
        self.machine = dataclasses.replace(self.machine, **fields)

    def __call__(self, _: Any) -> Machine:
        return self.machine


@pytest.fixture
def weather() -> Weather:
    return Weather()


@pytest_asyncio.fixture
async def world(tmp_path, weather):
    world = World(tmp_path, read=weather)
    await world.start()
    yield world
    await world.stop()


def on_disk(folder: Path) -> int:
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*"))


def sized(name: str, request: str = "", priority: int | None = None) -> Any:
    fields = {"resources": {"requests": {"memory": request}}} if request else {}
    obj = pod(name, container(name, **fields))
    if priority is not None:
        obj["spec"]["priority"] = priority
    return obj


async def until_node(world: World, kind: str, status: str) -> Any:
    """The node's condition once it has a status; heartbeats come by the fake clock."""
    for _ in range(100):
        found = condition(await world.client.get(NODES, NODE), kind)
        if found["status"] == status:
            return found
        await world.settle()
    raise AssertionError(f"{kind} is not {status}: {found}")


async def node_events(world: World) -> list[tuple[str, str]]:
    await world.recorder.flush()
    items = (await world.client.list(EVENTS, "default")).items
    return [(e["reason"], e["message"]) for e in items if e["involvedObject"]["kind"] == "Node"]


def typed(obj: Any) -> Pod:
    obj["metadata"]["uid"] = obj["metadata"]["name"]
    return msgspec.convert(obj, Pod)


def test_the_greediest_of_the_least_important_goes_first() -> None:
    candidates = [
        typed(sized("within", "200Mi")),
        typed(sized("within-by-more", "500Mi")),
        typed(sized("over-and-important", "10Mi", priority=1000)),
        typed(sized("over-by-little", "100Mi")),
        typed(sized("over-by-much")),
        typed(sized("unknown")),
    ]
    usages = {name: Usage(150 * MI) for name in (p.metadata.name for p in candidates if p.metadata)}
    del usages["unknown"]
    order = [p.metadata.name for p in ranked(candidates, "memory", usages) if p.metadata]
    assert order == [
        "over-by-much",
        "over-by-little",
        "over-and-important",
        "unknown",
        "within",
        "within-by-more",
    ]


async def test_a_node_short_of_memory_evicts_one_pod_at_a_time(world: World, weather: Weather) -> None:
    world.runtime.memory = {"modest": 40 * MI, "greedy": 900 * MI, "vital": 999 * MI}
    await world.create(sized("modest", "50Mi"))
    await world.create(sized("greedy", "100Mi"))
    await world.create(pod("vital", container("vital"), priorityClassName="system-node-critical"))
    for name in ("modest", "greedy", "vital"):
        await world.running(name)
    weather.set(memory_available=64 * MI)
    await world.clock.advance(10)
    uid = (await world.get("greedy"))["metadata"]["uid"]
    await world.happens(lambda: not world.kubelet.workers[uid].is_active)
    await world.clock.advance(2)
    evicted = await world.until(lambda p: p["status"]["phase"] == "Failed", "greedy")
    message = (
        "The node was low on resource: memory. Threshold quantity: 100Mi, available: 64Mi. "
        "Container greedy was using 900Mi, request is 100Mi, has larger consumption of memory. "
    )
    assert (evicted["status"]["reason"], evicted["status"]["message"]) == ("Evicted", message)
    target = condition(evicted, "DisruptionTarget")
    assert (target["status"], target["reason"], target["message"]) == (
        "True",
        "TerminationByKubelet",
        message,
    )
    assert ("Evicted", message) in await world.events()
    assert ("EvictionThresholdMet", "Attempting to reclaim memory") in await node_events(world)
    found = await until_node(world, "MemoryPressure", "True")
    assert found["reason"] == "KubeletHasInsufficientMemory"
    weather.set(memory_available=4096 * MI)
    await world.clock.advance(60)
    assert (await world.get("modest"))["status"]["phase"] == "Running"
    assert (await world.get("vital"))["status"]["phase"] == "Running"


async def test_pressure_lasts_minutes_and_keeps_pods_out(world: World, weather: Weather) -> None:
    weather.set(memory_available=64 * MI)
    await world.clock.advance(10)
    await until_node(world, "MemoryPressure", "True")
    weather.set(memory_available=4096 * MI)
    await world.create(sized("careless"))
    refused = await world.until(lambda p: p["status"]["phase"] == "Failed", "careless")
    assert refused["status"]["reason"] == "Evicted"
    assert refused["status"]["message"] == "Pod was rejected: The node had condition: [MemoryPressure]. "
    await world.create(sized("careful", "10Mi"))
    await world.running("careful")
    tolerant = sized("tolerant")
    tolerant["spec"]["tolerations"] = [
        {"key": "node.kubernetes.io/memory-pressure", "operator": "Exists", "effect": "NoSchedule"}
    ]
    await world.create(tolerant)
    await world.running("tolerant")
    await world.clock.advance(120)
    await until_node(world, "MemoryPressure", "True")
    await world.clock.advance(200)
    await until_node(world, "MemoryPressure", "False")
    await world.create(sized("later"))
    await world.running("later")


async def test_a_full_disk_costs_the_pod_that_fills_it(world: World, weather: Weather) -> None:
    volumes = [{"name": "scratch", "emptyDir": {}}]
    mounts = [{"name": "scratch", "mountPath": "/scratch"}]
    await world.create(pod("small", container("small")))
    await world.create(pod("full", container("full", volumeMounts=mounts), volumes=volumes))
    await world.running("small")
    running = await world.running("full")
    uid = running["metadata"]["uid"]
    scratch = world.data_dir / "pods" / uid / "volumes" / "kubernetes.io~empty-dir" / "scratch"
    (scratch / "file").write_bytes(b"x" * MI)
    world.runtime.written["full"] = 2048 * MI - on_disk(world.data_dir / "sim" / "sim-logs" / uid)
    weather.set(disk_available=100 * MI)
    await world.clock.advance(10)
    await world.happens(lambda: not world.kubelet.workers[uid].is_active)
    await world.clock.advance(2)
    evicted = await world.until(lambda p: p["status"]["phase"] == "Failed", "full")
    assert evicted["status"]["message"] == (
        "The node was low on resource: ephemeral-storage. Threshold quantity: 500Mi, available: 100Mi. "
        "Container full was using 2Gi, request is 0, has larger consumption of ephemeral-storage. "
    )
    assert (await world.get("small"))["status"]["phase"] == "Running"
    await until_node(world, "DiskPressure", "True")


async def test_a_container_over_its_storage_limit_is_evicted(world: World) -> None:
    limits = {"resources": {"limits": {"ephemeral-storage": "1Gi"}}}
    await world.create(pod("web", container("a", **limits), container("b", **limits)))
    await world.create(pod("beside", container("c")))
    await world.running("web")
    await world.running("beside")
    world.runtime.written = {"a": 1500 * MI, "c": 9000 * MI}
    await world.clock.advance(10)
    uid = (await world.get("web"))["metadata"]["uid"]
    await world.happens(lambda: not world.kubelet.workers[uid].is_active)
    await world.clock.advance(2)
    evicted = await world.until(lambda p: p["status"]["phase"] == "Failed", "web")
    assert (evicted["status"]["reason"], evicted["status"]["message"]) == (
        "Evicted",
        'Container a exceeded its local ephemeral storage limit "1Gi". ',
    )
    assert (await world.get("beside"))["status"]["phase"] == "Running"


def test_what_a_pod_takes_in_all_is_held_against_its_limits() -> None:
    limited = container("a", resources={"limits": {"ephemeral-storage": "1Gi"}})
    spec = typed(
        pod("web", limited, container("b"), volumes=[{"name": "v", "emptyDir": {"sizeLimit": "2Gi"}}])
    )
    assert has_limits(spec) and not has_limits(typed(pod("web", volumes=[{"name": "v", "emptyDir": {}}])))
    assert overfull(spec, DiskUsage({"a": 300 * MI, "b": 300 * MI}, {"v": 300 * MI})) == ""
    assert overfull(spec, DiskUsage({"a": 300 * MI, "b": 900 * MI}, {"v": 0})) == (
        "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. "
    )
    assert overfull(spec, DiskUsage({}, {"v": 3000 * MI})) == (
        'Usage of EmptyDir volume "v" exceeds the limit "2Gi". '
    )
