"""What a person does with a pod: look into it, talk to it, see it fail, get well and end as it should."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import termios
from collections.abc import Callable

import pytest
from cluster import SLEEP, Cluster, container, deployment, is_ready, pod, status_of, waiting_reason

from ktui.client.base import ExecOptions
from ktui.client.http import HttpClient

pytestmark = pytest.mark.podman

PODS = "/api/v1/namespaces/default/pods"
ECHO = ["sh", "-c", 'echo ready; while read line; do echo "got $line"; [ "$line" = bye ] && exit 5; done']


@pytest.fixture(autouse=True)
def no_pod_left(cluster: Cluster):
    """Each test takes its own pods away, however it ends."""
    yield
    assert cluster.manifests is not None
    for file in cluster.manifests.iterdir():
        file.unlink()
    cluster.call("DELETE", "/apis/apps/v1/namespaces/default/deployments")
    try:
        cluster.until_all(PODS, lambda items: not items)
        assert cluster.containers() == []
    except AssertionError:
        # The next test, or this one's second try, is not to suffer for it.
        cluster.restart(signal.SIGKILL)
        raise


def test_exec_and_attach(cluster: Cluster):
    talker = container("talker", command=ECHO, stdin=True)
    cluster.write("p.yaml", pod("talk", container(), talker, restartPolicy="Never"))
    cluster.ready("talk")
    result = cluster.run("exec", "talk", "-c", "main", "--", "sh", "-c", "echo out; echo err >&2; exit 3")
    assert (result.code, result.out) == (3, "out\n")
    assert result.err.startswith("err\n")
    given = cluster.spawn("exec", "-i", "talk", "-c", "main", "--", "sort", "-r", stdin=subprocess.PIPE)
    assert given.communicate("a\nc\nb\n", 20)[0] == "c\nb\na\n"
    assert given.returncode == 0

    async def attach() -> tuple[bytes, int]:
        client = HttpClient.over_unix_socket(cluster.data_dir / "ktui.sock")
        try:
            # Without a command it is an attach.
            options = ExecOptions(container="talker", command=(), stdin=True)
            session = await client.exec("talk", "default", options=options)
            await session.send(b"one\nbye\n")
            seen = b"".join([data async for channel, data in session if channel == 1])
            return seen, await session.wait()
        finally:
            await client.close()

    seen, _ = asyncio.run(asyncio.wait_for(attach(), 20))
    assert seen == b"got one\ngot bye\n"
    ended = cluster.until_pod("talk", lambda p: "terminated" in status_of(p, "talker")["state"])
    assert status_of(ended, "talker")["state"]["terminated"]["exitCode"] == 5


def test_a_shell_has_the_size_of_its_terminal(cluster: Cluster):
    cluster.write("p.yaml", pod("roomy"))
    cluster.ready("roomy")
    near, far = pty.openpty()
    fcntl.ioctl(far, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 101, 0, 0))
    shell = cluster.spawn("exec", "-it", "roomy", "--", "sh", stdin=far, stdout=far, stderr=far)
    os.close(far)

    def until(text: str) -> None:
        shown = b""
        while text.encode() not in shown:
            readable, _, _ = select.select([near], [], [], 20)
            assert readable, shown
            shown += os.read(near, 4096)

    until("# ")
    os.write(near, b"stty size\n")
    until("33 101\r\n")
    fcntl.ioctl(near, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    shell.send_signal(signal.SIGWINCH)
    # The container's terminal follows; when, nobody tells.
    os.write(near, b'while [ "$(stty size)" != "40 120" ]; do sleep 0.05; done; exit 5\n')
    until("command terminated with exit code 5")
    assert shell.wait(20) == 5
    os.close(near)


def test_logs_follow_on_and_those_before_a_restart_are_kept(cluster: Cluster):
    script = """
        echo "life $(cat /state/n 2>/dev/null)"; echo again >> /state/n
        [ $(wc -l < /state/n) -ge 2 ] && sleep 3600
        until [ -e /state/end ]; do sleep 0.1; done; exit 1
    """
    mount = {"name": "state", "mountPath": "/state"}
    phoenix = container(
        command=["sh", "-c", f"trap 'exit 0' TERM; ({script}) & wait $!"], volumeMounts=[mount]
    )
    cluster.write("p.yaml", pod("phoenix", phoenix, volumes=[{"name": "state", "emptyDir": {}}]))
    cluster.until_pod("phoenix", lambda p: "running" in status_of(p)["state"])
    following = cluster.spawn("logs", "-f", "phoenix")
    assert following.stdout is not None
    assert following.stdout.readline() == "life \n"
    cluster.ok("exec", "phoenix", "--", "touch", "/state/end")
    assert following.communicate(timeout=20)[0] == ""
    assert following.returncode == 0
    again = cluster.until_pod("phoenix", lambda p: status_of(p)["restartCount"] == 1 and is_ready(p))
    assert status_of(again)["lastState"]["terminated"]["exitCode"] == 1
    cluster.until("life again", "logs", "phoenix")
    assert cluster.ok("logs", "-p", "phoenix").out == "life \n"
    assert cluster.ok("logs", "phoenix", "--tail", "1", "--timestamps").out.startswith("20")


def test_a_followed_log_ends_when_ktui_does_and_goes_on_after_its_restart(cluster: Cluster):
    ticking = container(
        command=["sh", "-c", "trap 'exit 0' TERM; n=0; while :; do n=$((n+1)); echo $n; sleep 0.1; done"]
    )
    cluster.write("p.yaml", pod("clock", ticking))
    cluster.ready("clock")
    following = cluster.spawn("logs", "-f", "clock")
    assert following.stdout is not None
    assert following.stdout.readline() == "1\n"
    cluster.restart()
    following.communicate(timeout=20)
    lines = [int(line) for line in cluster.ok("logs", "clock").lines]
    assert lines == list(range(1, len(lines) + 1))
    assert len(lines) > 10
    assert status_of(cluster.ready("clock"))["restartCount"] == 0


def test_probes_and_memory_limits_end_containers(cluster: Cluster):
    probe = {"exec": {"command": ["test", "-e", "/tmp/well"]}, "periodSeconds": 1, "failureThreshold": 1}
    well = container(
        command=[
            "sh",
            "-c",
            "touch /tmp/well; trap 'exit 0' TERM; sleep 2; rm /tmp/well; sleep 3600 & wait $!",
        ]
    )
    sick = {**well, "livenessProbe": {**probe, "initialDelaySeconds": 1}}
    hungry = container(
        command=["sh", "-c", "x=xxxxxxxxxxxxxxxx; while :; do x=$x$x; done"],
        resources={"limits": {"memory": "16Mi"}},
    )
    cluster.write("p.yaml", pod("sick", sick), pod("hungry", hungry, restartPolicy="Never"))
    ended = cluster.until_pod("hungry", lambda p: p["status"]["phase"] == "Failed")
    terminated = status_of(ended)["state"]["terminated"]
    assert (terminated["reason"], terminated["exitCode"]) == ("OOMKilled", 137)
    restarted = cluster.until_pod("sick", lambda p: status_of(p)["restartCount"] == 1 and is_ready(p))
    assert status_of(restarted)["lastState"]["terminated"]["exitCode"] in (0, 137)
    cluster.until_event("Killing", "sick", "Container main failed liveness probe, will be restarted")


def test_init_containers_sidecars_and_a_graceful_end(cluster: Cluster):
    out = cluster.root / "out"
    out.mkdir()
    mounts = {"volumeMounts": [{"name": "out", "mountPath": "/out"}]}

    def says(name: str, script: str, **fields: object):
        return container(name, command=["sh", "-c", script], **mounts, **fields)

    def until_told(name: str) -> str:
        return (
            f"echo {name} >> /out/log; trap 'echo {name} ends >> /out/log; exit 0' TERM; sleep 3600 & wait $!"
        )

    main = says("main", until_told("main"))
    main["lifecycle"] = {"preStop": {"exec": {"command": ["sh", "-c", "echo preStop >> /out/log"]}}}
    inits = [
        says("first", "sleep 0.3; echo first >> /out/log"),
        says("proxy", until_told("proxy"), restartPolicy="Always"),
        says("second", "echo second >> /out/log"),
    ]
    volumes = [{"name": "out", "hostPath": {"path": str(out)}}]
    spec = {"initContainers": inits, "volumes": volumes, "terminationGracePeriodSeconds": 10}
    file = cluster.write("p.yaml", pod("ordered", main, **spec))
    cluster.ready("ordered")
    file.unlink()
    cluster.gone("ordered", 10)
    assert (out / "log").read_text().splitlines() == [
        *("first", "proxy", "second", "main"),
        *("preStop", "main ends", "proxy ends"),
    ]


def test_what_a_pod_asks_for_reaches_it(cluster: Cluster):
    config = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings"},
        "data": {"colour": "red"},
    }
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "keys"},
        "stringData": {"token": "s3cret"},
    }
    asking = container(
        env=[
            {"name": "COLOUR", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "colour"}}},
            {"name": "SAYS", "value": "it is $(COLOUR)"},
        ],
        volumeMounts=[
            {"name": "keys", "mountPath": "/keys"},
            {"name": "about", "mountPath": "/about"},
        ],
        securityContext={"runAsUser": 1000, "readOnlyRootFilesystem": True},
    )
    about = {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}
    volumes = [{"name": "keys", "secret": {"secretName": "keys"}}, {"name": "about", "downwardAPI": about}]
    hosts = [{"ip": "10.1.2.3", "hostnames": ["db.example"]}]
    cluster.write("p.yaml", config, secret, pod("asking", asking, volumes=volumes, hostAliases=hosts))
    cluster.ready("asking")
    script = 'echo "$SAYS"; cat /keys/token; echo; cat /about/name; echo; id -u; touch /x 2>/dev/null || echo read-only; grep db.example /etc/hosts | cut -c1-8'
    assert cluster.ok("exec", "asking", "--", "sh", "-c", script).lines == [
        *("it is red", "s3cret", "asking", "1000", "read-only", "10.1.2.3"),
    ]


def test_a_pod_waits_for_its_config_map(cluster: Cluster):
    source = {"configMapKeyRef": {"name": "later", "key": "word"}}
    cluster.write("p.yaml", pod("patient", container(env=[{"name": "WORD", "valueFrom": source}])))
    early = cluster.until_pod("patient", lambda p: waiting_reason(p) == "CreateContainerConfigError")
    assert 'configmap "later" not found' in status_of(early)["state"]["waiting"]["message"]
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "later"}, "data": {"word": "now"}}
    cluster.write("q.yaml", config)
    cluster.ready("patient", 10)


def test_a_node_is_cordoned_emptied_by_evictions_and_used_again(cluster: Cluster):
    cluster.write("p.yaml", deployment("group", 2, container(command=SLEEP)))
    pods = cluster.until_all(PODS, lambda items: len(items) == 2 and all(map(is_ready, items)))
    node = pods[0]["spec"]["nodeName"]
    cluster.call("PATCH", f"/api/v1/nodes/{node}", {"spec": {"unschedulable": True}})
    for item in pods:
        name = item["metadata"]["name"]
        eviction = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": "default"},
        }
        cluster.call("POST", f"{PODS}/{name}/eviction", eviction)
    names = {item["metadata"]["name"] for item in pods}
    waiting = cluster.until_all(
        PODS, lambda items: len(items) == 2 and not names & {item["metadata"]["name"] for item in items}
    )
    assert cluster.containers() == []
    first = cluster.until_pod(waiting[0]["metadata"]["name"], lambda p: p["status"]["conditions"])
    (scheduled,) = (c for c in first["status"]["conditions"] if c["type"] == "PodScheduled")
    assert scheduled["reason"] == "Unschedulable"
    assert "0/1 nodes are available: 1 node(s) were unschedulable" in scheduled["message"]
    cluster.call("PATCH", f"/api/v1/nodes/{node}", {"spec": {"unschedulable": None}})
    cluster.until_all(PODS, lambda items: len(items) == 2 and all(map(is_ready, items)))


def test_scaling_and_deleting_by_verb(cluster: Cluster):
    cluster.ok("apply", "-f", "-", stdin=json.dumps(deployment("crowd", 1, container())))
    cluster.ok("scale", "deploy/crowd", "--replicas", "4")
    cluster.until_all(PODS, lambda items: len(items) == 4 and all(map(is_ready, items)))
    cluster.until_says("4 desired | 4 updated | 4 total | 4 available", "describe", "deploy", "crowd")
    cluster.ok("delete", "deploy", "crowd")
    cluster.until_all(PODS, lambda items: not items)


def test_a_stopped_podman_service_comes_back(new_cluster: Callable[..., Cluster]):
    cluster = new_cluster()
    cluster.start()
    cluster.write("p.yaml", pod("steady"))
    cluster.ready("steady")
    ids = cluster.containers_of("steady")
    cluster.kill_podman_service()
    cluster.write("q.yaml", pod("after"))
    cluster.ready("after")
    assert cluster.containers_of("steady") == ids
