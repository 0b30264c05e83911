"""The Podman runtime on real Podman: restarts, killed engines and services, and what belongs to others."""

import asyncio
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from podman_pods_world import SLEEP, event, output, pod, podman_json, services, start

from ktui.engine.kubelet.runtime import podman_pods, podman_setup
from ktui.engine.kubelet.runtime.base import (
    ContainerState,
    RuntimeCallError,
)
from ktui.engine.kubelet.runtime.podman import PodmanRuntime
from ktui.engine.kubelet.runtime.podman_silence import old_cleanups

pytestmark = [pytest.mark.podman, pytest.mark.asyncio(loop_scope="module")]


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
from ktui.engine.kubelet.runtime.podman_silence import old_cleanups

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


async def test_a_service_that_answers_no_more_is_replaced(
    podman_runtime, sandbox_spec, container_spec, monkeypatch
):
    monkeypatch.setattr(podman_pods, "LOOK_SECONDS", 1)
    async with pod(podman_runtime, sandbox_spec("stuck")) as sandbox:
        container = await start(podman_runtime, sandbox, container_spec(SLEEP))
        (silent,) = services(podman_runtime.identity.folder)
        os.kill(silent, signal.SIGSTOP)
        async with asyncio.timeout(30):
            await podman_runtime.stop_container(container, 20)
        record = await podman_runtime.container(container)
        assert (record.state, record.exit_code) == (ContainerState.EXITED, 0)
        assert silent not in services(podman_runtime.identity.folder)


async def test_only_clean_ups_of_ours_that_hang_are_ended(tmp_path):
    def process(number, age, *words):
        folder = tmp_path / str(number)
        folder.mkdir()
        folder.joinpath("cmdline").write_text("\0".join(words))
        began = (1000 - age) * os.sysconf("SC_CLK_TCK")
        fields = " ".join(["S", *["0"] * 18, f"{began:.0f}", "0"])
        folder.joinpath("stat").write_text(f"{number} (a ) name) {fields}")

    tmp_path.joinpath("uptime").write_text("1000.00 1.0")
    process(1, 60, "podman", "--log-level", "warning", "container", "cleanup", "ours")
    process(2, 0.5, "podman", "container", "cleanup", "ours")
    process(3, 60, "podman", "container", "cleanup", "theirs")
    process(4, 60, "podman", "container", "inspect", "ours")
    assert old_cleanups({"ours"}.__contains__, tmp_path) == [1]


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
