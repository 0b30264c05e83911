"""The Podman runtime on real Podman: what the kubelet asks of it, and what it promises about other people's things."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from ktui.engine.kubelet.runtime import podman_setup
from ktui.engine.kubelet.runtime.base import (
    ContainerState,
    DNSConfig,
    ImageError,
    Mount,
    NotFoundError,
    PortMapping,
    Resources,
    RuntimeCallError,
    Security,
)
from ktui.engine.kubelet.runtime.podman import PodmanRuntime

pytestmark = [pytest.mark.podman, pytest.mark.asyncio(loop_scope="module")]

SLEEP = ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.05; done"]


@asynccontextmanager
async def pod(runtime, spec):
    sandbox = await runtime.run_sandbox(spec)
    try:
        yield sandbox
    finally:
        await runtime.remove_sandbox(sandbox)


async def start(runtime, sandbox, spec):
    container = await runtime.create_container(sandbox, spec)
    await runtime.start_container(container)
    return container


async def output(runtime, container, *command):
    result = await runtime.exec_sync(container, command, 10)
    assert result.exit_code == 0, result.output
    return result.output.decode().strip()


async def event(events, kind, container="", timeout=5):
    async with asyncio.timeout(timeout):
        async for found in events:
            if found.type == kind and container in ("", found.container_id):
                return found
    return None


async def logged(runtime, container, text, timeout=5):
    path = (await runtime.container(container)).log_path
    async with asyncio.timeout(timeout):
        while text not in path.read_text():
            await asyncio.sleep(0.02)
    return path.read_text()


def services(folder):
    """Podman services that listen in `folder`."""
    found = subprocess.run(
        ["pgrep", "-f", f"^[^ ]*podman system service.*{folder}"], capture_output=True, text=True, check=False
    )
    return [int(pid) for pid in found.stdout.split()]


def podman_json(*command):
    return json.loads(subprocess.run(["podman", *command], capture_output=True, check=True).stdout or "[]")


async def test_pod_runs_answers_and_goes(podman_runtime, sandbox_spec, container_spec):
    runtime, spec = podman_runtime, sandbox_spec("web")
    async with runtime.events() as events:
        sandbox = await runtime.run_sandbox(spec)
        container = await start(
            runtime, sandbox, container_spec(name="app", labels={"hash": "x"}, env={"GREETING": "hi"})
        )
        await event(events, "started", container)
        (record,) = await runtime.pod(spec.pod.uid)
        assert (record.id, record.pod, record.ready, record.labels) == (
            sandbox,
            spec.pod,
            True,
            {"test": "yes"},
        )
        (app,) = record.containers
        assert (app.name, app.attempt, app.state, app.labels) == (
            "app",
            0,
            ContainerState.RUNNING,
            {"hash": "x"},
        )
        assert app.started_at is not None
        assert app.pid > 0
        assert await output(runtime, container, "sh", "-c", "echo $GREETING; hostname") == "hi\nweb"

        reader, writer = await runtime.dial(sandbox, 8080)
        writer.write(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert (await reader.read()).endswith(b"ok\n")
        writer.close()

        (stats,) = await runtime.stats()
        assert (stats.container_id, stats.pod_uid) == (container, spec.pod.uid)
        assert 0 < stats.memory_working_set <= stats.memory_usage
        assert stats.cpu_nanoseconds > 0
        assert stats.network_tx_bytes >= 0

        await runtime.stop_container(container, 10)
        await event(events, "died", container)
        ended = await runtime.container(container)
        assert (ended.state, ended.exit_code, ended.oom_killed) == (ContainerState.EXITED, 0, False)
        assert ended.started_at <= ended.finished_at

        await runtime.stop_sandbox(sandbox)
        await event(events, "sandbox")
        assert not (await runtime.pod(spec.pod.uid))[0].ready
        await runtime.remove_sandbox(sandbox)
        await runtime.remove_sandbox(sandbox)
        await event(events, "removed")
        assert await runtime.pod(spec.pod.uid) == []
        with pytest.raises(NotFoundError):
            await runtime.container(container)


async def test_containers_share_what_a_pod_shares(podman_runtime, sandbox_spec, container_spec, tmp_path):
    runtime = podman_runtime
    spec = sandbox_spec(
        "shared",
        hostname="box",
        share_process_namespace=True,
        dns=DNSConfig(servers=["10.9.9.9"], searches=["default.svc.cluster.local"], options=["ndots:5"]),
        host_aliases=[("10.1.2.3", "db.local")],
        sysctls={"net.ipv4.ip_local_port_range": "20000 21000"},
    )
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "key").write_text("one")
    async with pod(runtime, spec) as sandbox:
        first = await start(
            runtime,
            sandbox,
            container_spec(
                SLEEP,
                mounts=[
                    Mount(target="/conf", source=str(tmp_path / "conf"), read_only=True),
                    Mount(target="/mem", size_bytes=1 << 20),
                ],
                security=Security(
                    user="1000:1000",
                    supplemental_groups=[2000],
                    drop_capabilities=["ALL"],
                    add_capabilities=["NET_BIND_SERVICE"],
                    read_only_root_filesystem=True,
                    no_new_privileges=True,
                ),
                resources=Resources(
                    memory_limit=64 << 20, cpu_quota=50_000, cpu_period=100_000, oom_score_adj=500
                ),
                working_dir="/home/app",
            ),
        )
        second = await start(runtime, sandbox, container_spec(["sleep", "60"]))
        seen = await output(
            runtime,
            first,
            "sh",
            "-c",
            "id; cat /conf/key; pwd; cat /proc/self/oom_score_adj; cat /etc/resolv.conf; cat /etc/hosts;"
            "touch /x 2>&1; touch /conf/x 2>&1; touch /mem/x && df /mem; grep -i NoNewPrivs /proc/self/status;"
            "cat /proc/sys/net/ipv4/ip_local_port_range",
        )
        for expected in (
            "uid=1000(app) gid=1000(app) groups=1000(app),2000",
            "one",
            "/home/app",
            "500",
            "nameserver 10.9.9.9",
            "search default.svc.cluster.local",
            "options ndots:5",
            "10.1.2.3\tdb.local",
            "touch: /x: Read-only file system",
            "touch: /conf/x: Read-only file system",
            "1024",
            "20000\t21000",
        ):
            assert expected in seen
        assert "sleep 60" in await output(runtime, first, "ps")
        assert await output(runtime, second, "hostname") == "box"
        addresses = {await output(runtime, c, "sh", "-c", "ip -4 addr show eth0") for c in (first, second)}
        assert len(addresses) == 1
        assert (await runtime.pod(spec.pod.uid))[0].ips[0] in addresses.pop()

        await runtime.update_resources(first, Resources(memory_limit=96 << 20))


async def test_death_is_told_at_once(podman_runtime, sandbox_spec, container_spec):
    async with pod(podman_runtime, sandbox_spec()) as sandbox, podman_runtime.events() as events:
        delays = []
        for attempt in range(3):
            container = await start(
                podman_runtime, sandbox, container_spec(["sleep", "60"], name="app", attempt=attempt)
            )
            pid = (await podman_runtime.container(container)).pid
            begin = time.perf_counter()
            os.kill(pid, signal.SIGKILL)
            await event(events, "died", container)
            delays.append(time.perf_counter() - begin)
            assert (await podman_runtime.container(container)).exit_code == 137
        assert min(delays) < 0.1


async def test_exit_codes_of_short_lives(podman_runtime, sandbox_spec, container_spec):
    async with pod(podman_runtime, sandbox_spec()) as sandbox, podman_runtime.events() as events:
        container = await start(podman_runtime, sandbox, container_spec(["sh", "-c", "echo bye; exit 3"]))
        await event(events, "died", container)
        record = await podman_runtime.container(container)
        assert (record.state, record.exit_code, record.oom_killed) == (ContainerState.EXITED, 3, False)
        line = (await logged(podman_runtime, container, "bye")).splitlines()[0]
        assert line.endswith(" stdout F bye")


async def test_oom_kill_is_recognised(podman_runtime, sandbox_spec, container_spec):
    async with pod(podman_runtime, sandbox_spec()) as sandbox, podman_runtime.events() as events:
        container = await start(
            podman_runtime,
            sandbox,
            container_spec(
                ["sh", "-c", "sleep 0.2; tail /dev/zero"], resources=Resources(memory_limit=8 << 20)
            ),
        )
        await event(events, "oom", container, timeout=20)
        record = await podman_runtime.container(container)
        assert (record.exit_code, record.oom_killed) == (137, True)


async def test_stubborn_container_is_killed_after_its_grace(podman_runtime, sandbox_spec, container_spec):
    async with pod(podman_runtime, sandbox_spec()) as sandbox:
        stubborn = await start(
            podman_runtime, sandbox, container_spec(["sh", "-c", "trap '' TERM; sleep 60"])
        )
        begin = time.perf_counter()
        await podman_runtime.stop_container(stubborn, 0.5)
        assert 0.5 <= time.perf_counter() - begin < 3
        assert (await podman_runtime.container(stubborn)).exit_code == 137
        custom = await start(
            podman_runtime,
            sandbox,
            container_spec(
                ["sh", "-c", "trap 'exit 7' USR1; while :; do sleep 0.05; done"], stop_signal="SIGUSR1"
            ),
        )
        await asyncio.sleep(0.3)
        await podman_runtime.stop_container(custom, 10)
        assert (await podman_runtime.container(custom)).exit_code == 7


async def test_end_is_noticed_though_conmon_is_gone(podman_runtime, sandbox_spec, container_spec):
    async with pod(podman_runtime, sandbox_spec()) as sandbox, podman_runtime.events() as events:
        container = await start(podman_runtime, sandbox, container_spec(["sleep", "60"]))
        (conmon,) = subprocess.run(
            ["pgrep", "-f", f"conmon.*-c {container}"], capture_output=True, text=True, check=True
        ).stdout.split()
        os.kill(int(conmon), signal.SIGKILL)
        os.kill((await podman_runtime.container(container)).pid, signal.SIGKILL)
        await event(events, "died", container, timeout=10)
        record = await podman_runtime.container(container)
        assert record.state is ContainerState.EXITED
        assert record.exit_code != 0


async def test_unfinished_start_of_a_killed_engine_gives_way(podman_runtime, sandbox_spec, container_spec):
    spec, container = sandbox_spec(), container_spec(SLEEP, name="app")
    await podman_runtime.run_sandbox(spec)
    async with pod(podman_runtime, spec) as sandbox:
        await podman_runtime.create_container(sandbox, container)
        await start(podman_runtime, sandbox, container)
        assert [found.id for found in await podman_runtime.pod(spec.pod.uid) if found.ready] == [sandbox]


async def test_command_that_is_not_there(podman_runtime, sandbox_spec, container_spec):
    async with pod(podman_runtime, sandbox_spec()) as sandbox:
        container = await podman_runtime.create_container(sandbox, container_spec(["/no/such"]))
        with pytest.raises(RuntimeCallError, match="no such file or directory"):
            await podman_runtime.start_container(container)
        assert (await podman_runtime.container(container)).state is not ContainerState.RUNNING
        await podman_runtime.remove_container(container)
        await podman_runtime.remove_container(container)


async def test_probe_commands(podman_runtime, sandbox_spec, container_spec):
    async with pod(podman_runtime, sandbox_spec()) as sandbox:
        container = await start(podman_runtime, sandbox, container_spec(SLEEP))
        result = await podman_runtime.exec_sync(container, ["sh", "-c", "echo out; echo err >&2; exit 4"], 10)
        assert (result.exit_code, sorted(result.output.split())) == (4, [b"err", b"out"])
        long = await podman_runtime.exec_sync(container, ["sh", "-c", "yes | head -c 100000"], 10)
        assert len(long.output) == 16 * 1024
        with pytest.raises(TimeoutError, match=r"timed out after 0\.3s"):
            await podman_runtime.exec_sync(container, ["sleep", "77"], 0.3)
        assert "sleep 77" not in await output(podman_runtime, container, "ps")
        await podman_runtime.stop_container(container, 0)
        with pytest.raises(RuntimeCallError, match="not running"):
            await podman_runtime.exec_sync(container, ["true"], 1)


async def test_exec_sessions(podman_runtime, sandbox_spec, container_spec):
    async with pod(podman_runtime, sandbox_spec()) as sandbox:
        container = await start(podman_runtime, sandbox, container_spec(SLEEP))
        session = await podman_runtime.exec(
            container, ["sh", "-c", "cat; echo err >&2; exit 5"], stdin=True, tty=False
        )
        await session.send(b"typed\n")
        await session.close_stdin()
        channels = {1: b"", 2: b""}
        async for channel, data in session:
            channels[channel] += data
        assert channels == {1: b"typed\n", 2: b"err\n"}
        assert await session.wait() == 5
        await session.close()

        shell = await podman_runtime.exec(container, ["sh"], stdin=True, tty=True)
        await shell.resize(132, 43)
        await shell.send(b"stty size; exit 6\n")
        seen = b"".join([data async for _, data in shell])
        assert b"43 132" in seen
        assert await shell.wait() == 6
        await shell.close()

        abandoned = await podman_runtime.exec(container, ["sleep", "88"], stdin=False, tty=False)
        await abandoned.close()
        async with asyncio.timeout(10):
            while "sleep 88" in await output(podman_runtime, container, "ps") or conmons(container) > 1:
                await asyncio.sleep(0.05)


def conmons(container):
    found = subprocess.run(
        ["pgrep", "-fc", f"conmon.*{container}"], capture_output=True, text=True, check=False
    )
    return int(found.stdout)


async def test_attach_reaches_the_main_process(podman_runtime, sandbox_spec, container_spec):
    async with pod(podman_runtime, sandbox_spec()) as sandbox:
        container = await start(podman_runtime, sandbox, container_spec(["sh"], stdin=True, tty=True))
        assert await output(podman_runtime, container, "echo", "probed") == "probed"
        session = await podman_runtime.attach(container, stdin=True, tty=True)
        await session.resize(100, 30)
        await session.send(b"stty size; exit 9\n")
        assert b"30 100" in b"".join([data async for _, data in session])
        assert await session.wait() == 9
        await session.close()


async def test_host_network_and_host_ports(
    podman_runtime, sandbox_spec, container_spec, unused_tcp_port_factory
):
    inner, outer = unused_tcp_port_factory(), unused_tcp_port_factory()
    host = sandbox_spec("host", host_network=True, hostname="")
    async with pod(podman_runtime, host) as sandbox:
        await start(podman_runtime, sandbox, container_spec(env={"PORT": str(inner)}))
        assert (await podman_runtime.pod(host.pod.uid))[0].ips == (podman_runtime.host_ip,)
        await answers("127.0.0.1", inner)
    mapped = sandbox_spec("mapped", port_mappings=[PortMapping(container_port=8080, host_port=outer)])
    async with pod(podman_runtime, mapped) as sandbox:
        await start(podman_runtime, sandbox, container_spec())
        await answers("127.0.0.1", outer)
        await answers((await podman_runtime.pod(mapped.pod.uid))[0].ips[0], 8080)


async def answers(address, port, timeout=5):
    async with asyncio.timeout(timeout):
        while True:
            try:
                reader, writer = await asyncio.open_connection(address, port)
            except OSError:
                await asyncio.sleep(0.02)
                continue
            writer.write(b"GET /healthz HTTP/1.0\r\n\r\n")
            body = await reader.read()
            writer.close()
            assert body.endswith(b"ok\n")
            return


async def test_images(podman_runtime):
    image = await podman_runtime.image_status("localhost/ktui-sample:1")
    assert image.id.startswith("sha256:")
    assert image.digests[0].startswith("localhost/ktui-sample@sha256:")
    assert await podman_runtime.image_status(image.id) == image
    assert await podman_runtime.image_status("ktui-sample:1") == image
    assert await podman_runtime.image_status("nowhere.invalid/none:1") is None
    assert image.id in {found.id for found in await podman_runtime.images()}
    with pytest.raises(ImageError) as malformed:
        await podman_runtime.pull_image("UPPER CASE")
    assert malformed.value.reason == "InvalidImageName"
    with pytest.raises(ImageError, match=r'failed to pull image "127\.0\.0\.1:1/none:1".*refused') as refused:
        await podman_runtime.pull_image("127.0.0.1:1/none:1")
    assert refused.value.reason == "ErrImagePull"
    used, capacity = await podman_runtime.filesystem_usage()
    assert 0 < used < capacity


async def test_image_and_its_volumes_go(podman_runtime, sandbox_spec, container_spec, tmp_path):
    tag = f"localhost/ktui-test-{podman_runtime.identity.engine}:1"
    subprocess.run(
        ["podman", "build", "-q", "-t", tag, "-f", "-", str(tmp_path)],
        input=f"FROM localhost/ktui-sample:1\nLABEL x={tag}\nVOLUME /data\n".encode(),
        check=True,
        capture_output=True,
    )
    image = await podman_runtime.image_status(tag)
    assert image.pinned
    async with pod(podman_runtime, sandbox_spec()) as sandbox:
        container = await start(podman_runtime, sandbox, container_spec(SLEEP, image=tag))
        (volume,) = [mount["Name"] for mount in podman_json("inspect", container)[0]["Mounts"]]
        assert volume in volumes()
        with pytest.raises(RuntimeCallError, match="in use"):
            await podman_runtime.remove_image(image.id)
        await podman_runtime.remove_container(container)
        assert volume not in volumes()
    await podman_runtime.remove_image(image.id)
    await podman_runtime.remove_image(image.id)
    assert await podman_runtime.image_status(tag) is None


def volumes():
    return subprocess.run(
        ["podman", "volume", "ls", "-q"], capture_output=True, text=True, check=True
    ).stdout.split()


async def test_restarted_runtime_adopts_and_strangers_stay(tmp_path, sandbox_spec, container_spec):
    first, second = PodmanRuntime(tmp_path / "one"), PodmanRuntime(tmp_path / "two")
    spec = sandbox_spec("kept")
    await first.start()
    await second.start()
    try:
        assert first.pod_cidr != second.pod_cidr
        sandbox = await first.run_sandbox(spec)
        container = await start(first, sandbox, container_spec(SLEEP, name="app", attempt=2))
        other = await second.run_sandbox(replace(spec, attempt=1))
        before = await first.container(container)
        assert [record.id for record in await second.pods()] == [other]
        await first.close()
        assert Path(f"/proc/{before.pid}").exists()

        first = PodmanRuntime(tmp_path / "one")
        await first.start()
        (record,) = await first.pods()
        assert (record.id, record.pod, record.ready, record.labels) == (
            sandbox,
            spec.pod,
            True,
            {"test": "yes"},
        )
        assert record.containers == (before,)
        async with first.events() as events:
            os.kill(before.pid, signal.SIGTERM)
            await event(events, "died", container)
        await first.remove_everything()
        assert [record.id for record in await second.pods()] == [other]
        assert (await second.pods())[0].ready
    finally:
        await first.remove_everything()
        await second.remove_everything()
        await first.close()
        await second.close()
    owners = {
        c["Labels"].get("dev.ktui.engine") for c in podman_json("ps", "-a", "--format", "json") if c["Labels"]
    }
    assert not owners & {first.identity.engine, second.identity.engine}
    assert not services(tmp_path)


async def test_runtime_that_fails_is_passed_over_once(tmp_path, monkeypatch):
    candidates = podman_setup.runtime_candidates()
    monkeypatch.setattr(podman_setup, "runtime_candidates", lambda: ["no-such-runtime", *candidates])
    runtime = PodmanRuntime(tmp_path)
    info = await runtime.start()
    assert info.details["ociRuntime"] in candidates
    await runtime.close()
    monkeypatch.setattr(podman_setup, "runtime_candidates", lambda: pytest.fail("tried again"))
    runtime = PodmanRuntime(tmp_path)
    assert (await runtime.start()).details == info.details
    await runtime.remove_everything()
    await runtime.close()


async def test_no_runtime_works(tmp_path, monkeypatch):
    monkeypatch.setattr(podman_setup, "runtime_candidates", lambda: ["no-such-runtime"])
    runtime = PodmanRuntime(tmp_path)
    with pytest.raises(RuntimeCallError, match=r"can't start containers here.*no-such-runtime"):
        await runtime.start()
    assert not services(tmp_path)
    names = [network["name"] for network in podman_json("network", "ls", "--format", "json")]
    assert runtime.identity.network not in names


KILLED_ENGINE = """
import asyncio, sys
from pathlib import Path
from ktui.engine.kubelet.runtime.base import ContainerSpec, PodIdentity, SandboxSpec
from ktui.engine.kubelet.runtime.podman import PodmanRuntime

async def main():
    runtime = PodmanRuntime(Path(sys.argv[1]))
    await runtime.start()
    sandbox = await runtime.run_sandbox(SandboxSpec(pod=PodIdentity("default", "web", "u1"), attempt=0, hostname="web"))
    spec = ContainerSpec(name="app", attempt=0, image="localhost/ktui-sample:1")
    container = await runtime.create_container(sandbox, spec)
    await runtime.start_container(container)
    print(container, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_killed_engine_leaves_its_containers_and_nothing_else(tmp_path):
    engine = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KILLED_ENGINE, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(30):
        container = (await engine.stdout.readline()).decode().strip()
    engine.kill()
    await engine.wait()
    async with asyncio.timeout(10):
        while services(tmp_path):
            await asyncio.sleep(0.05)

    runtime = PodmanRuntime(tmp_path)
    await runtime.start()
    try:
        record = await runtime.container(container)
        assert (record.state, record.attempt) == (ContainerState.RUNNING, 0)
        assert await output(runtime, container, "echo", "still here") == "still here"
    finally:
        await runtime.remove_everything()
        await runtime.close()
    assert not services(tmp_path)


async def test_killed_service_comes_back_with_a_relist(podman_runtime, sandbox_spec, container_spec):
    spec = sandbox_spec("steady")
    async with pod(podman_runtime, spec) as sandbox, podman_runtime.events() as events:
        container = await start(podman_runtime, sandbox, container_spec(SLEEP))
        for pid in services(podman_runtime.identity.folder):
            os.kill(pid, signal.SIGKILL)
        await event(events, "relist", timeout=20)
        assert (await podman_runtime.container(container)).state is ContainerState.RUNNING
        assert await output(podman_runtime, container, "echo", "alive") == "alive"


async def test_what_others_do_to_our_pods_is_seen(podman_runtime, sandbox_spec, container_spec):
    spec = sandbox_spec()
    sandbox = await podman_runtime.run_sandbox(spec)
    container = await start(podman_runtime, sandbox, container_spec(SLEEP))
    async with podman_runtime.events() as events:
        subprocess.run(["podman", "rm", "-f", "-t", "0", container], capture_output=True, check=True)
        await event(events, "removed", container)
        assert (await podman_runtime.pod(spec.pod.uid))[0].containers == ()
        subprocess.run(["podman", "pod", "rm", "-f", "-t", "0", sandbox], capture_output=True, check=True)
        # The infra container's end may be told first, the sandbox's follows.
        while await podman_runtime.pod(spec.pod.uid):
            await event(events, "removed")


async def test_pods_start_together(podman_runtime, sandbox_spec, container_spec):
    async def one():
        sandbox = await podman_runtime.run_sandbox(sandbox_spec())
        await start(podman_runtime, sandbox, container_spec(SLEEP))
        return sandbox

    sandboxes = await asyncio.gather(*(one() for _ in range(8)))
    ready = [record for record in await podman_runtime.pods() if record.id in sandboxes and record.ready]
    assert len({record.ips for record in ready}) == 8
    await asyncio.gather(*map(podman_runtime.remove_sandbox, sandboxes))
