"""The DNS server of a node: on the pods' gateway address, by UDP and TCP.

What the zone holds is answered at once, from memory; the bytes of an answer are kept until the next change of
a Service, so that the same question costs a lookup. Everything else goes upstream.
"""

from __future__ import annotations

import asyncio
import logging
import struct
from contextlib import suppress

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rrset

from ktui.engine.network.dns.sockets import NameSockets
from ktui.engine.network.dns.upstream import Upstream
from ktui.engine.network.dns.zone import Answer, Zone

log = logging.getLogger(__name__)

_HEADER_BYTES = 12
_PLAIN_BYTES = 512
_MOST_UDP_BYTES = 4096
_OUR_PAYLOAD = 1232
_KEPT = 4096
_LONGEST_KEPT = 512
_LONGEST_DATAGRAM = 65535
_LONGEST_CHAIN = 8
"""Aliases of aliases that are followed."""
_IDLE_SECONDS = 10.0
_MOST_CONNECTIONS = 200
_MOST_ASKING = 1000
"""Questions that wait for an upstream resolver; more are refused."""
_MOST_WAITING = 1000
"""Questions that came before the server ended and are answered still."""


class DnsServer:
    """Serves one address; `start`, then `close`."""

    def __init__(self, zone: Zone, upstream: Upstream) -> None:
        self._zone = zone
        self._upstream = upstream
        self._kept: dict[bytes, bytes] = {}
        self._sockets: NameSockets | None = None
        self._transport: asyncio.DatagramTransport | None = None
        self._server: asyncio.Server | None = None
        self._asking: set[asyncio.Task[None]] = set()
        self._connections = 0

    def forget(self) -> None:
        """A Service or an endpoint has changed: answers are made anew."""
        self._kept.clear()

    async def start(self, address: str, port: int = 53, sockets: NameSockets | None = None) -> None:
        """Listen, on the sockets of somebody who keeps them if given; the address need not be there yet.
        Raises OSError when the port is taken."""
        loop = asyncio.get_running_loop()
        used = self._sockets = sockets.duplicates() if sockets else NameSockets.make()
        try:
            used.listen(address, port)
        except OSError:
            used.close()
            raise
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: _Datagrams(self), sock=used.datagrams
        )
        self._server = await asyncio.start_server(self._converse, sock=used.stream)

    @property
    def port(self) -> int:
        assert self._transport is not None, "the server has not been started"
        return int(self._transport.get_extra_info("sockname")[1])

    async def close(self) -> None:
        if self._transport is not None and self._sockets is not None:
            with suppress(OSError):
                for _ in range(_MOST_WAITING):
                    self.datagram(*self._sockets.datagrams.recvfrom(_LONGEST_DATAGRAM), self._transport)
            self._transport.abort()
        if self._server is not None:
            self._server.close()
        for task in self._asking:
            task.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)

    def datagram(self, data: bytes, sender: tuple[str, int], transport: asyncio.DatagramTransport) -> None:
        """Answer a datagram now, or once an upstream resolver has answered."""
        kept = self._kept.get(data[2:])
        if kept is not None:
            transport.sendto(data[:2] + kept, sender)
            return
        query = _parse(data)
        if query is None:
            if said := _malformed(data):
                transport.sendto(said, sender)
            return
        size = min(max(query.payload, _PLAIN_BYTES), _MOST_UDP_BYTES) if query.edns >= 0 else _PLAIN_BYTES
        response = self._local(query)
        if response is not None:
            wire = _wire(response, size)
            if len(self._kept) < _KEPT and len(data) <= _LONGEST_KEPT:
                self._kept[data[2:]] = wire[2:]
            transport.sendto(wire, sender)
        elif len(self._asking) >= _MOST_ASKING:
            transport.sendto(_wire(_refuse(query, dns.rcode.SERVFAIL), size), sender)
        else:
            task = asyncio.create_task(self._later(query, size, sender, transport))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)

    async def _later(
        self,
        query: dns.message.Message,
        size: int,
        sender: tuple[str, int],
        transport: asyncio.DatagramTransport,
    ) -> None:
        response = await self._remote(query)
        if not transport.is_closing():
            transport.sendto(_wire(response, size), sender)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._connections >= _MOST_CONNECTIONS:
            writer.close()
            return
        self._connections += 1
        try:
            with suppress(TimeoutError, asyncio.IncompleteReadError, ConnectionError):
                while True:
                    async with asyncio.timeout(_IDLE_SECONDS):
                        (length,) = struct.unpack("!H", await reader.readexactly(2))
                        query = _parse(await reader.readexactly(length))
                    if query is None:
                        return
                    response = self._local(query) or await self._remote(query)
                    wire = _wire(response, 65535)
                    writer.write(struct.pack("!H", len(wire)) + wire)
                    async with asyncio.timeout(_IDLE_SECONDS):
                        await writer.drain()
        finally:
            self._connections -= 1
            writer.close()

    def _local(self, query: dns.message.Message) -> dns.message.Message | None:
        """A response from memory; None when an upstream resolver has to be asked."""
        if query.opcode() != dns.opcode.QUERY:
            return _refuse(query, dns.rcode.NOTIMP)
        if len(query.question) != 1:
            return _refuse(query, dns.rcode.FORMERR)
        question = query.question[0]
        if question.rdclass != dns.rdataclass.IN:
            return _refuse(query, dns.rcode.REFUSED)
        if self._upstream.is_our_probe(question.name):
            return _refuse(query, dns.rcode.NXDOMAIN)
        if not self._zone.holds(question.name):
            return None
        answer = self._zone.answer(question.name, question.rdtype)
        return None if answer.alias else self._response(query, answer)

    def _response(self, query: dns.message.Message, answer: Answer) -> dns.message.Message:
        response = _respond(query)
        response.flags |= dns.flags.AA
        response.set_rcode(answer.rcode)
        response.answer.extend(answer.records)
        response.additional.extend(answer.additional)
        if not answer.records:
            response.authority.append(self._zone.authority())
        return response

    async def _remote(self, query: dns.message.Message) -> dns.message.Message:
        """The response of a resolver outside; for an alias in the zone with what it stands for."""
        question = query.question[0]
        name = question.name
        aliases: list[dns.rrset.RRset] = []
        while self._zone.holds(name):
            found = self._zone.answer(name, question.rdtype)
            if not found.alias or len(aliases) >= _LONGEST_CHAIN:
                return self._response(query, Answer([*aliases, *found.records], found.additional))
            aliases += found.records
            name = dns.name.from_text(found.alias)
            if any(name == alias.name for alias in aliases):
                return self._response(query, Answer(aliases))
        asked = await self._upstream.ask(name, question.rdtype)
        if asked is None:
            return self._response(query, Answer(aliases)) if aliases else _refuse(query, dns.rcode.SERVFAIL)
        response = _respond(query)
        response.set_rcode(dns.rcode.NOERROR if aliases else asked.rcode())
        response.answer.extend([*aliases, *asked.answer])
        response.authority.extend(asked.authority)
        return response


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer) -> None:
        self._server = server
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] - asyncio gives it this one
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        assert self._transport is not None
        self._server.datagram(data, addr, self._transport)


def _parse(data: bytes) -> dns.message.Message | None:
    """A question; None for what is none."""
    try:
        message = dns.message.from_wire(data, ignore_trailing=True)
    except (dns.exception.DNSException, struct.error, ValueError):
        return None
    return None if message.flags & dns.flags.QR else message


def _malformed(data: bytes) -> bytes:
    """What a client gets whose question can't be read; nothing for what is no question."""
    if len(data) < _HEADER_BYTES or data[2] & 0x80:
        return b""
    response = dns.message.Message(int.from_bytes(data[:2]))
    response.flags = dns.flags.Flag.QR
    response.set_rcode(dns.rcode.FORMERR)
    return response.to_wire()


def _respond(query: dns.message.Message) -> dns.message.Message:
    return dns.message.make_response(query, recursion_available=True, our_payload=_OUR_PAYLOAD)


def _refuse(query: dns.message.Message, code: dns.rcode.Rcode) -> dns.message.Message:
    response = _respond(query)
    response.set_rcode(code)
    return response


def _wire(response: dns.message.Message, size: int) -> bytes:
    """The response's bytes; cut where it is too long, so that the client asks again by TCP."""
    return response.to_wire(max_size=size, prefer_truncation=True)
