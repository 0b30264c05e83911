"""The subresource `proxy`: what reaches the server behind it, what comes back, and what must not get through."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from http_wire import Wire, served_over_tls
from yarl import URL

from ktui.client.node import NodePage
from ktui.engine.api.http.proxy import relocated
from ktui.kube.errors import StatusError, status

POD = "/api/v1/namespaces/default/pods/web"
NODE = "/api/v1/nodes/n/proxy"
PAGE = """<!-- <a href="/no"> --><a class=x href='/a?b=1&amp;c=2' title="a > b">é</a><img
 alt="src=/x" src=/i.png><script src="/s.js">let a = '<a href="/no">'</script>
<A HREF="https://10.1.2.3:8080/">here</A><a href="https://elsewhere.test/x">there</a><a href="near">next</a>"""


@dataclass
class Agent:
    """A node whose pods are ports of this machine."""

    ports: dict[int, int] = field(default_factory=dict[int, int])
    dialled: list[int] = field(default_factory=list[int])

    async def dial(self, pod: Mapping[str, Any], port: int):
        self.dialled.append(port)
        if port not in self.ports:
            raise ConnectionRefusedError(111, "Connection refused")
        return await asyncio.open_connection("127.0.0.1", self.ports[port])

    async def page(self, path: str, query: Mapping[str, str]) -> NodePage:
        if path == "/missing":
            raise StatusError(status(404, "NotFound", "no such page"))
        return NodePage(body=f"{path} {dict(query)}".encode())


async def _echo(request: web.Request) -> web.StreamResponse:
    """Tells what arrived."""
    if request.path == "/away":
        return web.Response(status=302, headers={"Location": request.query["to"]})
    if request.path == "/page":
        response = web.Response(body=PAGE.encode(), headers={"Content-Type": "text/html; charset=utf-8"})
        if coding := request.query.get("coding"):
            response.enable_compression(web.ContentCoding(coding))
        return response
    if request.path == "/ws":
        socket = web.WebSocketResponse(protocols=("chat",))
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(f"echo {message.data}")
        return socket
    if request.path == "/stream":
        response = web.StreamResponse(headers={"Access-Control-Allow-Origin": "*", "X-Mine": "kept"})
        await response.prepare(request)
        for number in range(3):
            await response.write(f"{number}\n".encode())
        return response
    body = await request.read()
    told = {
        "method": request.method,
        "path": request.raw_path,
        "headers": {name.lower(): value for name, value in request.headers.items()},
        "body": body.decode(),
    }
    return web.json_response(told, status=int(request.query.get("code", "200")))


@dataclass
class World:
    wire: Wire
    agent: Agent

    async def call(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        return await self.wire.call(method, path, **options)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    app = web.Application(client_max_size=20_000_000)
    app.router.add_route("*", "/{path:.*}", _echo)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    async with served_over_tls(tmp_path) as wire:
        agent = Agent({80: runner.addresses[0][1], 8080: runner.addresses[0][1]})
        wire.server.register_node("n", agent)  # pyright: ignore[reportArgumentType] - a stand-in with what is asked of it
        code, _ = await wire.call("POST", "/api/v1/nodes", json={"metadata": {"name": "n"}})
        assert code == 201
        spec = {
            "nodeName": "n",
            "containers": [{"name": "c", "image": "i", "ports": [{"containerPort": 8080}]}],
        }
        await wire.call(
            "POST",
            "/api/v1/namespaces/default/serviceaccounts",
            json={"metadata": {"name": "default"}},
        )
        code, answer = await wire.call(
            "POST", "/api/v1/namespaces/default/pods", json={"metadata": {"name": "web"}, "spec": spec}
        )
        assert code == 201, answer
        code, answer = await wire.call(
            "PATCH",
            f"{POD}/status",
            json={"status": {"phase": "Running", "podIP": "10.1.2.3", "podIPs": [{"ip": "10.1.2.3"}]}},
            headers={"Content-Type": "application/merge-patch+json"},
        )
        assert code == 200, answer
        yield World(wire, agent)
    await runner.cleanup()


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_every_method_reaches_the_pod_with_path_query_and_body(world: World, method: str):
    code, told = await world.call(
        method, f"{POD}/proxy/a%2Fb//c/?x=1%202&code=418", data=b"hello", headers={"X-Mine": "1"}
    )
    assert code == 418
    assert told["method"] == method
    assert told["path"] == "/a%2Fb//c/?x=1%202&code=418"
    assert told["body"] == "hello"
    assert told["headers"]["x-mine"] == "1"
    assert told["headers"]["x-forwarded-uri"] == f"{POD}/proxy/a%2Fb//c/"
    assert world.agent.dialled == [8080], "the first port its containers name"


async def test_a_body_of_unknown_length_goes_on_as_it_comes(world: World):
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield b"x" * 50_000

    code, told = await world.call("POST", f"{POD}/proxy/", data=parts())
    assert (code, len(told["body"])) == (200, 10_000_000)


async def test_who_calls_is_not_told_to_the_pod(world: World):
    secret = {"Authorization": "Bearer made-up", "Impersonate-User": "x", "Proxy-Authorization": "y"}
    _, told = await world.call(
        "GET",
        f"{POD}/proxy/",
        headers={**secret, "Impersonate-Group": "system:masters", "Connection": "X-Hop", "X-Hop": "1"},
    )
    told_names = set(told["headers"])
    assert not told_names & {"authorization", "impersonate-user", "impersonate-group", "x-hop"}
    assert "proxy-authorization" not in told_names


async def test_an_answer_streams_without_what_is_not_for_others(world: World):
    async with world.wire.session.get(
        f"{world.wire.secure.url}{POD}:80/proxy/stream", ssl=world.wire.admin
    ) as answer:
        assert await answer.read() == b"0\n1\n2\n"
        assert answer.headers["X-Mine"] == "kept"
        assert "Access-Control-Allow-Origin" not in answer.headers
    assert world.agent.dialled == [80]


async def test_head_has_no_body(world: World):
    async with world.wire.session.head(
        f"{world.wire.secure.url}{POD}/proxy/", ssl=world.wire.admin
    ) as answer:
        assert answer.status == 200
        assert int(answer.headers["Content-Length"]) > 0


async def test_the_root_without_a_slash_is_redirected(world: World):
    async with world.wire.session.get(
        f"{world.wire.secure.url}{POD}/proxy?method=GET", ssl=world.wire.admin, allow_redirects=False
    ) as answer:
        assert (answer.status, answer.headers["Location"]) == (301, f"{POD}/proxy/?method=GET")
    code, told = await world.call("POST", f"{POD}/proxy", data=b"x")
    assert (code, told["path"]) == (200, "/")


async def test_redirects_stay_behind_the_proxy(world: World):
    async def location(to: str) -> str:
        async with world.wire.session.get(
            f"{world.wire.secure.url}{POD}/proxy/away",
            params={"to": to},
            ssl=world.wire.admin,
            allow_redirects=False,
        ) as answer:
            return answer.headers["Location"]

    assert await location("/login/?a=b#c") == f"{POD}/proxy/login/?a=b#c"
    assert await location("http://10.1.2.3:8080/x") == f"{POD}/proxy/x"
    assert await location("https://elsewhere.example/x") == "https://elsewhere.example/x"
    assert await location("beside") == "beside"


def test_a_redirect_that_is_already_behind_the_proxy_is_left():
    assert relocated("/p/proxy/x", "/p/proxy", ()) == "/p/proxy/x"
    assert relocated("http://[broken", "/p/proxy", ()) == "http://[broken"


@pytest.mark.parametrize("coding", ["", "gzip"])
async def test_links_of_pages_stay_behind_the_proxy(world: World, coding: str):
    code, page = await world.call("GET", f"{POD}/proxy/page?coding={coding}")
    below = f"{POD}/proxy"
    expected = (
        PAGE.replace("'/a?b=1&amp;c=2'", f'"{below}/a?b=1&amp;c=2"')
        .replace("src=/i.png", f'src="{below}/i.png"')
        .replace('"/s.js"', f'"{below}/s.js"')
        .replace('"https://10.1.2.3:8080/"', f'"{below}/"')
    )
    assert (code, page) == (200, expected)


async def test_an_upgrade_becomes_a_tunnel(world: World):
    url = f"{world.wire.secure.url}{POD}:8080/proxy/ws"
    async with asyncio.timeout(10):
        async with world.wire.session.ws_connect(
            url, ssl=world.wire.admin or True, protocols=("chat",)
        ) as socket:
            assert socket.protocol == "chat"
            for text in ("one", "two"):
                await socket.send_str(text)
                assert await socket.receive_str() == f"echo {text}"


async def test_an_upgrade_the_pod_does_not_want_is_its_answer(world: World):
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await world.wire.session.ws_connect(
            f"{world.wire.secure.url}{POD}/proxy/", ssl=world.wire.admin or True
        )
    assert refused.value.status == 200


async def test_what_does_not_answer_is_unavailable(world: World):
    code, answer = await world.call("GET", f"{POD}:81/proxy/")
    assert (code, answer["reason"]) == (503, "ServiceUnavailable")
    assert answer["message"] == (
        "error trying to reach service: dial tcp 10.1.2.3:81: connect: connection refused"
    )
    code, answer = await world.call("GET", "/api/v1/namespaces/default/pods/https:web:80/proxy/")
    assert code == 503 and answer["message"].startswith("error trying to reach service: ")


@pytest.mark.parametrize(
    ("said", "part"),
    [
        (b"", "EOF"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", 'malformed HTTP response "SSH-2.0-OpenSSH_9.2"'),
        (b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "malformed MIME header line"),
        (b"HTTP/1.1 200 OK\r\nA: b\rSet-Cookie: c\r\n\r\n", "malformed HTTP response"),
        (b"HTTP/1.1 200 OK\r\nA: " + b"x" * 100_000, "headers are too large"),
    ],
)
async def test_what_is_no_http_is_unavailable(world: World, said: bytes, part: str):
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(said)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        world.agent.ports[99] = server.sockets[0].getsockname()[1]
        code, answer = await world.call("GET", f"{POD}:99/proxy/")
    assert code == 503
    assert part in answer["message"]


async def test_an_answer_that_breaks_off_is_not_taken_for_whole(world: World):
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        world.agent.ports[99] = server.sockets[0].getsockname()[1]
        with pytest.raises(aiohttp.ClientError):
            async with asyncio.timeout(10):
                await world.call("GET", f"{POD}:99/proxy/")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("ftp:web:80", 400),
        ("web:0", 400),
        ("web:99999", 400),
        ("web:http", 400),
        ("a:b:c:d", 400),
        ("nope", 404),
        ("nope:80", 404),
    ],
)
async def test_names_that_lead_nowhere(world: World, name: str, code: int):
    found, answer = await world.call("GET", f"/api/v1/namespaces/default/pods/{name}/proxy/")
    assert (found, answer["code"]) == (code, code)
    assert world.agent.dialled == []


async def test_no_other_address_can_be_reached(world: World):
    """What a pod or node says of its addresses opens no way to this machine or to what is only on its link."""
    for address in ("127.0.0.1", "169.254.169.254", "::1", "0.0.0.0", "evil.example"):
        code, answer = await world.call(
            "PATCH",
            "/api/v1/nodes/n/status",
            json={"status": {"addresses": [{"type": "InternalIP", "address": address}]}},
            headers={"Content-Type": "application/merge-patch+json"},
        )
        assert code == 200, answer
        code, answer = await world.call("GET", "/api/v1/nodes/n:22/proxy/")
        assert (code, answer["message"]) == (400, "address not allowed"), address
    url = URL(f"{world.wire.secure.url}{POD}/proxy/../../../../secrets", encoded=True)
    async with world.wire.session.get(url, ssl=world.wire.admin) as answer:
        assert (await answer.json())["path"] == "/../../../../secrets"
    assert world.agent.dialled == [8080], "dots in a path are the pod's business"


async def test_the_pages_of_a_nodes_agent(world: World):
    assert await world.call("GET", f"{NODE}/logs/a%20b?x=y") == (200, "/logs/a b {'x': 'y'}")
    assert (await world.call("GET", "/api/v1/nodes/n:10250/proxy/healthz"))[1] == "/healthz {}"
    assert (await world.call("GET", f"{NODE}/missing"))[0] == 404
    assert (await world.call("POST", f"{NODE}/healthz"))[0] == 405
    assert (await world.call("GET", "/api/v1/nodes/other/proxy/healthz"))[0] == 404


async def test_a_node_that_is_not_up_is_unavailable(world: World):
    world.wire.server.unregister_node("n")
    code, answer = await world.call("GET", f"{NODE}/healthz")
    assert (code, answer["reason"]) == (503, "ServiceUnavailable")


async def test_only_who_may_gets_through(world: World):
    nobody: ssl.SSLContext = world.wire.context("mallory")
    for path in (f"{POD}/proxy/", f"{NODE}/pods"):
        code, answer = await world.call("GET", path, tls=nobody)
        assert (code, answer["reason"]) == (403, "Forbidden")
    assert world.agent.dialled == []


async def test_discovery_tells_of_it(world: World):
    _, listed = await world.call("GET", "/api/v1")
    found = {r["name"]: (r["kind"], r["verbs"]) for r in listed["resources"]}
    verbs = ["create", "delete", "get", "patch", "update"]
    assert found["pods/proxy"] == ("PodProxyOptions", verbs)
    assert found["nodes/proxy"] == ("NodeProxyOptions", verbs)
    _, document = await world.call("GET", "/openapi/v3/api/v1")
    document = document if isinstance(document, dict) else json.loads(document)
    assert "/api/v1/namespaces/{namespace}/pods/{name}/proxy/{path}" in document["paths"]


async def test_a_service_leads_to_one_of_its_ready_pods(world: World):
    proxy = "/api/v1/namespaces/default/services"
    ports = [{"name": "http", "port": 80, "targetPort": 8080}, {"name": "admin", "port": 81}]
    spec = {"clusterIP": "None", "ports": ports}
    code, answer = await world.call("POST", proxy, json={"metadata": {"name": "front"}, "spec": spec})
    assert code == 201, answer
    assert (await world.call("GET", f"{proxy}/front:http/proxy/"))[1]["message"] == (
        'no endpoints available for service "front"'
    )
    endpoint = {
        "addresses": ["10.1.2.3"],
        "targetRef": {"kind": "Pod", "name": "web", "namespace": "default"},
    }
    strangers = [
        {"addresses": ["10.9.9.9"]},
        {"addresses": ["10.9.9.9"], "targetRef": endpoint["targetRef"]},
        {**endpoint, "conditions": {"ready": False}},
        {"addresses": ["10.1.2.3"], "targetRef": {"kind": "Pod", "name": "gone"}},
    ]
    code, answer = await world.call(
        "POST",
        "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices",
        json={
            "metadata": {"name": "front-x", "labels": {"kubernetes.io/service-name": "front"}},
            "addressType": "IPv4",
            "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
            "endpoints": [*strangers, endpoint],
        },
    )
    assert code == 201, answer
    for name in ("front:http", "front:80", "http:front:http"):
        code, told = await world.call("GET", f"{proxy}/{name}/proxy/x")
        assert (code, told["path"]) == (200, "/x"), name
    for name, message in (
        ("front:admin", 'no endpoints available for service "front"'),
        ("front:82", 'no service port 82 found for service "front"'),
    ):
        code, answer = await world.call("GET", f"{proxy}/{name}/proxy/")
        assert (code, answer["message"]) == (503, message)
    assert (await world.call("GET", f"{proxy}/nope/proxy/"))[0] == 404


async def test_ports_are_forwarded_over_channels(world: World):
    """The older way of port-forward: two channels a port, which begin with its number."""
    url = f"{world.wire.secure.url}{POD}/portforward?ports=8080,81"
    async with asyncio.timeout(10):
        async with world.wire.session.ws_connect(
            url, ssl=world.wire.admin or True, protocols=("v4.channel.k8s.io",)
        ) as socket:
            await socket.send_bytes(b"\x00GET /stream HTTP/1.0\r\n\r\n")
            channels = dict.fromkeys(range(4), b"")
            async for message in socket:
                channels[message.data[0]] += message.data[1:]
    assert channels[0].startswith(b"\x90\x1fHTTP/1.") and channels[0].endswith(b"0\n1\n2\n")
    assert channels[1] == b"\x90\x1f"
    assert channels[2] == b"Q\x00"
    assert channels[3] == b"Q\x00" + (
        b"error forwarding port 81 to pod default/web: dial tcp localhost:81: connect: connection refused"
    )


@pytest.mark.parametrize("query", ["", "?ports=", "?ports=x", "?ports=0", "?ports=70000", "?ports=1,"])
async def test_ports_that_are_none(world: World, query: str):
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await world.wire.session.ws_connect(
            f"{world.wire.secure.url}{POD}/portforward{query}",
            ssl=world.wire.admin or True,
            protocols=("v4.channel.k8s.io",),
        )
    assert refused.value.status == 400
