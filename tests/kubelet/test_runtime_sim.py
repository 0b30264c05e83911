"""The simulated runtime behaves as a runtime does, on a clock the test moves."""

import asyncio
import time

import pytest

from ktui.engine.kubelet.runtime.base import (
    ContainerState,
    ExecResult,
    ImageError,
    NotFoundError,
    RuntimeCallError,
    RuntimeEvent,
)
from ktui.engine.kubelet.runtime.sim import SimLatencies, SimRuntime
from ktui.engine.kubelet.runtime.sim_behaviour import behaviour


async def running(runtime, sandbox_spec, container_spec, command=None, **fields):
    sandbox = await runtime.run_sandbox(sandbox_spec())
    spec = container_spec(command, **fields)
    if spec.image.startswith("sim/"):
        await runtime.pull_image(spec.image)
    container = await runtime.create_container(sandbox, spec)
    await runtime.start_container(container)
    return sandbox, container


async def test_container_runs_until_it_is_stopped(sim_runtime, sandbox_spec, container_spec, fake_clock):
    _, container = await running(sim_runtime, sandbox_spec, container_spec)
    await fake_clock.advance(1e6)
    assert (await sim_runtime.container(container)).state is ContainerState.RUNNING

    await sim_runtime.stop_container(container, 30)
    record = await sim_runtime.container(container)
    assert (record.state, record.exit_code) == (ContainerState.EXITED, 143)
    await sim_runtime.stop_container(container, 30)


@pytest.mark.parametrize(
    ("image", "after", "code", "oom"),
    [
        ("sim/exit:3", 0, 3, False),
        ("sim/crash-after:5s", 5, 1, False),
        ("sim/exit-after:1m", 60, 0, False),
        ("sim/oom-after:2s", 2, 137, True),
    ],
)
async def test_image_says_how_the_container_ends(
    sim_runtime, sandbox_spec, container_spec, fake_clock, image, after, code, oom
):
    async with sim_runtime.events() as events:
        _, container = await running(sim_runtime, sandbox_spec, container_spec, image=image)
        if after:
            await fake_clock.advance(after - 0.1)
            assert (await sim_runtime.container(container)).state is ContainerState.RUNNING
        await fake_clock.advance(0.2)
        record = await sim_runtime.container(container)
        assert (record.state, record.exit_code, record.oom_killed) == (ContainerState.EXITED, code, oom)
        assert [(await anext(events)).type for _ in range(3)] == [
            "sandbox",
            "started",
            "oom" if oom else "died",
        ]


@pytest.mark.parametrize(
    ("command", "run_for", "code", "output"),
    [
        (["true"], 0, 0, []),
        (["/bin/false"], 0, 1, []),
        (["sleep", "5"], 5, 0, []),
        (["sh", "-c", "echo hello world; sleep 2; exit 3"], 2, 3, ["hello world"]),
        (["sh", "-c", "while true; do date; sleep 1; done"], None, 0, []),
        (["sh", "-c", "echo $HOME"], None, 0, []),
        (["nginx"], None, 0, []),
        ([], None, 0, []),
    ],
)
def test_simple_commands_are_understood(command, run_for, code, output):
    doing = behaviour("busybox", {}, command, [])
    assert (doing.run_for, doing.exit_code, list(doing.output)) == (run_for, code, output)


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        ("sim/missing", "ErrImagePull"),
        ("sim/unreachable:1", "RegistryUnavailable"),
        ("Not:a:Name", "InvalidImageName"),
    ],
)
async def test_failing_pulls(sim_runtime, image, reason):
    with pytest.raises(ImageError) as failure:
        await sim_runtime.pull_image(image)
    assert failure.value.reason == reason
    assert await sim_runtime.image_status(image) is None


async def test_images_are_pulled_listed_and_removed(sim_runtime):
    assert await sim_runtime.image_status("nginx:1") is None
    image = await sim_runtime.pull_image("nginx:1")
    assert await sim_runtime.image_status(image.id) == image
    assert await sim_runtime.images() == [image]
    await sim_runtime.remove_image(image.id)
    assert await sim_runtime.image_status("nginx:1") is None


async def test_restarted_kubelet_finds_its_pods(sim_runtime, sandbox_spec, container_spec):
    spec = sandbox_spec("web")
    first = await sim_runtime.run_sandbox(spec)
    container = await sim_runtime.create_container(first, container_spec(labels={"hash": "1"}))
    (pod,) = await sim_runtime.pods()
    assert (pod.pod, pod.labels, pod.ready) == (spec.pod, {"test": "yes"}, True)
    assert [(c.id, c.labels) for c in pod.containers] == [(container, {"hash": "1"})]
    assert await sim_runtime.pod(spec.pod.uid) == [pod]
    assert await sim_runtime.pod("other") == []


async def test_stopped_sandbox_kills_frees_and_removes(sim_runtime, sandbox_spec, container_spec):
    sandbox, container = await running(sim_runtime, sandbox_spec, container_spec)
    address = (await sim_runtime.pods())[0].ips
    await sim_runtime.stop_sandbox(sandbox)
    assert (await sim_runtime.container(container)).exit_code == 137
    assert not (await sim_runtime.pods())[0].ready
    await sim_runtime.remove_sandbox(sandbox)
    await sim_runtime.remove_sandbox(sandbox)
    assert await sim_runtime.pods() == []
    with pytest.raises(NotFoundError):
        await sim_runtime.container(container)
    await sim_runtime.run_sandbox(sandbox_spec())
    assert (await sim_runtime.pods())[0].ips == address


async def test_log_is_in_the_cri_format(sim_runtime, sandbox_spec, container_spec):
    _, container = await running(sim_runtime, sandbox_spec, container_spec, ["sh", "-c", "echo hi; exit 0"])
    lines = (await sim_runtime.container(container)).log_path.read_text().splitlines()
    assert lines[-1] == "2026-01-01T00:00:00.000000000Z stdout F hi"


async def test_scripted_failures_and_exec_answers(sim_runtime, sandbox_spec, container_spec):
    sim_runtime.fail_next("run_sandbox", times=1)
    with pytest.raises(RuntimeCallError):
        await sim_runtime.run_sandbox(sandbox_spec())
    _, container = await running(sim_runtime, sandbox_spec, container_spec, name="app")
    assert await sim_runtime.exec_sync(container, ["true"], 1) == ExecResult(0, b"")
    sim_runtime.answer_exec("app", ExecResult(1, b"no"))
    assert await sim_runtime.exec_sync(container, ["true"], 1) == ExecResult(1, b"no")
    sim_runtime.answer_exec("app", TimeoutError())
    with pytest.raises(TimeoutError):
        await sim_runtime.exec_sync(container, ["true"], 1)


async def test_broken_stream_gives_a_relist(sim_runtime):
    async with sim_runtime.events() as events:
        sim_runtime.break_events()
        assert await anext(events) == RuntimeEvent("")


async def test_shell_echoes_and_exits(sim_runtime, sandbox_spec, container_spec):
    _, container = await running(sim_runtime, sandbox_spec, container_spec)
    session = await sim_runtime.exec(container, ["sh"], stdin=True, tty=True)
    await session.resize(80, 24)
    await session.send(b"hello\r")
    await session.send(b"exit 3\r")
    assert b"".join([data async for _, data in session]) == b"hello\rexit 3\r"
    assert await session.wait() == 3


async def test_dialled_port_answers_http(sim_runtime, sandbox_spec, container_spec):
    sandbox, _container = await running(sim_runtime, sandbox_spec, container_spec)
    reader, writer = await sim_runtime.dial(sandbox, 8080)
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    assert (await reader.read()).startswith(b"HTTP/1.1 200 OK")
    writer.close()
    sim_runtime.closed_ports.add(8080)
    with pytest.raises(ConnectionRefusedError):
        await sim_runtime.dial(sandbox, 8080)


async def test_latencies_pass_on_the_clock(tmp_path, fake_clock, sandbox_spec):
    runtime = SimRuntime(tmp_path, clock=fake_clock, latencies=SimLatencies(sandbox=2))
    call = asyncio.create_task(runtime.run_sandbox(sandbox_spec()))
    await fake_clock.advance(1.9)
    assert not call.done()
    await fake_clock.advance(0.2)
    assert call.done()


async def test_thousand_pods_are_cheap(sim_runtime, sandbox_spec, container_spec):
    begin = time.process_time()
    await asyncio.gather(*(running(sim_runtime, sandbox_spec, container_spec) for _ in range(1000)))
    assert len(await sim_runtime.pods()) == 1000
    assert len(await sim_runtime.stats()) == 1000
    assert time.process_time() - begin < 2
