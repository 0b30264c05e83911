"""Pods scheduled a second: from created in the API to bound, in memory, with informers and everything.

Pods are created first, then the scheduler starts, so that what is measured is its loop, the bindings it
writes and the watch events that come back, not the creation.

    .venv/bin/python benchmarks/scheduler.py [--nodes 100] [--pods 1000]
"""

from __future__ import annotations

import argparse
import asyncio
import platform
import random
import time
from typing import Any

from lightkube.models.core_v1 import Pod

from ktui.client.events import EventRecorder
from ktui.client.informer import Informers
from ktui.engine.api.local import LocalClient
from ktui.engine.api.registry import default_registry
from ktui.engine.api.server import ApiServer
from ktui.engine.scheduler.scheduler import Scheduler
from ktui.engine.store.store import open_store
from ktui.kube.clock import RealClock
from ktui.kube.kinds import NODES, PODS

TARGET = 500
_SELECTOR = {"matchLabels": {"app": "web"}}
_OWNER = [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "rs", "controller": True}]
SHAPES: dict[str, dict[str, Any]] = {
    "plain": {},
    "spread over zones": {
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "zone",
                "whenUnsatisfiable": "DoNotSchedule",
                "labelSelector": _SELECTOR,
            }
        ]
    },
    "preferring to be apart": {
        "affinity": {
            "podAntiAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {"weight": 1, "podAffinityTerm": {"topologyKey": "zone", "labelSelector": _SELECTOR}}
                ]
            }
        }
    },
}


def node(index: int) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": f"node{index}", "labels": {"zone": "abc"[index % 3]}},
        "status": {"allocatable": {"cpu": "64", "memory": "256Gi", "pods": "500"}},
    }


def pod(index: int, shape: dict[str, Any]) -> dict[str, Any]:
    requests = {"cpu": "50m", "memory": "64Mi"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"web-{index}", "labels": {"app": "web"}, "ownerReferences": _OWNER},
        "spec": {
            "containers": [{"name": "web", "image": "web", "resources": {"requests": requests}}],
            **shape,
        },
    }


async def measure(nodes: int, pods: int, shape: dict[str, Any]) -> tuple[float, float]:
    """Pods bound a second, of wall and of CPU time (the latter holds on a busy machine too)."""
    clock = RealClock()
    server = ApiServer(open_store(None), default_registry(), clock)
    await server.start()
    client = LocalClient(server, "system:kube-scheduler")
    for i in range(nodes):
        await client.create(NODES, node(i))
    for i in range(pods):
        await client.create(PODS, pod(i, shape), "default")
    informers = Informers(client, clock)
    recorder = EventRecorder(client, "default-scheduler", clock=clock)
    scheduler = Scheduler(client, informers, clock, recorder, chance=random.Random(0))
    bound = asyncio.Event()
    placed: set[str] = set()

    def count(delta: Any) -> None:
        if delta.new is not None and delta.new.spec.nodeName:
            placed.add(delta.key.name)
            if len(placed) == pods:
                bound.set()

    informers.of(PODS, Pod).add_handler(count)
    tasks = [asyncio.create_task(run) for run in (informers.run(), recorder.run())]
    await informers.wait_synced()
    started, cpu_started = time.perf_counter(), time.process_time()
    tasks.append(asyncio.create_task(scheduler.run()))
    await bound.wait()
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return pods / seconds, pods / cpu_seconds


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nodes", type=int, default=100)
    parser.add_argument("--pods", type=int, default=1000)
    options = parser.parse_args()
    print(f"scheduler: {options.pods} pods on {options.nodes} nodes, Python {platform.python_version()}")
    for name, shape in SHAPES.items():
        rate, cpu_rate = asyncio.run(measure(options.nodes, options.pods, shape))
        verdict = "met" if rate >= TARGET else "MISSED"
        print(f"  {name:24}{rate:7.0f} pods/s, {cpu_rate:5.0f} per CPU second (target {TARGET}/s: {verdict})")


if __name__ == "__main__":
    main()
