"""Probes against real sockets: what counts as healthy, and the words of a failure."""

import asyncio
from contextlib import asynccontextmanager

import h2.config
import h2.connection
import h2.events
import pytest

from ktui.engine.kubelet.http_get import HTTPRequest
from ktui.engine.kubelet.probes.grpc import probe_grpc
from ktui.engine.kubelet.probes.http import probe_http
from ktui.engine.kubelet.probes.tcp import probe_tcp


async def connect(host, port):
    return await asyncio.open_connection(host or "127.0.0.1", port)


@asynccontextmanager
async def server(handle):
    serving = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield serving.sockets[0].getsockname()[1]
    finally:
        serving.close()


def answering(response, requests=None):
    async def handle(reader, writer):
        request = await reader.readuntil(b"\r\n\r\n")
        if requests is not None:
            requests.append(request.decode())
        writer.write(response)
        await writer.drain()
        writer.close()

    return handle


def request(port, path="/", **fields):
    return HTTPRequest(host="", shown_host="127.0.0.1", port=port, path=path, **fields)


@pytest.mark.parametrize(
    ("status", "healthy"), [(200, True), (204, True), (399, True), (404, False), (500, False)]
)
async def test_http_is_healthy_from_200_to_399(status, healthy):
    response = f"HTTP/1.1 {status} X\r\nContent-Length: 2\r\n\r\nok".encode()
    async with server(answering(response)) as port:
        outcome = await probe_http(connect, request(port), 1)
    assert outcome.success is healthy
    if not healthy:
        assert outcome.output == f"HTTP probe failed with statuscode: {status}"


async def test_http_sends_kubernetes_headers_and_those_asked_for():
    seen = []
    async with server(answering(b"HTTP/1.1 200 OK\r\n\r\n", seen)) as port:
        headers = [("Host", "shop.test"), ("X-A", "b")]
        await probe_http(connect, request(port, "/healthz?full=1", headers=headers), 1)
    lines = seen[0].split("\r\n")
    assert lines[0] == "GET /healthz?full=1 HTTP/1.1"
    assert {"Host: shop.test", "X-A: b", "User-Agent: kube-probe/1.37", "Accept: */*"} <= set(lines)


async def test_http_follows_redirects_on_the_host_and_warns_of_others():
    async def handle(reader, writer):
        first = await reader.readline()
        if b"/new" in first:
            writer.write(b"HTTP/1.1 503 No\r\n\r\n")
        elif b"/away" in first:
            writer.write(b"HTTP/1.1 302 F\r\nLocation: http://elsewhere.test/\r\nContent-Length: 0\r\n\r\n")
        else:
            port = writer.get_extra_info("sockname")[1]
            writer.write(f"HTTP/1.1 302 F\r\nLocation: http://127.0.0.1:{port}/new\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    async with server(handle) as port:
        followed = await probe_http(connect, request(port, "/old"), 1)
        away = await probe_http(connect, request(port, "/away"), 1)
    assert followed.output == "HTTP probe failed with statuscode: 503"
    assert (away.success, away.warning) == (True, True)


async def test_http_failures_read_as_gos_client_tells_them():
    async def silent(reader, writer):
        await reader.read()  # until the client has had enough
        writer.close()

    async with server(silent) as port:
        outcome = await probe_http(connect, request(port), 0.05)
    assert outcome.output == (
        f'Get "http://127.0.0.1:{port}/": context deadline exceeded '
        "(Client.Timeout exceeded while awaiting headers)"
    )
    outcome = await probe_http(connect, request(port), 1)
    assert outcome.output == (
        f'Get "http://127.0.0.1:{port}/": dial tcp 127.0.0.1:{port}: connect: connection refused'
    )

    async def closing(reader, writer):
        await reader.readline()
        writer.close()

    async with server(closing) as port:
        outcome = await probe_http(connect, request(port), 1)
    assert outcome.output == f'Get "http://127.0.0.1:{port}/": EOF'


async def test_http_reads_chunked_answers():
    response = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    async with server(answering(response)) as port:
        outcome = await probe_http(connect, request(port), 1)
    assert outcome.output == "abcde"


async def test_tcp():
    async with server(answering(b"")) as port:
        assert (await probe_tcp(connect, "", "127.0.0.1", port, 1)).success
    outcome = await probe_tcp(connect, "", "10.0.0.7", port, 1)
    assert outcome.output == f"dial tcp 10.0.0.7:{port}: connect: connection refused"


def grpc_health(states):
    """A gRPC health server that answers a service's name with its state."""

    async def handle(reader, writer):
        connection = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
        )
        connection.initiate_connection()
        writer.write(connection.data_to_send())
        while data := await reader.read(65536):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.DataReceived):
                    message = event.data[5:]
                    service = message[2:].decode() if message else ""
                    answer(connection, event.stream_id, states.get(service))
            writer.write(connection.data_to_send())
            await writer.drain()
        writer.close()

    def answer(connection, stream, state):
        headers = [(":status", "200"), ("content-type", "application/grpc")]
        if state is None:
            trailers = [*headers, ("grpc-status", "5"), ("grpc-message", "unknown service")]
            connection.send_headers(stream, trailers, end_stream=True)
            return
        connection.send_headers(stream, headers)
        connection.send_data(stream, b"\x00\x00\x00\x00\x02\x08" + bytes([state]))
        connection.send_headers(stream, [("grpc-status", "0")], end_stream=True)

    return handle


async def test_grpc_asks_the_health_service():
    async with server(grpc_health({"": 1, "sick": 2})) as port:

        async def ask(service):
            return await probe_grpc(connect, "", "127.0.0.1", port, service, 1)

        assert (await ask("")).success
        assert (await ask("sick")).output == 'service unhealthy (responded with "NOT_SERVING")'
        assert (await ask("none")).output == "error: health rpc probe failed: unknown service"
    refused = await probe_grpc(connect, "", "127.0.0.1", port, "", 1)
    assert refused.output.startswith(f'error: failed to connect service "127.0.0.1:{port}" within 1s')


async def test_grpc_on_a_server_that_speaks_something_else_fails_the_probe_only():
    async with server(answering(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")) as port:
        outcome = await probe_grpc(connect, "", "127.0.0.1", port, "", 1)
    assert not outcome.success
    assert outcome.output.startswith("error: health rpc probe failed: ")
