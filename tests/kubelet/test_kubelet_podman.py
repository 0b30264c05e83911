"""The kubelet on real Podman: what only real containers can show."""

import asyncio
import os
import signal
import time

import pytest
import pytest_asyncio
from kubelet_world import World, condition, container, pod, status_of, terminated, waiting

from ktui.client.base import ExecOptions, LogOptions
from ktui.engine.kubelet.runtime.base import ContainerState, RuntimeInfo
from ktui.kube.clock import RealClock
from ktui.kube.kinds import PODS

pytestmark = [pytest.mark.podman, pytest.mark.asyncio(loop_scope="module")]

IMAGE = "localhost/ktui-sample:1"
SLEEP = ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.05; done"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node(podman_runtime, tmp_path_factory):
    made = World(tmp_path_factory.mktemp("node"), runtime=podman_runtime, clock=RealClock())
    made.info = RuntimeInfo("podman", "4")
    await made.start()
    yield made
    await made.stop()
    volumes = made.kubelet.context.volumes
    for uid in volumes.known_pods():
        # A failed test must not leave a tmpfs mounted.
        await volumes.tear_down(uid)


def real(name="main", **fields):
    return container(name, image=IMAGE, **{"command": SLEEP, **fields})


async def output(node, name, *command, container_name="main"):
    """What a command run inside a container prints."""
    sandbox = (await node.records(name))[0]
    record = next(
        c for c in sandbox.containers if c.name == container_name and c.state is ContainerState.RUNNING
    )
    result = await node.runtime.exec_sync(record.id, command, 10)
    return result.output.decode()


async def test_containers_of_a_pod_share_their_network(node):
    web = real("web", command=["httpd", "-f", "-p", "8080", "-h", "/www"])
    await node.create(pod("shared", web, real("client")))
    running = await node.running("shared", 20)
    assert running["status"]["phase"] == "Running"
    page = await output(
        node, "shared", "wget", "-q", "-O-", "http://127.0.0.1:8080/healthz", container_name="client"
    )
    assert page
    assert status_of(running, "web")["containerID"].startswith("podman://")
    addresses = await output(node, "shared", "ip", "addr", container_name="client")
    assert running["status"]["podIP"] in addresses
    await node.delete("shared", grace=1)
    await node.until_gone("shared", 20)


async def test_init_containers_sidecars_environment_and_volumes(node):
    await node.config_map("page", **{"index.html": "first"})
    await node.secret("keys", token="s3cret")
    share = {"name": "share", "mountPath": "/share"}
    init = real("init", command=["sh", "-c", "echo from-init > /share/file"], volumeMounts=[share])
    sidecar = real("proxy", restartPolicy="Always", volumeMounts=[share])
    main = real(
        volumeMounts=[
            share,
            {"name": "page", "mountPath": "/page"},
            {"name": "keys", "mountPath": "/keys", "readOnly": True},
            {"name": "memory", "mountPath": "/memory"},
            {"name": "page", "mountPath": "/one.html", "subPath": "index.html"},
        ],
        env=[
            {"name": "WHO", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "HELLO", "value": "hello $(WHO)"},
        ],
        securityContext={"runAsUser": 1000},
        resources={"limits": {"memory": "64Mi", "cpu": "500m"}},
    )
    volumes = [
        {"name": "share", "emptyDir": {}},
        {"name": "page", "configMap": {"name": "page"}},
        {"name": "keys", "secret": {"secretName": "keys", "defaultMode": 0o440}},
        {"name": "memory", "emptyDir": {"medium": "Memory", "sizeLimit": "8Mi"}},
    ]
    await node.create(
        pod(
            "full",
            main,
            initContainers=[init, sidecar],
            volumes=volumes,
            securityContext={"fsGroup": 2000},
        )
    )
    await node.running("full", 20)
    assert (await output(node, "full", "cat", "/share/file")).strip() == "from-init"
    assert (await output(node, "full", "sh", "-c", "echo $HELLO")).strip() == "hello full"
    assert (await output(node, "full", "cat", "/keys/token")) == "s3cret"
    assert (await output(node, "full", "cat", "/one.html")) == "first"
    assert "tmpfs" in await output(node, "full", "sh", "-c", "mount | grep ' /memory '")
    assert (await output(node, "full", "id", "-u")).strip() == "1000"
    assert "2000" in (await output(node, "full", "id", "-G")).split()
    await output(node, "full", "sh", "-c", "echo x > /share/mine")
    hosts = await output(node, "full", "cat", "/etc/hosts")
    assert hosts.startswith("# Kubernetes-managed hosts file.")
    assert f"{(await node.get('full'))['status']['podIP']}\tfull\n" in hosts
    await node.config_map("page", **{"index.html": "second"})
    deadline = time.monotonic() + 10
    while (seen := await output(node, "full", "cat", "/page/index.html")) != "second":
        assert time.monotonic() < deadline, seen
        await asyncio.sleep(0.05)
    await node.delete("full", grace=2)
    await node.until_gone("full", 20)
    assert "full" not in {record.pod.name for record in await node.runtime.pods()}


async def test_probes_reach_the_pod(node):
    web = real(
        command=["httpd", "-f", "-p", "8080", "-h", "/www"],
        ports=[{"name": "http", "containerPort": 8080}],
        readinessProbe={"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 1},
        livenessProbe={"tcpSocket": {"port": 8080}, "periodSeconds": 1},
        startupProbe={"exec": {"command": ["true"]}, "periodSeconds": 1},
    )
    await node.create(pod("probed", web))
    await node.running("probed", 20)
    never = real(readinessProbe={"tcpSocket": {"port": 8080}, "periodSeconds": 1})
    await node.create(pod("unready", never))
    await node.until(lambda p: "running" in status_of(p)["state"], "unready", 20)
    address = (await node.get("unready"))["status"]["podIP"]
    deadline = time.monotonic() + 10
    expected = f"Readiness probe failed: dial tcp {address}:8080: connect: connection refused"
    while ("Unhealthy", expected) not in await node.events():
        assert time.monotonic() < deadline, await node.events("Unhealthy")
        await asyncio.sleep(0.1)
    for name in ("probed", "unready"):
        await node.delete(name, grace=1)
        await node.until_gone(name, 20)


async def test_a_failing_liveness_probe_restarts_a_real_container(node):
    main = real(
        command=["sh", "-c", "touch /tmp/ok; trap 'exit 0' TERM; while :; do sleep 0.05; done"],
        livenessProbe={
            "exec": {"command": ["cat", "/tmp/ok"]},
            "periodSeconds": 1,
            "failureThreshold": 1,
            "initialDelaySeconds": 1,
        },
    )
    await node.create(pod("sick", main))
    await node.running("sick", 20)
    await output(node, "sick", "rm", "/tmp/ok")
    await node.until(
        lambda p: status_of(p)["restartCount"] == 1 and "running" in status_of(p)["state"], "sick", 20
    )
    assert any(m.startswith("Liveness probe failed: cat:") for _, m in await node.events("Unhealthy"))
    await node.delete("sick", grace=1)
    await node.until_gone("sick", 20)


async def test_crashes_oom_kills_and_what_cannot_start(node):
    await node.create(pod("crash", real(command=["sh", "-c", "echo dying; exit 7"])))
    hungry = real(
        command=["sh", "-c", "x=xxxxxxxxxxxxxxxx; while :; do x=$x$x; done"],
        resources={"limits": {"memory": "16Mi"}},
    )
    await node.create(pod("hungry", hungry, restartPolicy="Never"))
    await node.create(pod("nosuch", real(command=["/no/such/thing"])))
    crash = await node.until(lambda p: waiting(p).get("reason") == "CrashLoopBackOff", "crash", 20)
    assert status_of(crash)["restartCount"] == 1
    last = status_of(crash)["lastState"]["terminated"]
    assert (last["exitCode"], last["reason"]) == (7, "Error")
    hungry = await node.until(lambda p: p["status"]["phase"] == "Failed", "hungry", 20)
    assert (terminated(hungry)["reason"], terminated(hungry)["exitCode"]) == ("OOMKilled", 137)
    nosuch = await node.until(
        lambda p: waiting(p).get("reason") in ("CrashLoopBackOff", "RunContainerError"), "nosuch", 20
    )
    assert status_of(nosuch)["ready"] is False
    for name in ("crash", "hungry", "nosuch"):
        await node.delete(name, grace=0)
    await asyncio.gather(*(node.until_gone(name, 20) for name in ("crash", "hungry", "nosuch")))


async def test_a_killed_process_is_restarted(node):
    await node.create(pod("killed", real()))
    await node.running("killed", 20)
    sandbox = (await node.records("killed"))[0]
    os.kill(sandbox.containers[0].pid, signal.SIGKILL)
    again = await node.until(
        lambda p: status_of(p)["restartCount"] == 1 and "running" in status_of(p)["state"], "killed", 20
    )
    assert status_of(again)["lastState"]["terminated"]["exitCode"] == 137
    await node.delete("killed", grace=1)
    await node.until_gone("killed", 20)


async def test_graceful_termination_and_pre_stop(node, tmp_path):
    out = {"name": "out", "mountPath": "/out"}
    main = real(
        command=[
            "sh",
            "-c",
            "trap 'echo term >> /out/log; exit 0' TERM; while :; do sleep 0.05; done",
        ],
        volumeMounts=[out],
        lifecycle={"preStop": {"exec": {"command": ["sh", "-c", "echo prestop >> /out/log"]}}},
    )
    volumes = [{"name": "out", "hostPath": {"path": str(tmp_path)}}]
    await node.create(pod("polite", main, volumes=volumes))
    await node.running("polite", 20)
    started = time.monotonic()
    await node.delete("polite")
    await node.until_gone("polite", 20)
    assert time.monotonic() - started < 10
    assert (tmp_path / "log").read_text().split() == ["prestop", "term"]


async def test_pods_survive_a_restart_of_the_kubelet(node):
    await node.create(pod("survivor", real()))
    before = await node.running("survivor", 20)
    pid = (await node.records("survivor"))[0].containers[0].pid
    await node.stop_kubelet()
    await node.start_kubelet()
    await asyncio.sleep(0.5)
    after = await node.running("survivor", 20)
    assert after["status"]["containerStatuses"] == before["status"]["containerStatuses"]
    assert condition(after, "Ready") == condition(before, "Ready")
    assert (await node.records("survivor"))[0].containers[0].pid == pid
    await node.delete("survivor", grace=1)
    await node.until_gone("survivor", 20)


async def test_logs_exec_and_metrics_through_the_agent(node):
    main = real(
        command=[
            "sh",
            "-c",
            "echo one; echo two >&2; sleep 1; echo three; trap 'exit 0' TERM; while :; do sleep 0.05; done",
        ]
    )
    await node.create(pod("talker", main))
    await node.running("talker", 20)
    stored = await node.client.get(PODS, "talker", "default")
    agent = node.kubelet.agent
    seen = b""
    async with asyncio.timeout(10):
        async with agent.logs(stored, LogOptions(follow=True)) as chunks:
            async for chunk in chunks:
                seen += chunk
                if seen.count(b"\n") >= 3:
                    break
    assert seen == b"one\ntwo\nthree\n"
    async with agent.logs(stored, LogOptions(tail_lines=1, timestamps=True)) as chunks:
        (last,) = [chunk async for chunk in chunks]
    stamp, _, text = last.decode().partition(" ")
    assert text == "three\n"
    assert stamp.startswith("20")
    session = await agent.exec(stored, ExecOptions(command=("sh", "-c", "echo hi; exit 4")))
    got = b"".join([data async for channel, data in session if channel == 1])
    assert got == b"hi\n"
    assert await session.wait() == 4
    (metrics,) = await agent.stats()
    assert metrics["metadata"]["name"] == "talker"
    assert metrics["containers"][0]["usage"]["memory"].endswith("Ki")
    await node.delete("talker", grace=1)
    await node.until_gone("talker", 20)
