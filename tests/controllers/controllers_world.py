"""A world for controllers: an API server on a store in memory, a fake clock, and a kubelet to play with."""

import asyncio
import contextlib

from lightkube.models.core_v1 import Pod

from ktui.client.base import DeleteOptions, PatchType
from ktui.client.events import EventRecorder
from ktui.client.informer import Informers
from ktui.engine.api.local import LocalClient
from ktui.engine.api.registry import Registry
from ktui.engine.api.resources import declarations
from ktui.engine.api.server import ApiServer
from ktui.engine.controllers.all import default_controllers
from ktui.engine.controllers.runtime import ControllerRunner
from ktui.engine.store import open_store
from ktui.kube.clock import FakeClock, rfc3339, rfc3339_micro, settle
from ktui.kube.errors import StatusError
from ktui.kube.kinds import DEPLOYMENTS, EVENTS, LEASES, NODES, PODS, REPLICA_SETS


class Kubelet:
    """Binds pods to `node`, makes them run and ready as told, and lets deleted ones go."""

    def __init__(self, world):
        self.world = world
        self.node = "node-1"
        self.starts = True
        self.ready = lambda pod: True
        self.removes = True
        self._informer = None
        self._wake = asyncio.Event()

    def setup(self, informers):
        self._informer = informers.of(PODS, Pod)
        self._informer.add_handler(lambda delta: self._wake.set())

    def poke(self):
        """Look at all pods again: what the test allows has changed."""
        self._wake.set()

    async def run(self):
        while True:
            await self._wake.wait()
            self._wake.clear()
            for key, _ in self._informer.items():
                with contextlib.suppress(StatusError):
                    await self._care_for(key)

    async def _care_for(self, key):
        client = self.world.client
        pod = await client.get(PODS, key.name, key.namespace)
        metadata, status = pod["metadata"], pod.get("status") or {}
        if metadata.get("deletionTimestamp"):
            if self.removes:
                await self.world.remove_pod(key.name, key.namespace)
            return
        if not self.starts or status.get("phase") in ("Succeeded", "Failed"):
            return
        if not pod["spec"].get("nodeName"):
            target = {"apiVersion": "v1", "kind": "Node", "name": _tied_to(pod) or self.node}
            await client.create(
                PODS,
                {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": key.name}, "target": target},
                key.namespace,
                name=key.name,
                subresource="binding",
            )
        ready = "True" if self.ready(pod) else "False"
        known = {each["type"]: each["status"] for each in status.get("conditions") or ()}
        if known.get("Ready") != ready or status.get("phase") != "Running":
            await self.world.set_pod(key.name, key.namespace, "Running", ready)


def _tied_to(pod):
    """The node that a pod's affinity names, as a DaemonSet's do."""
    affinity = (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}
    for term in (affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}).get(
        "nodeSelectorTerms", ()
    ):
        for field in term.get("matchFields", ()):
            return field["values"][0]
    return ""


class World:
    """What a test holds: the client, the clock, the kubelet, and shortcuts to look at and change things."""

    def __init__(self, without=(), adapters=None):
        self.clock = FakeClock()
        self.store = open_store(None, clock=self.clock)
        self.server = ApiServer(self.store, Registry(declarations()), self.clock)
        self.client = LocalClient(self.server)
        self.informers = Informers(self.client, self.clock)
        self.recorder = EventRecorder(self.client, "ktui", clock=self.clock)
        self.kubelet = Kubelet(self)
        self.controllers = [
            each
            for each in default_controllers(self.client, self.recorder, self.clock, adapters=adapters)
            if each.name not in without
        ]
        self.runner = ControllerRunner(self.controllers, self.informers, self.clock)
        self.kubelet.setup(self.informers)
        self._tasks = []

    async def start(self):
        await self.server.start()
        for work in (self.informers.run, self.recorder.run, self.runner.run, self.kubelet.run):
            self._tasks.append(asyncio.create_task(work()))
        await self.settle()

    async def stop(self):
        await self.runner.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.store.close()

    async def settle(self, most=400):
        """Wait until nothing changes any more."""
        still = 0
        for _ in range(most):
            before = self.store.revision
            await settle(30)
            still = still + 1 if self.store.revision == before and self.runner.idle else 0
            if still == 3:
                return
        raise AssertionError(f"no rest after {most} turns: the controllers keep writing")

    async def advance(self, seconds, step=1.0):
        """Let time pass in steps, with everything at rest in between."""
        while seconds > 0:
            await self.clock.advance(min(step, seconds))
            await self.settle()
            seconds -= step

    async def apply(self, resource, obj):
        """Create an object."""
        created = await self.client.create(resource, obj, obj["metadata"].get("namespace", ""))
        await self.settle()
        return created

    async def merge(self, resource, name, patch, namespace="default", subresource=""):
        patched = await self.client.patch(
            resource, name, patch, namespace, patch_type=PatchType.MERGE, subresource=subresource
        )
        await self.settle()
        return patched

    async def get(self, resource, name, namespace="default"):
        return await self.client.get(resource, name, namespace if resource.namespaced else "")

    async def list(self, resource, namespace="default"):
        return (await self.client.list(resource, namespace)).items

    async def names(self, resource, namespace="default"):
        return sorted(each["metadata"]["name"] for each in await self.list(resource, namespace))

    async def exists(self, resource, name, namespace="default"):
        try:
            await self.get(resource, name, namespace)
        except StatusError as error:
            assert error.is_not_found
            return False
        return True

    async def pods(self, namespace="default"):
        """Pods that are not going away."""
        return [
            pod for pod in await self.list(PODS, namespace) if not pod["metadata"].get("deletionTimestamp")
        ]

    async def events(self, reason="", namespace="default"):
        await self.recorder.flush()
        found = await self.list(EVENTS, namespace)
        return [each["message"] for each in found if not reason or each["reason"] == reason]

    async def remove_pod(self, name, namespace="default"):
        """What a kubelet does when a pod's containers have ended."""
        await self.client.delete(PODS, name, namespace, options=DeleteOptions(grace_period_seconds=0))

    async def set_pod(self, name, namespace, phase, ready):
        """Report a pod's phase and readiness, as a kubelet does."""
        pod = await self.client.get(PODS, name, namespace)
        before = pod.get("status") or {}
        old = {each["type"]: each for each in before.get("conditions") or ()}
        now = rfc3339(self.clock.now())
        if (old.get("Ready") or {}).get("status") != ready:
            old["Ready"] = {"type": "Ready", "status": ready, "lastTransitionTime": now}
        started = before.get("startTime") or now
        status = {"phase": phase, "startTime": started, "conditions": list(old.values())}
        await self.client.patch(PODS, name, {"status": status}, namespace, subresource="status")

    async def replica_sets(self):
        """Size of each ReplicaSet, by the image it runs."""
        return {
            each["spec"]["template"]["spec"]["containers"][0]["image"]: each["spec"]["replicas"]
            for each in await self.list(REPLICA_SETS)
        }

    async def condition(self, name, kind, resource=DEPLOYMENTS):
        found = await self.get(resource, name)
        conditions = {each["type"]: each for each in found["status"].get("conditions") or ()}
        each = conditions.get(kind)
        return each and (each["status"], each["reason"], each["message"])

    async def renew(self, node="node-1"):
        """What a kubelet does every ten seconds to say that it lives."""
        now = rfc3339_micro(self.clock.now())
        lease = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": node, "namespace": "kube-node-lease"},
            "spec": {"holderIdentity": node, "leaseDurationSeconds": 40, "renewTime": now},
        }
        try:
            await self.client.patch(LEASES, node, {"spec": {"renewTime": now}}, "kube-node-lease")
        except StatusError:
            await self.client.create(LEASES, lease, "kube-node-lease")
        await self.settle()

    async def live(self, seconds, *nodes):
        """Let time pass while these nodes renew their Leases."""
        while seconds > 0:
            for node in nodes:
                await self.renew(node)
            await self.advance(min(10, seconds), step=5)
            seconds -= 10

    async def taints(self, name="node-1"):
        found = await self.get(NODES, name)
        return sorted((each["key"], each["effect"]) for each in found["spec"].get("taints") or ())

    async def node(self, name="node-1", ready="True", **spec):
        """A node that says it is ready."""
        await self.client.create(
            NODES, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": spec}
        )
        condition = {"type": "Ready", "status": ready, "reason": "KubeletReady", "message": "ok"}
        await self.client.patch(NODES, name, {"status": {"conditions": [condition]}}, subresource="status")
        await self.settle()


def template(image="web:1", labels=None):
    return {
        "metadata": {"labels": labels or {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": image}]},
    }


def deployment(name="web", replicas=3, image="web:1", **spec):
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": template(image),
            **spec,
        },
    }


def replica_set(name="web", replicas=3, **spec):
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": template(),
            **spec,
        },
    }


def pod(name, labels=None, **metadata):
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "labels": labels or {}, **metadata},
        "spec": {"containers": [{"name": "web", "image": "web:1"}]},
    }


def owner(obj, **more):
    """An owner reference to an object from the API."""
    metadata = obj["metadata"]
    return {
        "apiVersion": obj["apiVersion"],
        "kind": obj["kind"],
        "name": metadata["name"],
        "uid": metadata["uid"],
        **more,
    }


NODE_CONTROLLERS = (
    "node-lifecycle-controller",
    "taint-eviction-controller",
    "pod-garbage-collector-controller",
)
