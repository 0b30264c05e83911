"""Below an object: scale, binding, eviction, ephemeral containers, and the streams of a pod."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from api_objects import deployment, pod

from ktui.client.base import DeleteOptions, ExecOptions, LogOptions, WriteOptions
from ktui.engine.api.local import LocalClient
from ktui.engine.api.server import ApiServer
from ktui.kube.clock import FakeClock
from ktui.kube.errors import StatusError
from ktui.kube.kinds import BINDINGS, DEPLOYMENTS, PODS
from ktui.kube.resource import Object


class Agent:
    """A node's agent that tells what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any]] = []

    @asynccontextmanager
    async def logs(self, pod: Object, options: LogOptions):
        self.asked.append(("logs", pod["metadata"]["name"], options.container))

        async def lines() -> AsyncIterator[bytes]:
            yield b"hello\n"

        yield lines()

    async def exec(self, pod: Object, options: ExecOptions):
        self.asked.append(("exec", pod["metadata"]["name"], options.container))
        return "session"

    async def attach(self, pod: Object, options: ExecOptions):
        self.asked.append(("attach", pod["metadata"]["name"], options.container))
        return "session"

    async def dial(self, pod: Object, port: int):
        self.asked.append(("dial", pod["metadata"]["name"], port))
        return "reader", "writer"


def running(*containers: str, **more: Any) -> Object:
    statuses = [{"name": name, "state": {"running": {}}} for name in containers]
    return {"status": {"phase": "Running", "containerStatuses": statuses, **more}}


async def refused(call: Any) -> StatusError:
    with pytest.raises(StatusError) as error:
        await call
    return error.value


async def test_scale_is_read_and_written(client: LocalClient):
    created = await client.create(DEPLOYMENTS, deployment("web", 2))
    scale = await client.get(DEPLOYMENTS, "web", subresource="scale")
    assert (scale["kind"], scale["apiVersion"]) == ("Scale", "autoscaling/v1")
    assert scale["spec"] == {"replicas": 2}
    assert scale["status"] == {"replicas": 0, "selector": "app=web"}
    assert scale["metadata"]["uid"] == created["metadata"]["uid"]
    scale["spec"]["replicas"] = 5
    scaled = await client.update(DEPLOYMENTS, scale, subresource="scale")
    assert scaled["spec"] == {"replicas": 5}
    obj = await client.get(DEPLOYMENTS, "web")
    assert obj["spec"]["replicas"] == 5 and obj["metadata"]["generation"] == 2
    stale = await refused(client.update(DEPLOYMENTS, {**scale, "spec": {"replicas": 6}}, subresource="scale"))
    assert stale.is_conflict
    error = await refused(client.patch(DEPLOYMENTS, "web", {"spec": {"replicas": -1}}, subresource="scale"))
    assert error.message == (
        'Scale.autoscaling "web" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0'
    )
    error = await refused(client.patch(DEPLOYMENTS, "web", {"spec": {"replicas": "x"}}, subresource="scale"))
    assert error.code == 400


@pytest.mark.parametrize("through", ["pods/binding", "bindings"])
async def test_binding_puts_a_pod_on_its_node(client: LocalClient, through: str):
    await client.create(PODS, pod("p"))
    await client.patch(PODS, "p", {"status": {"nominatedNodeName": "n1"}}, subresource="status")
    binding = {
        "metadata": {"name": "p", "annotations": {"why": "fits"}, "labels": {"zone": "a"}},
        "target": {"kind": "Node", "name": "n1"},
    }

    async def bind() -> Object:
        if through == "bindings":
            return await client.create(BINDINGS, binding)
        return await client.create(PODS, binding, name="p", subresource="binding")

    assert (await bind())["status"] == "Success"
    obj = await client.get(PODS, "p")
    assert obj["spec"]["nodeName"] == "n1" and obj["metadata"]["annotations"] == {"why": "fits"}
    assert obj["metadata"]["labels"]["zone"] == "a"
    assert obj["metadata"]["generation"] == 1, "what is wanted of it has not changed"
    assert "nominatedNodeName" not in obj["status"]
    condition = obj["status"]["conditions"][0]
    assert (condition["type"], condition["status"]) == ("PodScheduled", "True")
    assert condition["lastTransitionTime"] == "2026-01-01T00:00:00Z"
    error = await refused(bind())
    assert error.is_conflict
    assert error.message == (
        'Operation cannot be fulfilled on pods/binding "p": pod p is already assigned to node "n1"'
    )


@pytest.mark.parametrize(
    ("binding", "code"),
    [
        ({"target": {"name": "n", "kind": "Moon"}}, 400),
        ({"target": {"kind": "Node"}}, 400),
        ({"target": "n"}, 400),
        ({}, 400),
        ([], 400),
        ({"kind": "Pod", "target": {"name": "n"}}, 400),
        ({"metadata": {"name": "p", "uid": "other"}, "target": {"name": "n"}}, 409),
    ],
)
async def test_bindings_that_cannot_be(client: LocalClient, binding: Any, code: int):
    await client.create(PODS, pod("p"))
    error = await refused(client.create(PODS, binding, "default", name="p", subresource="binding"))
    assert error.code == code


async def test_a_pod_that_goes_is_not_bound(client: LocalClient):
    await client.create(PODS, pod("p", finalizers=["x/y"]))
    await client.delete(PODS, "p")
    binding = {"metadata": {"name": "p"}, "target": {"name": "n1"}}
    error = await refused(client.create(PODS, binding, name="p", subresource="binding"))
    assert error.message.endswith("pod p is being deleted, cannot be assigned to a host")


async def test_eviction_deletes_gracefully_and_says_why(client: LocalClient, clock: FakeClock):
    await client.create(PODS, pod("p", node="n1"))
    await client.patch(PODS, "p", running("main"), subresource="status")
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}}
    result = await client.create(
        PODS, {**eviction, "deleteOptions": {"gracePeriodSeconds": 9}}, name="p", subresource="eviction"
    )
    assert result["status"] == "Success"
    obj = await client.get(PODS, "p")
    assert obj["metadata"]["deletionGracePeriodSeconds"] == 9
    condition = obj["status"]["conditions"][0]
    assert (condition["type"], condition["reason"]) == ("DisruptionTarget", "EvictionByEvictionAPI")
    missing = await refused(client.create(PODS, eviction, name="q", subresource="eviction"))
    assert missing.is_not_found


async def test_a_dry_eviction_leaves_the_pod(client: LocalClient):
    await client.create(PODS, pod("p", node="n1"))
    before = await client.get(PODS, "p")
    options = WriteOptions(dry_run=True)
    await client.create(PODS, {"kind": "Eviction"}, name="p", subresource="eviction", options=options)
    assert await client.get(PODS, "p") == before


async def test_ephemeral_containers_are_added_and_stay(client: LocalClient):
    await client.create(PODS, pod("p", node="n1"))
    debug = {"name": "debug", "image": "busybox"}
    obj = await client.patch(
        PODS, "p", {"spec": {"ephemeralContainers": [debug]}}, subresource="ephemeralcontainers"
    )
    assert obj["spec"]["ephemeralContainers"][0]["name"] == "debug"
    error = await refused(
        client.patch(PODS, "p", {"spec": {"ephemeralContainers": None}}, subresource="ephemeralcontainers")
    )
    assert error.code == 422
    kept = await client.patch(
        PODS,
        "p",
        {"spec": {"nodeName": "n2"}, "status": {"phase": "Failed"}},
        subresource="ephemeralcontainers",
    )
    assert kept == obj


async def test_subresources_a_kind_does_not_have(client: LocalClient):
    await client.create(PODS, pod("p"))
    for call in (
        client.patch(PODS, "p", {}, subresource="scale"),
        client.patch(PODS, "p", {}, subresource="moon"),
        client.create(PODS, {}, name="p", subresource="moon"),
        client.get(PODS, "p", subresource="moon"),
    ):
        assert (await refused(call)).code == 404


@pytest.fixture
async def agent(server: ApiServer, client: LocalClient) -> Agent:
    agent = Agent()
    server.register_node("n1", agent)  # type: ignore[arg-type] - a stand-in with what is asked of it
    return agent


async def read(client: LocalClient, name: str = "p", **options: Any) -> bytes:
    async with client.logs(name, "default", options=LogOptions(**options)) as chunks:
        return b"".join([chunk async for chunk in chunks])


async def test_logs_come_from_the_pods_node(client: LocalClient, agent: Agent):
    await client.create(PODS, pod("p", node="n1"))
    await client.patch(PODS, "p", running("main"), subresource="status")
    assert await read(client) == b"hello\n"
    assert agent.asked == [("logs", "p", "main")]


async def test_a_pod_without_a_node_has_no_logs_yet(client: LocalClient):
    await client.create(PODS, pod("p"))
    assert await read(client) == b""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"limit_bytes": 0}, "limitBytes: Invalid value: 0: must be greater than 0"),
        ({"tail_lines": -1}, "tailLines: Invalid value: -1: must be greater than or equal to 0"),
        ({"since_seconds": 0}, "sinceSeconds: Invalid value: 0: must be greater than 0"),
        (
            {"since_seconds": 1, "since_time": "2026-01-01T00:00:00Z"},
            ": Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified",
        ),
    ],
)
async def test_amounts_of_a_log_that_mean_nothing(client: LocalClient, options, message):
    await client.create(PODS, pod("p", node="n1"))
    error = await refused(read(client, **options))
    assert (error.code, error.message) == (422, f'PodLogOptions "p" is invalid: {message}')


async def test_which_container_is_meant(client: LocalClient, agent: Agent):
    await client.create(PODS, pod("p", node="n1", containers=("a", "b")))
    await client.patch(PODS, "p", running("a", "b"), subresource="status")
    error = await refused(read(client))
    assert error.message == "a container name must be specified for pod p, choose one of: [a b]"
    assert (await refused(read(client, container="c"))).message == "container c is not valid for pod p"
    await read(client, container="b")
    annotations = {"kubectl.kubernetes.io/default-container": "a"}
    await client.patch(PODS, "p", {"metadata": {"annotations": annotations}})
    await read(client)
    assert [asked[2] for asked in agent.asked] == ["b", "a"]


@pytest.mark.parametrize(
    ("state", "options", "message"),
    [
        (
            {"state": {"waiting": {"reason": "ContainerCreating"}}},
            {},
            'container "main" in pod "p" is waiting to start: ContainerCreating',
        ),
        (
            {"state": {"waiting": {"reason": "ImagePullBackOff"}}},
            {},
            'container "main" in pod "p" is waiting to start: trying and failing to pull image',
        ),
        (
            {"state": {"waiting": {"reason": "ErrImagePull"}}},
            {},
            'container "main" in pod "p" is waiting to start: image can\'t be pulled',
        ),
        ({"state": {"waiting": {}}}, {}, 'container "main" in pod "p" is waiting to start - no logs yet'),
        (
            {"state": {"running": {}}},
            {"previous": True},
            'previous terminated container "main" in pod "p" not found',
        ),
    ],
)
async def test_containers_without_logs(client: LocalClient, agent: Agent, state, options, message):
    await client.create(PODS, pod("p", node="n1"))
    status = {"status": {"containerStatuses": [{"name": "main", **state}]}}
    await client.patch(PODS, "p", status, subresource="status")
    error = await refused(read(client, **options))
    assert (error.code, error.message) == (400, message)


async def test_a_crashed_container_shows_its_last_run(client: LocalClient, agent: Agent):
    await client.create(PODS, pod("p", node="n1"))
    crashed = {
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": 1}},
    }
    status = {"status": {"containerStatuses": [{"name": "main", **crashed}]}}
    await client.patch(PODS, "p", status, subresource="status")
    assert await read(client) == b"hello\n"
    assert await read(client, previous=True) == b"hello\n"


async def test_exec_attach_and_dial(client: LocalClient, server: ApiServer, agent: Agent):
    await client.create(PODS, pod("p", node="n1"))
    await client.patch(PODS, "p", running("main"), subresource="status")
    assert await client.exec("p", "default", options=ExecOptions(command=("sh",))) == "session"
    assert await client.exec("p", "default", options=ExecOptions()) == "session"
    assert await server.dial(client._request, "p", "default", 80) == ("reader", "writer")
    assert agent.asked == [("exec", "p", "main"), ("attach", "p", "main"), ("dial", "p", 80)]


async def test_streams_that_cannot_be(client: LocalClient, server: ApiServer, agent: Agent):
    command = ExecOptions(command=("sh",))
    assert (await refused(client.exec("p", "default", options=command))).is_not_found
    await client.create(PODS, pod("p"))
    error = await refused(client.exec("p", "default", options=command))
    assert error.message == "pod p does not have a host assigned"
    await client.create(PODS, pod("done", node="n1"))
    await client.patch(PODS, "done", {"status": {"phase": "Succeeded"}}, subresource="status")
    error = await refused(client.exec("done", "default", options=command))
    assert error.message == "cannot exec into a container in a completed pod; current phase is Succeeded"
    await client.create(PODS, pod("far", node="n9"))
    await client.patch(PODS, "far", running("main"), subresource="status")
    assert (await refused(client.exec("far", "default", options=command))).code == 503
    server.unregister_node("n1")
    await client.delete(PODS, "far", options=DeleteOptions(grace_period_seconds=0))
