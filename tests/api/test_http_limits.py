"""Limits: users take turns, the owner never waits, queues and watches end somewhere, requests have their time."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import AsyncIterator
from itertools import pairwise, product
from pathlib import Path

import aiohttp
import pytest
from http_wire import Wire, served_over_tls

from ktui.engine.api.http.limits import Limits
from ktui.engine.api.server import SERVER
from ktui.kube.kinds import CONFIG_MAPS

LIMITS = Limits(
    seats=4, seats_of_user=3, begin_in_moment=2, queue_of_user=5, watches_of_user=2, streams_of_user=1
)
SECONDS = 30


@pytest.fixture
async def wire(tmp_path: Path) -> AsyncIterator[Wire]:
    async with served_over_tls(tmp_path, limits=LIMITS) as wire:
        yield wire


class Slow:
    """Reads of ConfigMaps that go on until they are let go; remembers who asked in which order."""

    def __init__(self, wire: Wire) -> None:
        self.order: list[str] = []
        self.gate = asyncio.Semaphore(0)
        self.wire = wire
        self._real = wire.server.get
        wire.server.get = self._get  # type: ignore[method-assign]

    async def _get(self, request, resource, name, *args, **options):
        if resource.plural != "configmaps":
            return await self._real(request, resource, name, *args, **options)
        self.order.append(request.user.name)
        await self.gate.acquire()
        return b"{}"

    async def began(self, count: int) -> None:
        async with asyncio.timeout(SECONDS):
            while len(self.order) < count:
                await asyncio.sleep(0.005)


def ask(wire: Wire, tls: ssl.SSLContext, query: str = "") -> asyncio.Task[tuple[int, object]]:
    path = f"/api/v1/namespaces/default/configmaps/x{query}"
    return asyncio.create_task(wire.call("GET", path, tls=tls))


async def inflight(wire: Wire) -> dict[str, float]:
    """The figures of the queues, read by the owner, who does not wait."""
    connector = aiohttp.UnixConnector(str(wire.data_dir / "api.sock"))
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.get("http://ktui/metrics") as response,
    ):
        text = await response.text()
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if re.match("apiserver_(flow|.*abort)", line)]
    return {
        key.partition("{")[0].removeprefix("apiserver_flowcontrol_"): float(value) for key, value in lines
    }


async def queued(wire: Wire, count: int) -> None:
    async with asyncio.timeout(SECONDS):
        while (await inflight(wire)).get("current_inqueue_requests") != count:
            await asyncio.sleep(0.005)


async def filled(slow: Slow, tls: ssl.SSLContext) -> list[asyncio.Task[tuple[int, object]]]:
    """A user's requests on all seats it may have, and in all places of its queue."""
    seated = [ask(slow.wire, tls) for _ in range(3)]
    await slow.began(3)
    waiting = [ask(slow.wire, tls) for _ in range(5)]
    await queued(slow.wire, 5)
    return [*seated, *waiting]


async def test_a_busy_user_leaves_seats_to_others_and_waits_for_its_turn(wire: Wire):
    slow = Slow(wire)
    alice, bob = wire.context("alice", "system:masters"), wire.context("bob", "system:masters")
    busy = await filled(slow, alice)
    other = [ask(wire, bob), ask(wire, bob)]
    await slow.began(4)
    assert slow.order == ["alice", "alice", "alice", "bob"]
    await queued(wire, 6)
    for _ in range(10):
        slow.gate.release()
    async with asyncio.timeout(SECONDS):
        results = await asyncio.gather(*busy, *other)
    assert {code for code, _ in results} == {200}
    assert slow.order.index("bob", 4) <= 6
    figures = await inflight(wire)
    assert figures["current_inqueue_requests"] == figures["current_executing_requests"] == 0


async def test_a_full_queue_says_when_to_come_again(wire: Wire):
    slow = Slow(wire)
    alice = wire.context("alice", "system:masters")
    busy = await filled(slow, alice)
    url = f"{wire.secure.url}/api/v1/namespaces/default/configmaps/x"
    async with wire.session.get(url, ssl=alice) as response:
        assert response.status == 429
        assert response.headers["Retry-After"] == "1"
        answer = await response.json()
    assert (answer["reason"], answer["message"]) == (
        "TooManyRequests",
        "Too many requests, please try again later.",
    )
    code, _ = await wire.call("GET", "/api/v1/namespaces/default", tls=wire.context("bob", "system:masters"))
    assert code == 200
    assert (await inflight(wire))["rejected_requests_total"] == 1
    code, text = await wire.call("GET", "/readyz", tls=alice)
    assert (code, text) == (200, "ok")
    for _ in range(8):
        slow.gate.release()
    async with asyncio.timeout(SECONDS):
        await asyncio.gather(*busy)


async def test_a_client_that_leaves_gives_its_place_back(wire: Wire):
    slow = Slow(wire)
    alice = wire.context("alice", "system:masters")
    busy = await filled(slow, alice)
    for task in busy:
        task.cancel()
    await asyncio.gather(*busy, return_exceptions=True)
    async with asyncio.timeout(SECONDS):
        while (await inflight(wire))["current_executing_requests"]:
            await asyncio.sleep(0.005)
    slow.gate.release()
    async with asyncio.timeout(SECONDS):
        assert (await ask(wire, alice))[0] == 200


async def test_watches_of_a_user_end_somewhere_and_count_while_they_last(wire: Wire):
    alice = wire.context("alice", "system:masters")
    url = f"{wire.secure.url}/api/v1/pods?watch=1"
    async with asyncio.timeout(SECONDS):
        one = await wire.session.get(url, ssl=alice)
        two = await wire.session.get(url, ssl=alice)
        assert (await wire.call("GET", "/api/v1/pods?watch=1", tls=alice))[0] == 429
        bob = wire.context("bob", "system:masters")
        other = await wire.session.get(url, ssl=bob)
        assert other.status == 200
        one.close()
        while (three := await wire.session.get(url, ssl=alice)).status == 429:
            three.close()
            await asyncio.sleep(0.005)
        for response in (two, three, other):
            response.close()


async def test_a_request_has_the_time_it_asks_for(wire: Wire):
    Slow(wire)
    code, answer = await wire.call("GET", "/api/v1/namespaces/default/configmaps/x?timeout=50ms")
    assert (code, answer["reason"], answer["message"]) == (
        504,
        "Timeout",
        "Timeout: request did not complete within the allotted timeout",
    )
    code, answer = await wire.call("GET", "/api/v1/namespaces/default/configmaps/x?timeout=soon")
    assert (code, answer["message"]) == (
        400,
        'invalid timeout specified in the request URL - time: invalid duration "soon"',
    )


async def test_waiting_for_a_turn_counts_as_time(wire: Wire):
    slow = Slow(wire)
    alice = wire.context("alice", "system:masters")
    busy = [ask(wire, alice) for _ in range(3)]
    await slow.began(3)
    assert (await ask(wire, alice, "?timeout=50ms"))[0] == 504
    for _ in busy:
        slow.gate.release()
    await asyncio.gather(*busy)


async def test_a_body_that_does_not_come_is_not_waited_for(wire: Wire):
    host, port = wire.secure.url.removeprefix("https://").split(":")
    async with asyncio.timeout(SECONDS):
        reader, writer = await asyncio.open_connection(host, int(port), ssl=wire.admin)
        writer.write(
            b"POST /api/v1/namespaces/default/configmaps?timeout=100ms HTTP/1.1\r\nHost: ktui\r\n"
            b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
        )
        assert b"504" in await reader.readline()
        writer.close()


async def test_what_may_not_be_written_is_not_read(wire: Wire):
    host, port = wire.secure.url.removeprefix("https://").split(":")
    async with asyncio.timeout(SECONDS):
        reader, writer = await asyncio.open_connection(host, int(port), ssl=wire.context("alice"))
        writer.write(
            b"POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nHost: ktui\r\n"
            b"Content-Type: application/json\r\nContent-Length: 3000000\r\n\r\n{"
        )
        assert b"403" in await reader.readline()
        writer.close()


def nested(depth: int) -> bytes:
    return b'{"a\\"[":' * depth + b"1" + b"}" * depth


async def test_a_body_has_a_depth(wire: Wire):
    maps = "/api/v1/namespaces/default/configmaps"
    calls = (
        ("POST", maps, "application/json"),
        ("POST", maps, "application/yaml"),
        ("PATCH", f"{maps}/x", "application/merge-patch+json"),
        ("PATCH", f"{maps}/x?fieldManager=me", "application/apply-patch+yaml"),
    )
    for (method, path, kind), depth in product(calls, (101, 5000, 100_000)):
        headers = {"Content-Type": kind}
        code, answer = await wire.call(method, path, data=nested(depth), headers=headers)
        assert (code, answer["reason"]) == (400, "BadRequest"), (kind, depth, answer)
        assert re.search("deep|depth|recursion", answer["message"]), (kind, depth, answer)


async def test_what_is_deep_but_not_too_deep_goes_through(wire: Wire):
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "x": json.loads(nested(95))}
    path = "/api/v1/namespaces/default/configmaps"
    assert (await wire.call("POST", path, json=body))[0] == 201


async def test_a_yaml_bomb_does_not_go_off(wire: Wire):
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    names = "abcdefghij"
    lines += [f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in pairwise(names)]
    code, answer = await wire.call(
        "POST",
        "/api/v1/namespaces/default/configmaps",
        data="\n".join(lines).encode(),
        headers={"Content-Type": "application/yaml"},
    )
    assert (code, answer["reason"]) == (400, "BadRequest")
    assert "aliases" in answer["message"]


async def test_impersonators_queue_as_themselves(wire: Wire):
    slow = Slow(wire)
    alice = wire.context("alice", "system:masters")
    path = "/api/v1/namespaces/default/configmaps/x"
    seated = [ask(wire, alice) for _ in range(3)]
    await slow.began(3)
    headers = {"Impersonate-User": "bob", "Impersonate-Group": "system:masters"}
    rows = [*seated, asyncio.create_task(wire.call("GET", path, tls=alice, headers=headers))]
    await queued(wire, 1)
    for _ in rows:
        slow.gate.release()
    async with asyncio.timeout(SECONDS):
        await asyncio.gather(*rows)


async def test_every_request_has_a_minute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("ktui.engine.api.http.limits.REQUEST_SECONDS", 0.2)
    async with served_over_tls(tmp_path) as wire:
        slow = Slow(wire)
        async with asyncio.timeout(SECONDS):
            code, answer = await wire.call("GET", "/api/v1/namespaces/default/configmaps/x")
            assert (code, answer["reason"]) == (504, "Timeout")
            slow.gate.release()
            assert (await wire.call("GET", "/api/v1/namespaces/default/configmaps/x"))[0] == 200
            figures = await inflight(wire)
        assert figures["current_executing_requests"] == 0


async def test_a_client_that_does_not_read_its_list_loses_the_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("ktui.engine.api.http.limits.REQUEST_SECONDS", 0.5)
    async with served_over_tls(tmp_path) as wire:
        for number in range(300):
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"c{number}"}}
            await wire.server.create(SERVER, CONFIG_MAPS, {**body, "data": {"x": "x" * 50_000}}, "default")
        host, port = wire.secure.url.removeprefix("https://").split(":")
        async with asyncio.timeout(SECONDS):
            reader, writer = await asyncio.open_connection(host, int(port), ssl=wire.admin, limit=1024)
            writer.write(b"GET /api/v1/configmaps HTTP/1.1\r\nHost: ktui\r\n\r\n")
            while not (await inflight(wire)).get("apiserver_request_aborts_total"):
                await asyncio.sleep(0.02)
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError, ssl.SSLError)):
                await reader.readexactly(300 * 50_000)
            writer.close()


@pytest.mark.parametrize(("expects", "code"), [("100-continue", b"100 Continue"), ("wonders", b"417")])
async def test_a_client_that_asks_before_it_sends_is_answered(wire: Wire, expects: str, code: bytes):
    host, port = wire.secure.url.removeprefix("https://").split(":")
    body = b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"}}'
    async with asyncio.timeout(SECONDS):
        reader, writer = await asyncio.open_connection(host, int(port), ssl=wire.admin)
        writer.write(
            b"POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nHost: ktui\r\n"
            b"Content-Type: application/json\r\nExpect: %s\r\nContent-Length: %d\r\n\r\n"
            % (expects.encode(), len(body))
        )
        assert code in await reader.readline()
        if expects == "100-continue":
            assert await reader.readline() == b"\r\n"
            writer.write(body)
            assert b"201" in await reader.readline()
        writer.close()
