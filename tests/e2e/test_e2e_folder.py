"""The main job: files in a folder become running containers, and follow the files."""

import shutil
import time
from pathlib import Path

import pytest
import yaml
from cluster import Cluster, container, http_get, is_ready, pod, status_of, waiting_reason

pytestmark = pytest.mark.podman

SAMPLES = Path(__file__).parents[2] / "sample_manifests"


def test_a_pod_file_becomes_a_running_container_and_follows_the_file(cluster: Cluster):
    speak = ["sh", "-c", 'echo "$WORD from the pod"; trap "exit 0" TERM; sleep 3600 & wait $!']
    talker = container(command=speak, env=[{"name": "WORD", "value": "hello"}])
    file = cluster.write("talker.yaml", pod("talker", talker))
    running = cluster.ready("talker")
    assert running["status"]["phase"] == "Running"
    assert running["status"]["podIP"].startswith(cluster.subnet.rpartition(".")[0] + ".")
    cluster.until("hello from the pod", "logs", "talker")
    first = cluster.containers_of("talker")
    assert len(first) == 2

    talker["env"][0]["value"] = "another word"
    cluster.write("talker.yaml", pod("talker", talker))
    uid = running["metadata"]["uid"]
    again = cluster.until_pod("talker", lambda p: p["metadata"]["uid"] != uid and is_ready(p))
    assert again["status"]["containerStatuses"][0]["restartCount"] == 0
    cluster.until("another word from the pod", "logs", "talker")
    assert not set(first) & set(cluster.containers_of("talker"))

    file.unlink()
    cluster.gone("talker")
    assert cluster.containers_of("talker") == []


def test_a_broken_file_says_where_and_leaves_the_last_good_state(cluster: Cluster):
    cluster.write("web.yaml", pod("kept"))
    cluster.ready("kept")
    ids = cluster.containers_of("kept")
    cluster.write("web.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: kept}\nspec: {containrs: []}\n")
    cluster.write("other.yaml", pod("other"))
    cluster.ready("other")
    assert cluster.containers_of("kept") == ids
    for name in ("web.yaml", "other.yaml"):
        (cluster.manifests / name).unlink()
    cluster.gone("kept")
    cluster.gone("other")


def test_the_samples_come_up_as_they_say(new_cluster):
    cluster = new_cluster()
    shutil.copytree(SAMPLES, cluster.manifests, dirs_exist_ok=True)
    cluster.start()
    wanted = {"web": 3, "worker": 1, "catalog": 4}
    cluster.until_all(
        "/apis/apps/v1/namespaces/shop/deployments",
        lambda items: (
            {item["metadata"]["name"]: item.get("status", {}).get("availableReplicas") for item in items}
            == wanted
        ),
        40,
    )
    worker = cluster.ready("worker-*", namespace="shop")
    assert [status_of(worker, name)["ready"] for name in ("log-shipper", "worker")] == [True, True]
    listed = cluster.ok("get", "pods", "-n", "shop", "--no-headers").lines
    assert sorted(line.split()[1] for line in listed if not line.startswith("crashing")) == [
        *["1/1"] * 7,
        "2/2",
    ]
    cluster.until_says('"msg":"order packed"', "logs", "deploy/worker", "-n", "shop", "-c", "log-shipper")

    crashing = cluster.until_pod(
        "crashing",
        lambda p: waiting_reason(p) == "CrashLoopBackOff" and status_of(p)["restartCount"] >= 1,
        namespace="shop",
    )
    last = status_of(crashing)["lastState"]["terminated"]
    assert (last["exitCode"], last["message"].splitlines()[-1]) == (3, "fatal: no route to host")
    cluster.until_event("BackOff", "crashing", namespace="shop")

    address = cluster.ready("web-*", namespace="shop")["status"]["podIP"]
    assert "Welcome to the shop" in http_get(address)
    cluster.until_says(
        "Welcome to the shop",
        *("exec", "-n", "shop", "deploy/worker", "-c", "worker"),
        *("--", "wget", "-qO-", "http://web/"),
    )
    cluster.until_says("Serving", "get", "events", "-n", "shop")
    web = cluster.manifests / "web.yaml"
    page, deployment = yaml.safe_load_all(web.read_text())
    page["data"]["index.html"] = "<h1>Closed today</h1>"
    web.write_text(yaml.safe_dump_all([page, deployment]))
    deadline = time.monotonic() + 10
    while "Closed today" not in (seen := http_get(address)):
        assert time.monotonic() < deadline, seen
        time.sleep(0.05)
    assert {
        item["metadata"]["name"] for item in cluster.call("GET", "/api/v1/namespaces/shop/pods")["items"]
    } == {line.split()[0] for line in listed}
