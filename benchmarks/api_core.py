"""How many creates, status patches and applies a second the API core does in process, store in memory.

Run: python benchmarks/api_core.py [--profile]. One client, one call after another: the numbers are the cost
of the server's own work on one object, in time of the processor (others may be busy beside it).
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import pstats
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from ktui.client.base import ListOptions, PatchType, WriteOptions
from ktui.engine.api.local import LocalClient
from ktui.engine.api.registry import default_registry
from ktui.engine.api.server import ApiServer
from ktui.engine.store import open_store
from ktui.kube.kinds import DEPLOYMENTS, PODS
from ktui.kube.resource import Object

COUNT = 3000


def pod(name: str) -> Object:
    container = {
        "name": "web",
        "image": "web:1",
        "ports": [{"containerPort": 80}],
        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "64Mi"}},
        "livenessProbe": {"httpGet": {"path": "/", "port": 80}},
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": "web", "pod-template-hash": "abc"}},
        "spec": {
            "nodeName": "n1",
            "containers": [container, {**container, "name": "sidecar"}],
            "volumes": [{"name": "data", "emptyDir": {}}],
        },
    }


def status(round_: int) -> Object:
    moment = f"2026-01-01T00:00:{round_ % 60:02d}Z"
    states = [
        {
            "name": name,
            "ready": True,
            "restartCount": round_,
            "image": "web:1",
            "imageID": "sha256:1",
            "containerID": "podman://1",
            "state": {"running": {"startedAt": moment}},
        }
        for name in ("web", "sidecar")
    ]
    conditions = [
        {"type": kind, "status": "True", "lastTransitionTime": moment, "lastProbeTime": None}
        for kind in ("PodScheduled", "Initialized", "ContainersReady", "Ready")
    ]
    return {
        "status": {
            "phase": "Running",
            "podIP": "10.0.0.1",
            "podIPs": [{"ip": "10.0.0.1"}],
            "startTime": moment,
            "conditions": conditions,
            "containerStatuses": states,
        }
    }


def deployment(name: str, image: str) -> Object:
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [{"name": "web", "image": image}]},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": name}}, "template": template},
    }


async def measure(title: str, call: Callable[[int], Awaitable[object]], count: int = COUNT) -> None:
    start = time.process_time()
    for number in range(count):
        await call(number)
    seconds = time.process_time() - start
    print(f"{title:28} {count / seconds:9,.0f}/s {seconds / count * 1e6:9.1f} µs")


async def on_disk(writers: int) -> None:
    """Durable creates by many writers at once, in wall time."""
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder) / "store")
        server = ApiServer(store, default_registry())
        await server.start()
        client = LocalClient(server, "alice", manager="kubectl")

        async def write(writer: int) -> None:
            for n in range(COUNT // writers):
                await client.create(PODS, pod(f"p{writer}-{n}"))

        start = time.perf_counter()
        await asyncio.gather(*(write(writer) for writer in range(writers)))
        seconds = time.perf_counter() - start
        print(f"{f'create pod, {writers} on disk':28} {COUNT / seconds:9,.0f}/s")
        await store.close()


async def main() -> None:
    for writers in (1, 100):
        await on_disk(writers)
    store = open_store(None)
    server = ApiServer(store, default_registry())
    await server.start()
    user = LocalClient(server, "alice", manager="kubectl")
    kubelet = LocalClient(server, "system:node:n1", manager="kubelet", trusted=True)
    strategic = PatchType.STRATEGIC
    await measure("create pod", lambda n: user.create(PODS, pod(f"p{n}")))
    await measure(
        "patch status (merge)",
        lambda n: kubelet.patch(PODS, f"p{n}", status(n), "default", subresource="status"),
    )
    await measure(
        "patch status (strategic)",
        lambda n: kubelet.patch(
            PODS, f"p{n}", status(n + 1), "default", subresource="status", patch_type=strategic
        ),
    )
    await measure(
        "patch label", lambda n: user.patch(PODS, f"p{n}", {"metadata": {"labels": {"n": str(n)}}}, "default")
    )

    def apply(image: str) -> Callable[[int], Awaitable[object]]:
        options = WriteOptions(field_manager="ktui")
        return lambda n: user.patch(
            DEPLOYMENTS, f"d{n}", deployment(f"d{n}", image), patch_type=PatchType.APPLY, options=options
        )

    await measure("apply new deployment", apply("a"), 1000)
    await measure("apply the same again", apply("a"), 1000)
    await measure("apply a change", apply("b"), 1000)
    await measure("get pod", lambda n: user.get(PODS, f"p{n}"))
    await measure("list 3000 pods", lambda n: user.list(PODS), 50)
    by_label = ListOptions(label_selector="app=web")
    await measure("list 3000 pods by label", lambda n: user.list(PODS, options=by_label), 50)
    await store.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", action="store_true", help="show where the time goes")
    if parser.parse_args().profile:
        with cProfile.Profile() as profile:
            asyncio.run(main())
        pstats.Stats(profile).sort_stats("tottime").print_stats(40)
    else:
        asyncio.run(main())
