"""What the ingress proxy makes of messages: where they end, what passes, and what a client can't make it say."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from aiohttp import web
from ingress_site import SECONDS, Site, echo, ingress

from ktui.engine.network.ingress.routes import Router


class RawBackend:
    """Notes every byte it gets, and answers each head with what `answer` says."""

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self.got = b""
        self.connections = 0
        self._answer = answer

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while data := await reader.read(65_536):
            self.got += data
            if data.endswith(b"\r\n\r\n") or data.startswith((b"GET", b"HEAD", b"POST")):
                writer.write(self._answer(data))


def says(text: bytes, head: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n%b" % (head, len(text), text)


async def test_a_client_cannot_take_the_length_of_its_body_away(site: Site) -> None:
    backend = RawBackend(lambda _: says(b"ok"))
    await site.serve_raw(backend)
    hidden = b"GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"
    await site.raw(
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close, Content-Length\r\nContent-Length: %d\r\n\r\n%b"
        % (len(hidden), hidden)
    )
    head, _, body = backend.got.partition(b"\r\n\r\n")
    assert b"\r\nContent-Length: %d" % len(hidden) in head
    assert body == hidden


async def test_what_follows_a_refused_upgrade_reaches_no_backend(site: Site) -> None:
    backend = RawBackend(lambda _: b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n")
    await site.serve_raw(backend)
    answer = await site.raw(
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        b"GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"
    )
    assert answer.startswith(b"HTTP/1.1 426")
    assert b"hidden" not in backend.got


async def test_what_follows_an_accepted_upgrade_reaches_its_backend_in_order(site: Site) -> None:
    backend = RawBackend(
        lambda data: b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"
    )
    await site.serve_raw(backend)
    reader, writer = await asyncio.open_connection("127.0.0.1", site.proxy.ports[0])
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nearly ")
    async with asyncio.timeout(SECONDS):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"late")
        writer.write_eof()
        assert await reader.read() == b""
        while not backend.got.endswith(b"late"):
            await asyncio.sleep(0.01)
    assert backend.got.endswith(b"\r\n\r\nearly late")
    writer.close()


async def test_a_second_answer_to_one_request_reaches_nobody_whole_or_in_part(site: Site) -> None:
    for extra in (says(b"evil"), b"HTTP/1.1 200 OK\r\nContent-"):
        backend = RawBackend(lambda _, extra=extra: says(b"ok") + extra)
        site.backends.known.clear()
        await site.serve_raw(backend)
        request = b"GET / HTTP/1.1\r\nHost: a\r\n"
        answer = await site.raw(request + b"\r\n" + request + b"Connection: close\r\n\r\n")
        assert answer.count(b"HTTP/1.1") == answer.count(b"\r\n\r\nok") == 2
        assert backend.connections == 2


async def test_being_told_to_go_on_waits_for_the_answers_before(site: Site) -> None:
    first = asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        if request.method == "GET":
            response = web.StreamResponse(headers={"Content-Length": "10"})
            await response.prepare(request)
            await response.write(b"first")
            await first.wait()
            await response.write(b"-half")
            return response
        return web.Response(text=await request.text())

    await site.serve(slow)
    reader, writer = await asyncio.open_connection("127.0.0.1", site.proxy.ports[0])
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    async with asyncio.timeout(SECONDS):
        await reader.readuntil(b"first")
        writer.write(
            b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n"
        )
        await asyncio.sleep(0.05)
        first.set()
        assert await reader.readexactly(5) == b"-half"
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"ok")
        assert (await reader.read()).endswith(b"ok")
    writer.close()


async def test_an_old_client_is_never_told_to_go_on(site: Site) -> None:
    await site.serve(echo)
    answer = await site.raw(
        b"POST / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nok"
    )
    assert answer.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "request_",
    [
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\na",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\na",
        b"POST / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\nTransfer-Encoding\x0b: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
    ],
)
async def test_other_codings_and_odd_lengths_are_refused(site: Site, request_: bytes) -> None:
    backend = RawBackend(lambda _: says(b"ok"))
    await site.serve_raw(backend)
    assert (await site.raw(request_))[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 501")
    assert backend.got == b""


async def test_a_client_cannot_pretend_to_be_another_by_names_that_read_alike(site: Site) -> None:
    await site.serve(echo)
    answer = await site.raw(
        b"GET / HTTP/1.1\r\nHost: a\r\nX_Forwarded_For: 6.6.6.6\r\nX_Own: 1\r\nConnection: close\r\n\r\n"
    )
    assert b"6.6.6.6" not in answer
    assert b"x_own" in answer


async def test_a_bad_request_behind_a_good_one_leaves_it_its_answer(site: Site) -> None:
    await site.serve(echo)
    answer = await site.raw(b"GET /good HTTP/1.1\r\nHost: a\r\n\r\nrubbish\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"HTTP/1.1 400" in answer[answer.index(b"/good") :]


async def test_a_client_that_asks_and_asks_is_not_read_on(site: Site) -> None:
    over = asyncio.Event()

    async def wait(_: web.Request) -> web.Response:
        await over.wait()
        return web.Response()

    await site.serve(wait)
    reader, writer = await asyncio.open_connection("127.0.0.1", site.proxy.ports[0])
    writer.transport.set_write_buffer_limits(0)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            for _ in range(1000):
                writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 1000)
                await writer.drain()
    over.set()
    async with asyncio.timeout(SECONDS):
        for _ in range(100):
            await reader.readuntil(b"\r\n\r\n")
    writer.transport.abort()


@pytest.mark.parametrize("named", [b"X-Secret", b"Content-Length"])
async def test_a_backends_own_hop_stays_its_own(site: Site, named: bytes) -> None:
    await site.serve_raw(
        RawBackend(lambda _: says(b"ok", b"Connection: %b\r\nX-Secret: 1\r\nX-Open: 1\r\n" % named))
    )
    answer = await site.raw(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert (b"X-Secret" in answer) == (named != b"X-Secret")
    assert b"X-Open: 1\r\n" in answer
    assert answer.endswith(b"\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")


async def test_early_hints_pass_and_only_to_clients_that_know_them(site: Site) -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
    await site.serve_raw(RawBackend(lambda _: b"HTTP/1.1 100 Continue\r\n\r\n" + hints + says(b"ok")))
    answer = await site.raw(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert answer.startswith(hints + b"HTTP/1.1 200 OK\r\n")
    old = await site.raw(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
    assert old.startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("status", [204, 304])
async def test_an_empty_answer_has_no_coding(site: Site, status: int) -> None:
    await site.serve_raw(
        RawBackend(lambda _: b"HTTP/1.1 %d X\r\nTransfer-Encoding: chunked\r\n\r\n" % status)
    )
    request = b"GET / HTTP/1.1\r\nHost: a\r\n"
    answer = await site.raw(request + b"\r\n" + request + b"Connection: close\r\n\r\n")
    assert answer.count(b"HTTP/1.1 %d" % status) == 2
    assert b"ransfer-" not in answer


async def test_trailers_end_a_message_and_go_no_further(site: Site) -> None:
    await site.serve(echo)
    answer = await site.raw(
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
        b"2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    )
    assert answer.count(b"HTTP/1.1 200") == 2
    assert b"x-sum" not in answer


async def test_an_answer_that_came_too_late_reaches_nobody(site: Site) -> None:
    """The backend's connection is made only after the client was told that nobody answered."""
    go_on = asyncio.Event()
    open_ = site.proxy._pool._open  # pyright: ignore[reportPrivateUsage] - the test looks inside

    async def slow_to_connect(connection: object) -> None:
        await go_on.wait()
        await open_(connection)  # type: ignore[arg-type] - a stand-in with what is asked of it

    site.proxy._pool._open = slow_to_connect  # type: ignore[method-assign, assignment] - the test slows it down
    backend = RawBackend(lambda _: says(b"late"))
    await site.serve_raw(backend)
    site.proxy.router = Router([ingress(proxy_read_timeout="0.01")])
    sweeping = asyncio.create_task(site.proxy.run())
    reader, writer = await asyncio.open_connection("127.0.0.1", site.proxy.ports[0])
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    async with asyncio.timeout(SECONDS):
        assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 504")
        go_on.set()
        while not backend.connections:
            await asyncio.sleep(0.01)
        writer.write(b"GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).count(b"late") == 1
    assert backend.got.count(b"GET") == 1
    writer.close()
    sweeping.cancel()
    await asyncio.gather(sweeping, return_exceptions=True)


async def test_a_refused_upload_gets_its_answer_before_the_connection_ends(site: Site) -> None:
    await site.serve(echo)
    site.proxy.router = Router([ingress(proxy_body_size="1k")])
    size = 8_000_000
    reader, writer = await asyncio.open_connection("127.0.0.1", site.proxy.ports[0])
    writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size)
    async with asyncio.timeout(SECONDS):
        await writer.drain()
        assert (await reader.read()).startswith(b"HTTP/1.1 413")
    writer.close()


async def test_ending_lets_what_is_under_way_finish(site: Site) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_: web.Request) -> web.Response:
        begun.set()
        await go_on.wait()
        return web.Response(text="whole")

    await site.serve(slow)
    idle_reader, idle = await asyncio.open_connection("127.0.0.1", site.proxy.ports[0])
    reader, writer = await asyncio.open_connection("127.0.0.1", site.proxy.ports[0])
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    async with asyncio.timeout(SECONDS):
        await begun.wait()
        draining = asyncio.create_task(site.proxy.drain())
        await asyncio.sleep(0)
        idle.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await asyncio.sleep(0.05)
        go_on.set()
        for each in (reader, idle_reader):
            answer = await each.read()
            assert b"\r\nConnection: close\r\n" in answer
            assert answer.endswith(b"whole")
        await draining
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", site.proxy.ports[0])
    writer.close()
    idle.close()


async def test_ending_never_closes_a_connection_that_was_not_told(site: Site) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        if request.path == "/next":
            return web.Response(text="next")
        response = web.StreamResponse(headers={"Content-Length": "4"})
        await response.prepare(request)
        await response.write(b"ha")
        begun.set()
        await go_on.wait()
        await response.write(b"lf")
        return response

    await site.serve(slow)
    reader, writer = await asyncio.open_connection("127.0.0.1", site.proxy.ports[0])
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    async with asyncio.timeout(SECONDS):
        assert b"Connection: close" not in await reader.readuntil(b"ha")
        draining = asyncio.create_task(site.proxy.drain())
        await asyncio.sleep(0.05)
        go_on.set()
        assert await reader.readexactly(2) == b"lf"
        writer.write(b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = await reader.read()
        assert b"\r\nConnection: close\r\n" in answer
        assert answer.endswith(b"next")
        await draining
    writer.close()


async def test_a_backend_that_hung_up_in_between_costs_no_request(site: Site) -> None:
    """Kept connections may be dead: what is asked again goes over a new one."""
    hang_up = False

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            if hang_up:
                writer.close()
                return
            writer.write(says(b"ok"))

    await site.serve_raw(once)
    connections = [await asyncio.open_connection("127.0.0.1", site.proxy.ports[0]) for _ in range(6)]
    request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    async with asyncio.timeout(SECONDS):
        for _, writer in connections:
            writer.write(request)
        for reader, _ in connections:
            await reader.readuntil(b"ok")
        hang_up = True
        server = site._runners.pop()  # pyright: ignore[reportPrivateUsage] - the test looks inside
        server.close()
        fresh = await asyncio.start_server(
            RawBackend(lambda _: says(b"ok")), *site.backends.known["web"][0][:2]
        )
        connections[0][1].write(request)
        assert (await connections[0][0].readuntil(b"\r\n")).startswith(b"HTTP/1.1 200")
        fresh.close()
    for _, writer in connections:
        writer.close()


async def test_a_host_without_a_name_is_not_sent_elsewhere(site: Site) -> None:
    await site.serve(echo)
    site.proxy.router = Router([ingress(force_ssl_redirect="true")])
    answer = await site.raw(b"GET / HTTP/1.0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")
