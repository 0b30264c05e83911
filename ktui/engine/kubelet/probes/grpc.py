"""The grpc probe: the standard health service asked over plain HTTP/2, healthy when it says SERVING.

A minimal client on h2: one unary call to `grpc.health.v1.Health/Check`, whose two messages are encoded here by
hand (one string field, one enum field).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from ktui.engine.kubelet.backoff import go_duration
from ktui.engine.kubelet.probes.base import Connect, Outcome
from ktui.kube.address import dial_failure, join_host_port

_SERVING_STATES = {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}
_UNIMPLEMENTED = "12"
_FRAME_PREFIX = 5


@dataclass(slots=True)
class _Reply:
    data: bytes = b""
    http_status: str = ""
    grpc_status: str = ""
    grpc_message: str = ""


async def probe_grpc(
    connect: Connect, host: str, shown_host: str, port: int, service: str, timeout: float
) -> Outcome:
    address = join_host_port(shown_host, port)
    within = go_duration(timeout)
    try:
        async with asyncio.timeout(timeout):
            try:
                reader, writer = await connect(host, port)
            except OSError as error:
                return Outcome(
                    False, f"error: {_unconnected(address, within)}: {dial_failure(address, error)}"
                )
            try:
                reply = await _check(reader, writer, address, service)
            finally:
                writer.close()
    except TimeoutError:
        return Outcome(False, f"timeout: {_unconnected(address, within)}: context deadline exceeded")
    except (OSError, EOFError) as error:
        return Outcome(False, f"error: health rpc probe failed: {error}")
    if reply.grpc_status == _UNIMPLEMENTED:
        return Outcome(
            False,
            "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): "
            f"{reply.grpc_message}",
        )
    if reply.grpc_status not in ("", "0") or reply.http_status not in ("", "200"):
        message = reply.grpc_message or f"code {reply.grpc_status or reply.http_status}"
        return Outcome(False, f"error: health rpc probe failed: {message}")
    state = _SERVING_STATES.get(_serving_status(reply.data), "UNKNOWN")
    if state != "SERVING":
        return Outcome(False, f'service unhealthy (responded with "{state}")')
    return Outcome(True, "service healthy")


def _unconnected(address: str, within: str) -> str:
    return f'failed to connect service "{address}" within {within}'


async def _check(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: str, service: str
) -> _Reply:
    # Few pods have grpc probes; the others need not wait 60 ms for h2 at ktui's start.
    import h2.config
    import h2.connection
    import h2.events
    import h2.exceptions

    connection = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
    connection.initiate_connection()
    stream = connection.get_next_available_stream_id()
    connection.send_headers(
        stream,
        [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", "/grpc.health.v1.Health/Check"),
            (":authority", address),
            ("content-type", "application/grpc"),
            ("user-agent", "kube-probe/1.37"),
            ("te", "trailers"),
        ],
    )
    connection.send_data(stream, _request(service), end_stream=True)
    reply = _Reply()
    while True:
        writer.write(connection.data_to_send())
        await writer.drain()
        received = await reader.read(65536)
        if not received:
            raise EOFError("connection closed before the server answered")
        try:
            events = connection.receive_data(received)
        except h2.exceptions.ProtocolError as error:
            raise EOFError(f"the server does not speak HTTP/2: {error}") from error
        for event in events:
            if isinstance(event, (h2.events.ResponseReceived, h2.events.TrailersReceived)):
                _read_headers(reply, [(_text(n), _text(v)) for n, v in event.headers or ()])
            elif isinstance(event, h2.events.DataReceived):
                reply.data += event.data or b""
                connection.acknowledge_received_data(event.flow_controlled_length or 0, stream)
            elif isinstance(event, h2.events.StreamEnded):
                return reply
            elif isinstance(event, (h2.events.StreamReset, h2.events.ConnectionTerminated)):
                raise EOFError("the server reset the stream")


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "replace")


def _read_headers(reply: _Reply, headers: list[tuple[str, str]]) -> None:
    for name, value in headers:
        if name == ":status":
            reply.http_status = value
        elif name == "grpc-status":
            reply.grpc_status = value
        elif name == "grpc-message":
            reply.grpc_message = value


def _request(service: str) -> bytes:
    """A length-prefixed `HealthCheckRequest{service}`."""
    name = service.encode()
    message = b"\x0a" + _varint(len(name)) + name if name else b""
    return b"\x00" + len(message).to_bytes(4, "big") + message


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _serving_status(data: bytes) -> int:
    """The enum of a length-prefixed `HealthCheckResponse` (field 1); absent means 0."""
    message = data[_FRAME_PREFIX:]
    return message[1] if len(message) >= 2 and message[0] == 0x08 else 0
