"""A node to test the kubelet on: an API server on a store in memory, a runtime, and a kubelet between them.

With `SimRuntime` time is a fake clock's; with Podman it is real. `until` waits for a condition of the API's
objects, because some of the kubelet's work is done in threads.
"""

import asyncio
import contextlib
import time

import pytest_asyncio

from ktui.client.base import DeleteOptions, WatchOptions
from ktui.client.events import EventRecorder
from ktui.client.informer import Informers
from ktui.engine.api.local import LocalClient
from ktui.engine.api.registry import Registry
from ktui.engine.api.resources import declarations
from ktui.engine.api.server import ApiServer
from ktui.engine.kubelet.kubelet import Kubelet
from ktui.engine.kubelet.runtime.sim import SimRuntime
from ktui.engine.store import open_store
from ktui.kube.clock import FakeClock
from ktui.kube.errors import StatusError
from ktui.kube.kinds import CONFIG_MAPS, EVENTS, PODS, SECRETS, SERVICE_ACCOUNTS

NODE = "node-1"
IMAGE = "registry.test/app:1"


def container(name="main", image=IMAGE, **fields):
    return {"name": name, "image": image, **fields}


def pod(name="web", *containers, **spec):
    """A Pod bound to the test's node."""
    spec = {"containers": list(containers) or [container()], "nodeName": NODE, **spec}
    metadata = {"name": name, "namespace": "default"}
    for field in ("labels", "annotations", "finalizers"):
        if field in spec:
            metadata[field] = spec.pop(field)
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


class World:
    """What a test holds."""

    def __init__(self, data_dir, runtime=None, clock=None, **kubelet_options):
        self.clock = clock or FakeClock()
        self.data_dir = data_dir
        self.runtime = runtime or SimRuntime(data_dir / "sim", clock=self.clock)
        self.store = open_store(None, clock=self.clock)
        self.server = ApiServer(self.store, Registry(declarations()), self.clock)
        self.client = LocalClient(self.server)
        self.recorder = EventRecorder(self.client, "kubelet", host=NODE, clock=self.clock)
        self.kubelet_options = kubelet_options
        self.kubelet = None
        self.info = None
        """What the runtime's start gave; a runtime that was started before brings its own."""
        self._tasks = []
        self._background = []

    async def start(self):
        await self.server.start()
        account = {"metadata": {"name": "default"}, "automountServiceAccountToken": False}
        await self.client.create(SERVICE_ACCOUNTS, account, "default")
        self._background = [asyncio.create_task(self.recorder.run())]
        await self.start_kubelet()

    async def start_kubelet(self):
        """A kubelet that knows nothing, as after a restart of ktui."""
        informers = Informers(self.client, self.clock)
        self.info = self.info or await self.runtime.start()
        self.kubelet = Kubelet(
            self.client,
            informers,
            self.runtime,
            self.info,
            node_name=NODE,
            data_dir=self.data_dir,
            clock=self.clock,
            recorder=self.recorder,
            **self.kubelet_options,
        )
        self._tasks = [asyncio.create_task(informers.run()), asyncio.create_task(self.kubelet.run())]
        await asyncio.wait(
            [asyncio.ensure_future(self.kubelet.ready.wait()), self._tasks[1]],
            timeout=20,
            return_when=asyncio.FIRST_COMPLETED,
        )
        if self._tasks[1].done():
            self._tasks[1].result()

    async def stop_kubelet(self):
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def stop(self):
        await self.stop_kubelet()
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        if isinstance(self.runtime, SimRuntime):
            await self.runtime.close()
        await self.store.close()

    # The API, shortly.

    async def create(self, obj):
        return await self.client.create(PODS, obj, obj["metadata"].get("namespace", "default"))

    async def get(self, name="web"):
        return await self.client.get(PODS, name, "default")

    async def delete(self, name="web", grace=None):
        return await self.client.delete(
            PODS, name, "default", options=DeleteOptions(grace_period_seconds=grace)
        )

    async def config_map(self, name, **data):
        obj = {"metadata": {"name": name, "namespace": "default"}, "data": data}
        try:
            return await self.client.create(CONFIG_MAPS, obj, "default")
        except StatusError as error:
            if not error.is_already_exists:
                raise
            return await self.client.patch(CONFIG_MAPS, name, {"data": data}, "default")

    async def secret(self, name, type="Opaque", **data):  # noqa: A002
        obj = {"metadata": {"name": name, "namespace": "default"}, "stringData": data, "type": type}
        return await self.client.create(SECRETS, obj, "default")

    async def until(self, condition, name="web", timeout=5.0):
        """The pod once `condition(pod)` holds; fails showing the last status."""

        def holds(seen):
            with contextlib.suppress(KeyError, IndexError, TypeError):
                return seen is not None and condition(seen)
            return False

        return await self._watched(name, holds, timeout)

    async def until_gone(self, name="web", timeout=5.0):
        await self._watched(name, lambda seen: seen is None, timeout)

    async def _watched(self, name, check, timeout):
        """The pod (None when there is none) as soon as `check(pod)` holds; looks at every change."""
        watch = WatchOptions(field_selector=f"metadata.name={name}", resource_version=None)
        seen = None
        try:
            async with asyncio.timeout(timeout):
                async with self.client.watch(PODS, "default", options=watch) as batches:
                    with contextlib.suppress(StatusError):
                        seen = await self.get(name)
                    if check(seen):
                        return seen
                    async for batch in batches:
                        for event in batch:
                            if event.type != "BOOKMARK":
                                seen = None if event.type == "DELETED" else event.object
                                if check(seen):
                                    return seen
        except TimeoutError:
            pass
        raise AssertionError(f"not reached; pod {name} is at {seen and seen.get('status')}")

    async def happens(self, condition, timeout=5.0):
        """Return what `condition()` gave once it is true."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if found := condition():
                return found
            await asyncio.sleep(0.002)
        raise AssertionError("did not happen")

    async def running(self, name="web", timeout=5.0):
        return await self.until(is_ready, name, timeout)

    async def events(self, reason=None):
        """(reason, message) of all events about pods, in order."""
        await self.recorder.flush()
        items = (await self.client.list(EVENTS, "default")).items
        items = [item for item in items if item["involvedObject"]["kind"] == "Pod"]
        return [(e["reason"], e["message"]) for e in items if reason in (None, e["reason"])]

    async def records(self, name="web"):
        """The runtime's sandboxes of a pod, newest first."""
        return await self.runtime.pod((await self.get(name))["metadata"]["uid"])

    async def settle(self):
        """Let threads and tasks come to rest."""
        for _ in range(10):
            await asyncio.sleep(0.003)


def condition(obj, kind):
    return next((c for c in obj["status"].get("conditions", []) if c["type"] == kind), {})


def is_ready(obj):
    return condition(obj, "Ready").get("status") == "True"


def status_of(obj, name="main"):
    status = obj["status"]
    lists = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")
    found = [c for each in lists for c in status.get(each) or () if c["name"] == name]
    return found[0]


def waiting(obj, name="main"):
    return status_of(obj, name)["state"].get("waiting", {})


def terminated(obj, name="main"):
    return status_of(obj, name)["state"].get("terminated", {})


@pytest_asyncio.fixture
async def world(tmp_path):
    """A node with the simulated runtime on a fake clock."""
    made = World(tmp_path)
    await made.start()
    yield made
    await made.stop()
