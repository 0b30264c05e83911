"""metrics.k8s.io: pods as the agents tell, nodes summed up, and an agent that does not answer left out."""

from __future__ import annotations

import pytest

from ktui.client.base import ListOptions
from ktui.engine.api.local import LocalClient
from ktui.engine.api.metrics import NODE_METRICS, POD_METRICS
from ktui.engine.api.server import ApiServer
from ktui.kube.errors import StatusError, unavailable
from ktui.kube.resource import Object


def usage(name: str, *containers: tuple[str, str]) -> Object:
    return {
        "apiVersion": "metrics.k8s.io/v1beta1",
        "kind": "PodMetrics",
        "metadata": {"name": name, "namespace": "default", "labels": {"app": name}},
        "window": "10.000s",
        "containers": [
            {"name": f"c{n}", "usage": {"cpu": cpu, "memory": memory}}
            for n, (cpu, memory) in enumerate(containers)
        ],
    }


class Agent:
    def __init__(self, *pods: Object) -> None:
        self.pods = pods

    async def stats(self):
        if not self.pods:
            raise unavailable("down")
        return self.pods


@pytest.fixture
def measured(server: ApiServer, client: LocalClient) -> LocalClient:
    pods = usage("b", ("1500000n", "1024Ki")), usage("a", ("250m", "2Mi"), ("1n", "0"))
    server.register_node("n1", Agent(*pods))  # type: ignore[arg-type] - a stand-in with what is asked of it
    server.register_node("n2", Agent())  # type: ignore[arg-type] - a stand-in with what is asked of it
    return client


async def test_without_agents_there_is_no_metrics_api(client: LocalClient):
    with pytest.raises(StatusError) as refused:
        await client.list(POD_METRICS)
    assert refused.value.code == 404
    assert all(resource.group != "metrics.k8s.io" for resource in await client.resources())


async def test_pods_are_listed_selected_and_printed(measured: LocalClient):
    assert [pod["metadata"]["name"] for pod in (await measured.list(POD_METRICS)).items] == ["a", "b"]
    some = await measured.list(POD_METRICS, "default", options=ListOptions(label_selector="app=b"))
    assert [pod["metadata"]["name"] for pod in some.items] == ["b"]
    assert not (await measured.list(POD_METRICS, "other")).raw
    assert (await measured.get(POD_METRICS, "a", "default"))["window"] == "10.000s"
    table = await measured.table(POD_METRICS, "default")
    assert [row["cells"] for row in table["rows"]] == [
        ["a", "251m", "2Mi", "10.000s"],
        ["b", "2m", "1Mi", "10.000s"],
    ]


async def test_nodes_are_the_sum_of_their_pods(measured: LocalClient):
    nodes = (await measured.list(NODE_METRICS)).items
    assert [node["metadata"]["name"] for node in nodes] == ["n1"]
    assert nodes[0]["usage"] == {"cpu": "251500001n", "memory": "3072Ki"}
    with pytest.raises(StatusError) as refused:
        await measured.get(NODE_METRICS, "n2")
    assert refused.value.is_not_found


async def test_metrics_can_only_be_read(measured: LocalClient, server: ApiServer):
    for user in (measured, LocalClient(server, "system:x")):
        with pytest.raises(StatusError) as refused:
            await user.delete(POD_METRICS, "a")
        assert refused.value.code == 405
        with pytest.raises(StatusError):
            async with user.watch(POD_METRICS):
                pass
