"""Pods live on while ktui is away, and are found again as they are; or as they have become."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest
from cluster import SLEEP, Cluster, container, deployment, is_ready, pod, podman, status_of

pytestmark = pytest.mark.podman

PODS = "/api/v1/namespaces/default/pods"
FLAKY = ["sh", "-c", "trap 'exit 7' TERM; while :; do sleep 3600 & wait $!; done"]


def kill_container(cluster: Cluster, name: str) -> None:
    (found,) = (
        c
        for c in cluster.containers()
        if c["Labels"].get("dev.ktui.pod.name") == name and c["Labels"].get("dev.ktui.container.name")
    )
    os.kill(found["Pid"], signal.SIGKILL)
    podman("wait", found["Id"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "kill -9"])
def test_running_pods_are_adopted_and_what_changed_is_caught_up_with(
    new_cluster: Callable[..., Cluster], number: signal.Signals
):
    cluster = new_cluster()
    cluster.write("calm.yaml", pod("calm", container("one"), container("two")))
    cluster.write("group.yaml", deployment("group", 2, container()))
    doomed = cluster.write("doomed.yaml", pod("doomed"))
    cluster.write("always.yaml", pod("always"))
    cluster.write("never.yaml", pod("never", restartPolicy="Never"))
    cluster.write("on-failure.yaml", pod("on-failure", container(command=FLAKY), restartPolicy="OnFailure"))
    cluster.start()
    before = cluster.until_all(PODS, lambda items: len(items) == 7 and all(map(is_ready, items)), 40)
    uids = {item["metadata"]["name"]: item["metadata"]["uid"] for item in before}
    quiet = [name for name in uids if name.startswith(("calm", "group"))]
    containers = {name: cluster.containers_of(name) for name in uids}

    if number is signal.SIGKILL:
        cluster.kill()
    else:
        assert cluster.stop(number) == 0
    doomed.unlink()
    for name in ("always", "never", "on-failure"):
        kill_container(cluster, name)
    cluster.start()

    cluster.gone("doomed")
    assert cluster.containers_of("doomed") == []
    for name in ("always", "on-failure"):
        again = cluster.until_pod(name, lambda p: is_ready(p) and status_of(p)["restartCount"] == 1)
        assert again["metadata"]["uid"] == uids[name]
        assert status_of(again)["lastState"]["terminated"]["exitCode"] == 137
    ended = cluster.until_pod("never", lambda p: p["status"]["phase"] == "Failed")
    assert status_of(ended)["restartCount"] == 0
    assert status_of(ended)["state"]["terminated"]["exitCode"] == 137
    after = {item["metadata"]["name"]: item for item in cluster.call("GET", PODS)["items"]}
    assert set(after) == set(uids) - {"doomed"}
    for name in quiet:
        assert after[name]["metadata"]["uid"] == uids[name]
        assert [s["restartCount"] for s in after[name]["status"]["containerStatuses"]] in ([0], [0, 0])
        assert is_ready(after[name])
        assert cluster.containers_of(name) == containers[name]


def test_containers_whose_objects_are_gone_are_cleaned_up(new_cluster: Callable[..., Cluster]):
    cluster = new_cluster()
    cluster.write("lost.yaml", pod("lost"))
    cluster.start()
    cluster.ready("lost")
    cluster.stop()
    # The store is lost, the folder's file too: only the containers remember.
    (cluster.data_dir / "store").rename(cluster.root / "lost-store")
    (cluster.manifests / "lost.yaml").unlink()
    cluster.write("other.yaml", pod("other"))
    cluster.start()
    cluster.ready("other")
    cluster.until_no_container_of("lost")


def test_a_stop_that_comes_while_pods_start_leaves_nothing_half_made(new_cluster: Callable[..., Cluster]):
    cluster = new_cluster()
    cluster.start()
    cluster.write("group.yaml", deployment("group", 6, container(command=SLEEP)))
    cluster.until_all(PODS, lambda items: len(items) == 6)
    cluster.kill()
    cluster.start()
    cluster.until_all(PODS, lambda items: len(items) == 6 and all(map(is_ready, items)))
    pods = {item["metadata"]["uid"] for item in cluster.call("GET", PODS)["items"]}
    found = cluster.containers()
    assert len(found) == 12
    assert {c["Labels"]["dev.ktui.pod.uid"] for c in found if "dev.ktui.pod.uid" in c["Labels"]} == pods
