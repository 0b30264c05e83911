"""Exec and logs over WebSockets: each protocol's way to say what went where, and how it ended."""

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from http_wire import Wire, served_over_tls

POD = "/api/v1/namespaces/default/pods/web"


class Session:
    """A command that repeats a line of its input and ends."""

    def __init__(self, code: int) -> None:
        self._code = code
        self._typed: asyncio.Queue[bytes] = asyncio.Queue()

    async def send(self, data: bytes) -> None:
        self._typed.put_nowait(data)

    async def close_stdin(self) -> None:
        pass

    async def resize(self, width: int, height: int) -> None:
        self._typed.put_nowait(f"{width}x{height}".encode())

    async def _output(self) -> AsyncIterator[tuple[int, bytes]]:
        yield 1, await self._typed.get()
        yield 2, await self._typed.get()

    def __aiter__(self) -> AsyncIterator[tuple[int, bytes]]:
        return self._output()

    async def wait(self) -> int:
        return self._code

    async def close(self) -> None:
        pass


class Agent:
    async def exec(self, pod: Mapping[str, Any], options: Any) -> Session:
        return Session(int(options.command[0]))

    @asynccontextmanager
    async def logs(self, pod: Mapping[str, Any], options: Any):
        async def lines() -> AsyncIterator[bytes]:
            yield b"one\n"
            yield b"two\n"

        yield lines()


@pytest.fixture
async def wire(tmp_path: Path) -> AsyncIterator[Wire]:
    async with served_over_tls(tmp_path) as wire:
        wire.server.register_node("n", Agent())  # pyright: ignore[reportArgumentType] - a stand-in with what is asked of it
        accounts, pods = "/api/v1/namespaces/default/serviceaccounts", "/api/v1/namespaces/default/pods"
        await wire.call("POST", accounts, json={"metadata": {"name": "default"}})
        spec = {"nodeName": "n", "containers": [{"name": "c", "image": "i"}]}
        code, answer = await wire.call("POST", pods, json={"metadata": {"name": "web"}, "spec": spec})
        assert code == 201, answer
        status = {"phase": "Running", "containerStatuses": [{"name": "c", "state": {"running": {}}}]}
        headers = {"Content-Type": "application/merge-patch+json"}
        code, answer = await wire.call("PATCH", f"{POD}/status", json={"status": status}, headers=headers)
        assert code == 200, answer
        yield wire


async def _talk(wire: Wire, query: str, protocol: str, *sent: str | bytes) -> list[Any]:
    """What the server says until it hangs up."""
    url = f"{wire.secure.url}{POD}/{query}"
    async with asyncio.timeout(10):
        async with wire.session.ws_connect(
            url, ssl=wire.admin or True, protocols=(protocol,) if protocol else ()
        ) as socket:
            assert socket.protocol == (protocol or None)
            for message in sent:
                await (socket.send_str(message) if isinstance(message, str) else socket.send_bytes(message))
            return [message.data async for message in socket]


@pytest.mark.parametrize("protocol", ["channel.k8s.io", ""])
async def test_the_first_protocol_says_nothing_of_success(wire: Wire, protocol: str):
    size = b'\x04{"Width":80,"Height":24}'
    assert await _talk(wire, "exec?command=0", protocol, b"\x00hi", size) == [b"\x01hi", b"\x0280x24"]


async def test_the_first_protocol_says_in_words_what_went_wrong(wire: Wire):
    *_, last = await _talk(wire, "exec?command=3", "channel.k8s.io", b"\x00a", b"\x00b")
    assert last == b"\x03command terminated with non-zero exit code: exit status 3"


@pytest.mark.parametrize("protocol", ["v5.channel.k8s.io", "v4.channel.k8s.io"])
async def test_later_protocols_end_with_a_status(wire: Wire, protocol: str):
    *_, last = await _talk(wire, "exec?command=0", protocol, b"\x00a", b"\x00b")
    assert last[:1] == b"\x03" and msgspec.json.decode(last[1:])["status"] == "Success"


async def test_channels_in_base64_are_text(wire: Wire):
    typed = "0" + base64.b64encode(b"hi").decode()
    *output, last = await _talk(
        wire, "exec?command=1", "v4.base64.channel.k8s.io", typed, "0no base64", "", typed
    )
    assert output == [f"1{typed[1:]}", f"2{typed[1:]}"]
    assert last[0] == "3"
    assert msgspec.json.decode(base64.b64decode(last[1:]))["reason"] == "NonZeroExitCode"


async def test_a_log_over_a_websocket(wire: Wire):
    assert await _talk(wire, "log", "binary.k8s.io") == [b"one\n", b"two\n"]
    assert await _talk(wire, "log", "") == [b"one\n", b"two\n"]
    in_base64 = [base64.b64encode(line).decode() for line in (b"one\n", b"two\n")]
    assert await _talk(wire, "log", "base64.binary.k8s.io") == in_base64
