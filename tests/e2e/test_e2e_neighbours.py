"""Several engines, and other people's containers, on one machine."""

from __future__ import annotations

import ipaddress
import uuid
from collections.abc import Callable

import pytest
from cluster import SAMPLE, Cluster, container, deployment, is_ready, podman, podman_json

pytestmark = pytest.mark.podman

PODS = "/api/v1/namespaces/default/pods"


@pytest.fixture
def stranger():
    """A container that is nobody's pod; ktui's own podman settings make it start here."""
    name = f"stranger-{uuid.uuid4().hex[:8]}"
    podman("create", "--name", name, "--network", "none", "--label", "app=web", SAMPLE, "sleep", "3600")
    yield name
    podman("rm", "--force", "--time", "0", name)


def test_two_engines_and_a_stranger_keep_out_of_each_others_way(
    new_cluster: Callable[..., Cluster], stranger: str
):
    first, second = new_cluster(), new_cluster()
    for cluster in (first, second):
        cluster.write("web.yaml", deployment("web", 2, container()))
        cluster.start()
    for cluster in (first, second):
        cluster.until_all(PODS, lambda items: len(items) == 2 and all(map(is_ready, items)))
    assert first.engine_id != second.engine_id
    networks = [ipaddress.ip_network(cluster.subnet) for cluster in (first, second)]
    assert not networks[0].overlaps(networks[1])
    kept = {c["Id"] for c in second.containers()}
    assert len(kept) == 4
    before = podman_json("inspect", stranger)[0]

    (first.manifests / "web.yaml").unlink()
    first.until_all(PODS, lambda items: not items)
    assert first.containers() == []
    first.restart()
    assert first.call("GET", PODS)["items"] == []
    assert {c["Id"] for c in second.containers()} == kept
    pods = second.call("GET", PODS)["items"]
    assert all(map(is_ready, pods))
    after = podman_json("inspect", stranger)[0]
    assert (after["Id"], after["State"]) == (before["Id"], before["State"])


def test_a_second_engine_on_the_same_folder_is_refused(new_cluster: Callable[..., Cluster]):
    first = new_cluster()
    first.start()
    other = new_cluster()
    other.data_dir = first.data_dir
    with pytest.raises(AssertionError, match=r"error: .*another --data-dir"):
        other.start()
    other.process = None
    assert first.ok("get", "nodes", "--no-headers").out.split()[1] == "Ready"
