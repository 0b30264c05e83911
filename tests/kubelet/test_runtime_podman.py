"""The Podman runtime on real Podman: pods and containers, how they live and end."""

import asyncio
import os
import signal
import subprocess
import time

import pytest
from podman_pods_world import SLEEP, event, logged, output, pod, start

from ktui.engine.kubelet.runtime.base import (
    ContainerState,
    DNSConfig,
    Mount,
    NotFoundError,
    Resources,
    RuntimeCallError,
    Security,
)

pytestmark = [pytest.mark.podman, pytest.mark.asyncio(loop_scope="module")]

_SYS_ADMIN = 1 << 21
"""CAP_SYS_ADMIN, which only a privileged container has by itself."""


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


@pytest.mark.parametrize(
    ("security", "calls_filtered", "has_all_capabilities"),
    [
        (Security(), True, False),
        (Security(seccomp_profile="unconfined"), False, False),
        (Security(privileged=True), False, True),
    ],
    ids=["default", "unconfined", "privileged"],
)
async def test_what_a_container_may_do(
    podman_runtime, sandbox_spec, container_spec, security, calls_filtered, has_all_capabilities
):
    async with pod(podman_runtime, sandbox_spec()) as sandbox:
        container = await start(podman_runtime, sandbox, container_spec(SLEEP, security=security))
        status = await output(podman_runtime, container, "cat", "/proc/1/status")
        told = dict(line.split(":\t") for line in status.splitlines() if ":\t" in line)
        assert (told["Seccomp"] == "2") is calls_filtered
        assert bool(int(told["CapEff"], 16) & _SYS_ADMIN) is has_all_capabilities


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
