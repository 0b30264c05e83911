"""The Podman runtime on real Podman: commands, sessions and ports, and images with their volumes."""

import asyncio
import subprocess

import pytest
from podman_pods_world import SLEEP, answers, output, pod, podman_json, start

from ktui.engine.kubelet.runtime.base import (
    ContainerState,
    ImageError,
    NotFoundError,
    PortMapping,
    RuntimeCallError,
)
from ktui.kube.errors import StatusError

pytestmark = [pytest.mark.podman, pytest.mark.asyncio(loop_scope="module")]


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
        assert await session.wait() == 0
        await session.close()


async def test_an_input_that_stays_open_outlives_those_who_type(podman_runtime, sandbox_spec, container_spec):
    async with asyncio.timeout(30), pod(podman_runtime, sandbox_spec()) as sandbox:
        command = ["sh", "-c", "cat; echo closed"]
        container = await start(podman_runtime, sandbox, container_spec(command, stdin=True))
        for said in (b"one\n", b"two\n"):
            session = await podman_runtime.attach(container, stdin=True, tty=False, ends_stdin=False)
            await session.send(said)
            output = aiter(session)
            assert await anext(output) == (1, said)
            await session.close_stdin()
            with pytest.raises(StopAsyncIteration):
                await anext(output)
            assert await session.wait() == 0
            await session.close()
        gone = await podman_runtime.attach(container, stdin=True, tty=False, ends_stdin=False)
        await gone.close()

        last = await podman_runtime.attach(container, stdin=True, tty=False, ends_stdin=True)
        await last.close_stdin()
        assert (1, b"closed\n") in [said async for said in last]
        await last.close()


async def test_a_command_that_is_not_there_is_an_error_and_no_output(
    podman_runtime, sandbox_spec, container_spec
):
    async with pod(podman_runtime, sandbox_spec()) as sandbox:
        container = await start(podman_runtime, sandbox, container_spec(SLEEP))
        for command, why in (("nosuch", "executable file not found"), ("/etc", "permission denied")):
            session = await podman_runtime.exec(container, [command], stdin=False, tty=False)
            async with asyncio.timeout(10):
                assert [output async for output in session] == []
                with pytest.raises(StatusError, match=why):
                    await session.wait()
            await session.close()


async def test_a_debugger_sees_the_processes_of_its_target(podman_runtime, sandbox_spec, container_spec):
    async with pod(podman_runtime, sandbox_spec()) as sandbox:
        target = await start(podman_runtime, sandbox, container_spec(SLEEP, name="app"))
        spec = container_spec(SLEEP, name="debugger", process_namespace_of=target)
        debugger = await start(podman_runtime, sandbox, spec)
        seen = "readlink /proc/1/ns/pid; tr '\\0' ' ' < /proc/1/cmdline"
        assert await output(podman_runtime, debugger, "sh", "-c", seen) == await output(
            podman_runtime, target, "sh", "-c", seen
        )


async def test_attaching_too_late_does_not_bring_a_container_back(
    podman_runtime, sandbox_spec, container_spec
):
    async with pod(podman_runtime, sandbox_spec()) as sandbox:
        container = await start(podman_runtime, sandbox, container_spec(["sh", "-c", "exit 3"]))
        async with asyncio.timeout(10):
            with pytest.raises(RuntimeCallError, match="is not running"):
                while True:
                    await (await podman_runtime.attach(container, stdin=False, tty=False)).close()
            while (await podman_runtime.container(container)).state is not ContainerState.EXITED:
                await asyncio.sleep(0.02)


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


async def test_what_a_container_wrote_is_told(podman_runtime, sandbox_spec, container_spec):
    async with pod(podman_runtime, sandbox_spec()) as sandbox:
        container = await start(podman_runtime, sandbox, container_spec())
        before = await podman_runtime.writable_layer(container)
        await output(podman_runtime, container, "sh", "-c", "head -c 3000000 /dev/zero > /file")
        assert 3_000_000 <= await podman_runtime.writable_layer(container) - before < 4_000_000
        with pytest.raises(NotFoundError):
            await podman_runtime.writable_layer("0" * 64)
