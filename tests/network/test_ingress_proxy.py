"""The ingress proxy, with real connections between raw clients and raw backends."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import ssl
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from ingress_site import SECONDS, Site, bound, echo, ingress
from yarl import URL

from ktui.engine.network.ingress.balancer import Target
from ktui.engine.network.ingress.routes import Router
from ktui.engine.network.ingress.self_signed import self_signed
from ktui.kube.resource import ObjectKey


async def test_a_request_reaches_its_backend_as_it_was_and_says_who_asked(
    site: Site, http: aiohttp.ClientSession
) -> None:
    await site.serve(echo)
    headers = {
        "Host": "shop.test:8080",
        "X-Forwarded-For": "6.6.6.6",
        "Forwarded": "for=6.6.6.6",
        "X-Own": "1",
    }
    async with http.post(
        URL(f"{site.url}/a%20b/../c?x=1&y=%2F", encoded=True), data=b"hello", headers=headers
    ) as response:
        assert response.status == 200
        seen = await response.json()
    assert (seen["method"], seen["length"]) == ("POST", 5)
    assert seen["path"] == "/a%20b/../c?x=1&y=%2F"
    assert seen["headers"]["host"] == "shop.test:8080"
    assert seen["headers"]["x-forwarded-for"] == seen["headers"]["x-real-ip"] == "127.0.0.1"
    assert seen["headers"]["x-forwarded-proto"] == "http"
    assert seen["headers"]["x-forwarded-host"] == "shop.test:8080"
    assert seen["headers"]["x-own"] == "1"
    assert "forwarded" not in seen["headers"]


@pytest.mark.parametrize("size", [0, 1, 70_000, 5_000_000])
@pytest.mark.parametrize("chunked", [False, True])
async def test_bodies_pass_whole_in_both_directions(
    site: Site, http: aiohttp.ClientSession, size: int, chunked: bool
) -> None:
    async def mirror(request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if not chunked:
            return web.Response(body=body)
        response = web.StreamResponse()
        await response.prepare(request)
        for start in range(0, len(body), 50_000):
            await response.write(body[start : start + 50_000])
        return response

    await site.serve(mirror)
    content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, size, 65_536):
            yield content[start : start + 65_536]

    async with http.put(site.url, data=pieces() if chunked else content) as response:
        assert hashlib.sha256(await response.read()).digest() == hashlib.sha256(content).digest()


async def test_one_connection_serves_many_requests_also_sent_at_once(site: Site) -> None:
    await site.serve(echo)
    one = b"GET /%d HTTP/1.1\r\nHost: a\r\n%b\r\n"
    answer = await site.raw(one % (1, b"") + one % (2, b"") + one % (3, b"Connection: close\r\n"))
    places = [answer.find(b'"path": "/%d"' % n) for n in (1, 2, 3)]
    assert places == sorted(places)
    assert places[0] > 0


async def test_backends_keep_their_connections(site: Site, http: aiohttp.ClientSession) -> None:
    peers: set[str] = set()

    async def note(request: web.Request) -> web.Response:
        assert request.transport is not None
        peers.add(str(request.transport.get_extra_info("peername")))
        return web.Response()

    await site.serve(note)
    for _ in range(10):
        async with http.get(site.url) as response:
            await response.read()
    assert len(peers) == 1


async def test_head_and_empty_answers_leave_the_connection_usable(
    site: Site, http: aiohttp.ClientSession
) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=204) if request.path == "/empty" else web.Response(text="12345")

    await site.serve(answer)
    for _ in range(2):
        async with http.head(site.url) as response:
            assert (response.status, response.headers["Content-Length"]) == (200, "5")
        async with http.get(f"{site.url}/empty") as response:
            assert response.status == 204
        async with http.get(site.url) as response:
            assert await response.text() == "12345"


async def test_events_come_as_they_are_sent(site: Site, http: aiohttp.ClientSession) -> None:
    go_on = asyncio.Event()

    async def events(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"data: 1\n\n")
        await go_on.wait()
        await response.write(b"data: 2\n\n")
        return response

    await site.serve(events)
    async with http.get(site.url) as response:
        assert await response.content.readline() == b"data: 1\n"
        go_on.set()
        assert (await response.content.read()).endswith(b"data: 2\n\n")


async def test_websockets_pass(site: Site, http: aiohttp.ClientSession) -> None:
    async def chat(request: web.Request) -> web.WebSocketResponse:
        socket_ = web.WebSocketResponse()
        await socket_.prepare(request)
        async for message in socket_:
            await socket_.send_str(message.data.upper())
        return socket_

    await site.serve(chat)
    async with http.ws_connect(site.url) as connection:
        for word in ("one", "two" * 30_000):
            await connection.send_str(word)
            assert await connection.receive_str(timeout=SECONDS) == word.upper()


async def test_a_backend_that_refuses_an_upgrade_is_heard(site: Site, http: aiohttp.ClientSession) -> None:
    async def refuse(request: web.Request) -> web.Response:
        return web.Response(status=426, text="no")

    await site.serve(refuse)
    with pytest.raises(aiohttp.WSServerHandshakeError) as failure:
        await http.ws_connect(site.url)
    assert failure.value.status == 426


async def test_a_client_that_offers_http_2_is_served_by_http_1(site: Site) -> None:
    await site.serve(echo)
    offer = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n"
    answer = await site.raw(offer)
    assert answer.startswith(b"HTTP/1.1 200")
    assert b'"upgrade"' not in answer


async def test_a_client_that_waits_to_be_told_is_told_to_go_on(site: Site) -> None:
    await site.serve(echo)
    reader, writer = await asyncio.open_connection("127.0.0.1", site.proxy.ports[0])
    writer.write(
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
    )
    async with asyncio.timeout(SECONDS):
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"ok")
        assert b'"length": 2' in await reader.read()
    writer.close()


async def test_old_clients_get_answers_that_end_with_the_connection(site: Site) -> None:
    async def streamed(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"hello")
        return response

    await site.serve(streamed)
    answer = await site.raw(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
    assert b"chunked" not in answer.lower()
    assert answer.endswith(b"\r\n\r\nhello")


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (b"rubbish\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
        (b"CONNECT other:443 HTTP/1.1\r\nHost: other:443\r\n\r\n", 405),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", 431),
        (b"GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ],
)
async def test_requests_that_could_be_read_in_two_ways_are_refused(
    site: Site, request_: bytes, code: int
) -> None:
    reached: list[str] = []

    async def note(request: web.Request) -> web.Response:
        reached.append(request.path)
        return web.Response()

    await site.serve(note)
    assert (await site.raw(request_)).startswith(b"HTTP/1.1 %d " % code)
    assert reached == []


async def test_hop_by_hop_headers_stay_on_their_hop(site: Site) -> None:
    await site.serve(echo)
    answer = await site.raw(
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close, X-Secret\r\nX-Secret: 1\r\nTE: trailers\r\n"
        b"Proxy-Authorization: x\r\nKeep-Alive: 5\r\n\r\n"
    )
    for name in (b"x-secret", b'"te"', b"proxy-authorization", b"keep-alive"):
        assert name not in answer.lower().partition(b"\r\n\r\n")[2]


async def test_without_a_rule_or_an_endpoint_the_page_says_so(
    site: Site, http: aiohttp.ClientSession
) -> None:
    site.proxy.router = Router([ingress("shop.test"), ingress("gone.test", service="gone")])
    site.backends.known["web"] = []
    for host, code, words in (
        ("other.test", 404, "No Ingress has a rule for other.test/"),
        ("shop.test", 503, "No endpoint of Service default/web is ready."),
        ("gone.test", 503, "There is no Service default/gone with a port 80."),
    ):
        async with http.get(site.url, headers={"Host": host}) as response:
            assert response.status == code
            assert words in await response.text()


async def test_a_backend_that_is_not_there_is_passed_over(site: Site, http: aiohttp.ClientSession) -> None:
    with bound() as unused:
        site.backends.known["web"] = [Target(*unused.getsockname())]
        await site.serve(echo)
        async with http.post(site.url, data=b"x") as response:
            assert response.status == 200


async def test_only_what_may_be_repeated_is_sent_again(site: Site, http: aiohttp.ClientSession) -> None:
    tries: list[bytes] = []

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tries.append((await reader.readline()).partition(b" ")[0])
        writer.close()

    await site.serve_raw(hang_up)
    async with http.get(site.url) as response:
        assert response.status == 502
    async with http.post(site.url, data=b"pay") as response:
        assert response.status == 502
        assert "default/web" in await response.text()
    assert tries == [b"GET"] * 3 + [b"POST"]


async def test_an_answer_that_breaks_off_is_not_taken_for_whole(
    site: Site, http: aiohttp.ClientSession
) -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        await writer.drain()
        writer.close()

    await site.serve_raw(half)
    with pytest.raises(aiohttp.ClientPayloadError):
        async with http.get(site.url) as response:
            await response.read()


async def test_what_a_backend_says_after_its_answer_reaches_nobody(site: Site) -> None:
    async def chatty(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
        )
        await writer.drain()

    await site.serve_raw(chatty)
    answer = await site.raw(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert b"evil" not in answer


async def test_a_slow_backend_gets_the_time_the_annotation_gives(
    site: Site, http: aiohttp.ClientSession
) -> None:
    async def never(request: web.Request) -> web.Response:
        await over.wait()
        return web.Response()

    over = asyncio.Event()
    await site.serve(never)
    site.proxy.router = Router([ingress(proxy_read_timeout="0.01")])
    sweeping = asyncio.create_task(site.proxy.run())
    async with http.get(site.url) as response:
        assert response.status == 504
    over.set()
    sweeping.cancel()
    await asyncio.gather(sweeping, return_exceptions=True)


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_beyond_the_limit_is_refused(
    site: Site, http: aiohttp.ClientSession, chunked: bool
) -> None:
    await site.serve(echo)
    site.proxy.router = Router([ingress(proxy_body_size="1k")])
    line = b"Transfer-Encoding: chunked\r\n\r\n800\r\n" if chunked else b"Content-Length: 2048\r\n\r\n"
    answer = await site.raw(b"POST / HTTP/1.1\r\nHost: a\r\n" + line + b"x" * 2048 + b"\r\n0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ")
    async with http.post(site.url, data=b"x" * 1024) as response:
        assert response.status == 200


async def test_a_reader_that_does_not_read_stops_its_backend(site: Site) -> None:
    sent = 0

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while sent < 200_000_000:
            writer.write(b"x" * 65_536)
            sent += 65_536
            await writer.drain()

    await site.serve_raw(endless)
    reader, writer = await asyncio.open_connection("127.0.0.1", site.proxy.ports[0], limit=1024)
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    seen = -1
    while seen != sent:
        seen = sent
        await asyncio.sleep(0.2)
    assert sent < 50_000_000
    writer.transport.abort()


class TestTls:
    @pytest.fixture
    async def secured(self, site: Site) -> Site:
        await site.serve(echo)
        certificate, key = self_signed("shop.test")
        data = {
            "tls.crt": base64.b64encode(certificate).decode(),
            "tls.key": base64.b64encode(key).decode(),
        }
        site.proxy.router = Router([ingress("shop.test", tls="shop-tls"), ingress("plain.test")])
        site.proxy.certificates.put(ObjectKey("default", "shop-tls"), {"data": data})
        self.trusted = ssl.create_default_context(cadata=certificate.decode())
        return site

    async def ask(self, site: Site, name: str, context: ssl.SSLContext) -> bytes:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", site.proxy.ports[1], ssl=context, server_hostname=name
        )
        writer.write(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
        async with asyncio.timeout(SECONDS):
            answer = await reader.read()
        writer.close()
        return answer

    async def test_each_host_has_its_certificate(self, secured: Site) -> None:
        answer = await self.ask(secured, "shop.test", self.trusted)
        assert b'"x-forwarded-proto": "https"' in answer
        with pytest.raises(ssl.SSLCertVerificationError):
            await self.ask(secured, "plain.test", self.trusted)

    async def test_a_new_certificate_is_used_at_once(self, secured: Site) -> None:
        certificate, key = self_signed("shop.test")
        data = {"tls.crt": base64.b64encode(certificate).decode(), "tls.key": base64.b64encode(key).decode()}
        secured.proxy.certificates.put(ObjectKey("default", "shop-tls"), {"data": data})
        with pytest.raises(ssl.SSLCertVerificationError):
            await self.ask(secured, "shop.test", self.trusted)
        assert await self.ask(secured, "shop.test", ssl.create_default_context(cadata=certificate.decode()))

    async def test_plain_http_is_sent_to_https_where_there_is_a_certificate(
        self, secured: Site, http: aiohttp.ClientSession
    ) -> None:
        for host, code in (("shop.test", 308), ("plain.test", 200)):
            async with http.get(
                f"{secured.url}/a?b=1", headers={"Host": host}, allow_redirects=False
            ) as response:
                assert response.status == code
                if code == 308:
                    port = secured.proxy.ports[1]
                    assert response.headers["Location"] == f"https://shop.test:{port}/a?b=1"

    async def test_a_secret_without_a_certificate_leaves_plain_http(
        self, secured: Site, http: aiohttp.ClientSession
    ) -> None:
        secured.proxy.certificates.put(ObjectKey("default", "shop-tls"), {"data": {"tls.crt": "eA=="}})
        async with http.get(secured.url, headers={"Host": "shop.test"}) as response:
            assert response.status == 200
