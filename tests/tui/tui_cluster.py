"""The cluster of the screens' tests, and the objects that tests put into it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from textual.pilot import Pilot

from ktui.app import AppSettings, KtuiApp
from ktui.client.base import Client
from ktui.engine.api.local import LocalClient
from ktui.engine.api.registry import Registry
from ktui.engine.api.resources import declarations
from ktui.engine.api.server import ApiServer
from ktui.engine.store import Store, open_store
from ktui.kube.clock import FakeClock, rfc3339
from ktui.kube.kinds import DEPLOYMENTS, NODES, PODS, REPLICA_SETS
from ktui.kube.resource import Object
from ktui.screens.session import Connection

_PATIENCE_SECONDS = 15.0
"""Only a failing test waits so long; a loaded machine may well need some of it."""


@dataclass
class TuiCluster:
    clock: FakeClock
    store: Store
    client: Client
    server: ApiServer

    @classmethod
    async def open(cls, clock: FakeClock) -> TuiCluster:
        store = open_store(None, clock=clock)
        server = ApiServer(store, Registry(declarations()), clock)
        await server.start()
        return cls(clock, store, LocalClient(server, "alice", manager="test"), server)

    async def close(self) -> None:
        await self.store.close()

    def app(self, *, runtime: str = "podman", **settings: Any) -> KtuiApp:
        """An app on this cluster, its ages counted from the cluster's clock."""

        async def connect() -> Connection:
            return Connection(client=self.client, context="test", runtime=runtime, manifests="./manifests")

        return KtuiApp(connect, AppSettings(**settings), now=lambda: self.clock.now().timestamp())

    def ago(self, seconds: float) -> str:
        return rfc3339(self.clock.now() - timedelta(seconds=seconds))

    async def pod(
        self,
        name: str,
        namespace: str = "default",
        *,
        phase: str = "Running",
        waiting: str = "",
        restarts: int = 0,
        labels: dict[str, str] | None = None,
        owner: Object | None = None,
        containers: tuple[str, ...] = ("main",),
    ) -> Object:
        """A pod with the status a kubelet would have written."""
        metadata: Object = {"name": name, "namespace": namespace, "labels": labels or {"app": name}}
        if owner is not None:
            metadata["ownerReferences"] = [owner]
        pod = await self.client.create(
            PODS,
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": metadata,
                "spec": {
                    "nodeName": "node-1",
                    "containers": [{"name": container, "image": "shop:1"} for container in containers],
                },
            },
            namespace,
        )
        return await self.set_status(pod, phase=phase, waiting=waiting, restarts=restarts)

    async def set_status(
        self, pod: Object, *, phase: str = "Running", waiting: str = "", restarts: int = 0
    ) -> Object:
        fresh = await self.client.get(PODS, pod["metadata"]["name"], pod["metadata"]["namespace"])
        running = phase == "Running" and not waiting
        state: Object = {"running": {"startedAt": self.ago(0)}}
        if waiting:
            state = {"waiting": {"reason": waiting}}
        elif phase in ("Succeeded", "Failed"):
            state = {"terminated": {"exitCode": int(phase == "Failed"), "reason": "Completed"}}
        elif phase == "Pending":
            state = {"waiting": {"reason": "ContainerCreating"}}
        status = {
            "phase": phase,
            "startTime": self.ago(0),
            "conditions": [{"type": "Ready", "status": "True" if running else "False"}],
            "containerStatuses": [
                {
                    "name": container["name"],
                    "image": container["image"],
                    "imageID": "",
                    "ready": running,
                    "restartCount": restarts,
                    "state": state,
                }
                for container in fresh["spec"]["containers"]
            ],
        }
        return await self.client.update(PODS, {**fresh, "status": status}, subresource="status")

    async def node(self, name: str = "node-1", *, ready: bool = True) -> Object:
        node = await self.client.create(
            NODES, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": {}}
        )
        status = {"conditions": [{"type": "Ready", "status": "True" if ready else "False"}]}
        return await self.client.update(NODES, {**node, "status": status}, subresource="status")

    async def deployment(self, name: str, *, replicas: int = 2, image: str = "shop:1") -> Object:
        """A Deployment with one ReplicaSet and its pods, as the controllers would leave it."""
        deployment = await self.client.create(
            DEPLOYMENTS, deployment_object(name, replicas, image), "default"
        )
        replica_set = await self.revision(deployment, 1, image, replicas)
        owner = owner_reference(replica_set)
        for index in range(replicas):
            await self.pod(f"{name}-{index}", labels={"app": name}, owner=owner)
        return deployment

    async def revision(self, deployment: Object, number: int, image: str, replicas: int) -> Object:
        """A ReplicaSet of a Deployment, and the Deployment's revision annotation."""
        name = deployment["metadata"]["name"]
        template = deployment_object(name, replicas, image)["spec"]["template"]
        labels = {"app": name, "pod-template-hash": f"hash{number}"}
        made = await self.client.create(
            REPLICA_SETS,
            {
                "apiVersion": "apps/v1",
                "kind": "ReplicaSet",
                "metadata": {
                    "name": f"{name}-hash{number}",
                    "labels": labels,
                    "annotations": {"deployment.kubernetes.io/revision": str(number)},
                    "ownerReferences": [owner_reference(deployment)],
                },
                "spec": {
                    "replicas": replicas,
                    "selector": {"matchLabels": labels},
                    "template": {**template, "metadata": {"labels": labels}},
                },
            },
            "default",
        )
        annotations = {"deployment.kubernetes.io/revision": str(number)}
        await self.client.patch(DEPLOYMENTS, name, {"metadata": {"annotations": annotations}}, "default")
        return made


def deployment_object(name: str, replicas: int, image: str) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "main", "image": image}]},
            },
        },
    }


def owner_reference(obj: Object) -> Object:
    return {
        "apiVersion": obj["apiVersion"],
        "kind": obj["kind"],
        "name": obj["metadata"]["name"],
        "uid": obj["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


async def until(pilot: Pilot[Any], condition: Callable[[], Any] | Callable[[], Awaitable[Any]]) -> None:
    """Let the app run until something holds; fails with what the screen shows."""
    until_when = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < until_when:
        if condition():
            return
        await pilot.pause(0.02)
    raise AssertionError("never happened; the screen shows:\n" + screen_text(pilot.app))


def screen_text(app: Any) -> str:
    """The screen as plain text."""
    return "\n".join(
        "".join(segment.text for segment in line) for line in app.screen._compositor.render_strips()
    )
