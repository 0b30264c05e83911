"""What tests of the Podman runtime do with it: pods that go again, output, events, logs, Podman's own view."""

import asyncio
import json
import subprocess
from contextlib import asynccontextmanager

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
