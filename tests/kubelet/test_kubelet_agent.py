"""What a node answers the API server: logs in every form, exec, port-forward, metrics, and its refusals."""

import asyncio
from datetime import UTC, datetime

import pytest
from kubelet_world import container, pod, status_of, waiting, world  # noqa: F401

from ktui.client.base import ExecOptions, LogOptions
from ktui.engine.kubelet.log_reader import LogFormatter, LogReader, tail_offset
from ktui.kube.errors import StatusError


async def text_of(world, options, name="web"):  # noqa: F811 - a fixture of that name
    async with world.kubelet.agent.logs(await world.get(name), options) as chunks:
        return b"".join([chunk async for chunk in chunks]).decode()


def line(second, text, tag="F"):
    return f"2026-01-01T00:00:{second:02}.000000001Z stdout {tag} {text}\n"


async def write_log(world, *lines, name="web"):  # noqa: F811 - a fixture of that name
    (sandbox, *_) = await world.records(name)
    path = sandbox.containers[0].log_path
    with path.open("a") as log:
        log.writelines(lines)
    return path


async def test_logs_with_tail_since_timestamps_and_limit(world):  # noqa: F811 - a fixture of that name
    await world.create(pod("web"))
    await world.running()
    path = await write_log(world)
    path.write_text(line(1, "one") + line(2, "tw", "P") + line(2, "o") + line(3, "three"))
    assert await text_of(world, LogOptions()) == "one\ntwo\nthree\n"
    assert await text_of(world, LogOptions(tail_lines=1)) == "three\n"
    assert await text_of(world, LogOptions(tail_lines=0)) == ""
    assert await text_of(world, LogOptions(limit_bytes=6)) == "one\ntw"
    assert await text_of(world, LogOptions(since_time="2026-01-01T00:00:02Z")) == "two\nthree\n"
    assert await text_of(world, LogOptions(tail_lines=1, timestamps=True)) == (
        "2026-01-01T00:00:03.000000001Z three\n"
    )
    await world.clock.advance(4)
    assert await text_of(world, LogOptions(since_seconds=2)) == "two\nthree\n"


async def test_a_follow_sees_new_lines_and_ends_with_the_container(world):  # noqa: F811 - a fixture of that name
    await world.create(pod("web", restartPolicy="Never"))
    await world.running()
    path = await write_log(world)
    path.write_text(line(1, "one"))
    seen = []
    async with world.kubelet.agent.logs(await world.get(), LogOptions(follow=True)) as chunks:

        async def read():
            async for chunk in chunks:
                seen.append(chunk)

        reading = asyncio.create_task(read())
        await world.happens(lambda: b"".join(seen) == b"one\n")
        await write_log(world, line(2, "two"))
        await world.happens(lambda: b"".join(seen) == b"one\ntwo\n")
        rotated = path.with_suffix(".new")
        rotated.write_text(line(3, "three"))
        rotated.replace(path)
        await world.happens(lambda: b"".join(seen) == b"one\ntwo\nthree\n")
        (sandbox,) = await world.records()
        world.runtime.kill(sandbox.containers[0].id, 0)
        await asyncio.wait_for(reading, 5)


async def test_logs_of_a_crashed_container_and_of_the_one_before(world):  # noqa: F811 - a fixture of that name
    await world.create(pod("web", container(image="sim/crash-after:1s")))
    await world.running()
    await world.clock.advance(1)
    await world.until(lambda p: status_of(p)["restartCount"] == 1 and "running" in status_of(p)["state"])
    assert "sim: crashing" in await text_of(world, LogOptions(previous=True))
    await world.clock.advance(1)
    await world.until(lambda p: waiting(p).get("reason") == "CrashLoopBackOff")
    assert "sim: crashing" in await text_of(world, LogOptions())


async def test_logs_that_cannot_be_are_refused_in_the_kubelets_words(world):  # noqa: F811 - a fixture of that name
    await world.create(pod("web"))
    await world.create(pod("two", container("a"), container("b")))
    await world.create(pod("bad", container(image="registry.test/sim/missing:1")))
    await world.running()
    await world.running("two")
    await world.until(lambda p: waiting(p).get("reason") == "ErrImagePull", "bad")
    cases = [
        ("web", LogOptions(previous=True), 'previous terminated container "main" in pod "web" not found'),
        ("web", LogOptions(container="x"), "container x is not valid for pod web"),
        ("two", LogOptions(), "a container name must be specified for pod two, choose one of: [a b]"),
        ("bad", LogOptions(), 'container "main" in pod "bad" is waiting to start: image can\'t be pulled'),
    ]
    for name, options, message in cases:
        with pytest.raises(StatusError) as error:
            await text_of(world, options, name)
        assert error.value.message == message
        assert error.value.reason == "BadRequest"


async def test_exec_attach_dial_and_metrics(world):  # noqa: F811 - a fixture of that name
    await world.create(pod("web"))
    stored = await world.running()
    agent = world.kubelet.agent
    session = await agent.exec(stored, ExecOptions(command=("ls",)))
    await session.close()
    await (await agent.attach(stored, ExecOptions())).close()
    _, writer = await agent.dial(stored, 80)
    writer.close()
    await world.clock.advance(20)
    (metrics,) = await agent.stats()
    assert int(metrics["containers"][0]["usage"]["cpu"].removesuffix("n")) > 0, "the average since it started"
    assert 20 <= float(metrics["window"].removesuffix("s")) < 30
    await world.clock.advance(10)
    (metrics,) = await agent.stats()
    assert metrics["metadata"]["name"] == "web"
    usage = metrics["containers"][0]["usage"]
    assert int(usage["cpu"].removesuffix("n")) > 0
    assert metrics["window"] == "10.000s"
    await world.create(pod("bad", container(image="registry.test/sim/missing:1")))
    waiting_pod = await world.until(lambda p: waiting(p), "bad")
    with pytest.raises(StatusError, match=r'container not found \("main"\)'):
        await agent.exec(waiting_pod, ExecOptions(command=("ls",)))


@pytest.mark.parametrize("lines", [0, 1, 2, 5, 100])
def test_tail_offsets_whatever_the_block(tmp_path, lines):
    path = tmp_path / "log"
    rows = [f"row {number} " + "x" * (number % 3000) + "\n" for number in range(60)]
    path.write_text("".join(rows))
    with path.open("rb") as file:
        file.seek(tail_offset(file, lines))
        assert file.read().decode() == "".join(rows[len(rows) - lines :] if lines < 60 else rows)


def test_a_reader_gives_whole_lines_and_keeps_the_rest(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"one\ntwo")
    reader = LogReader(path)
    assert reader.read() == b"one\n"
    assert reader.read() == b""
    with path.open("ab") as file:
        file.write(b"-more\nlast")
    assert reader.read() == b"two-more\n"
    assert reader.rest() == b"last"
    reader.close()


def test_lines_that_are_no_log_lines_are_left_out():
    formatter = LogFormatter(since=datetime(2026, 1, 1, tzinfo=UTC))
    raw = b"garbage\n\n2026-01-01T01:00:00.5+01:00 stderr F new\n2025-12-31T23:59:59Z stdout F later\n"
    assert formatter.format(raw) == b"new\nlater\n"
