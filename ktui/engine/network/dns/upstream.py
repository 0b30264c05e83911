"""Names outside the cluster: asked of the host's resolvers, or of a stub domain's own, and kept for their time.

The host's `resolv.conf` is read again when it changes. A resolver that does not answer is passed over for a
while. Questions that are asked at the same time are asked once. A resolver that sends our own questions back
to us is found out with a question of our own (as CoreDNS' `loop` does) and left alone.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import secrets
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path

import dns.asyncquery
import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rdtypes.ANY.SOA

from ktui.kube.clock import Clock

log = logging.getLogger(__name__)

PROBE = dns.name.from_text("loop.ktui.")
_PORT = 53
_QUERY_SECONDS = 2.0
_SHUN_SECONDS = 10.0
_PAYLOAD = 1232
_CACHED = 10_000
_LONGEST_SECONDS = 300
_NO_NAME_SECONDS = 30
"""How long a "no" is kept that does not say how long it holds."""


class Server(tuple[str, int]):
    """Address and port of a resolver."""

    @classmethod
    def parse(cls, text: str) -> Server:
        """`10.0.0.1` or `10.0.0.1:5353`, `fd00::1` or `[fd00::1]:5353`. Raises ValueError."""
        address, port = text.strip(), ""
        if address.startswith("["):
            address, _, port = address[1:].partition("]")
            port = port.removeprefix(":")
        elif address.count(":") == 1:
            address, _, port = address.partition(":")
        ipaddress.ip_address(address)
        return cls((address, int(port or _PORT)))


class Upstream:
    """The resolvers behind the cluster's own."""

    def __init__(self, clock: Clock, own: Server, resolv_conf: Path = Path("/etc/resolv.conf")) -> None:
        self._clock = clock
        self._own = own
        self._path = resolv_conf
        self._read: tuple[int, int] = (0, 0)
        self._hosts: tuple[Server, ...] = ()
        self._servers: tuple[Server, ...] | None = None
        self._stubs: dict[dns.name.Name, tuple[Server, ...]] = {}
        self._shunned: dict[Server, float] = {}
        self._looping: set[Server] = set()
        self._probes: dict[dns.name.Name, Server] = {}
        self._cache: OrderedDict[tuple[dns.name.Name, int], tuple[float, float, bytes]] = OrderedDict()
        """When an answer came, until when it holds, and its bytes: a tenth of what they are as objects."""
        self._asking: dict[tuple[dns.name.Name, int], asyncio.Task[dns.message.Message | None]] = {}

    def configure(self, servers: Sequence[str] | None, stubs: Mapping[str, Sequence[str]]) -> None:
        """Use these resolvers instead of the host's (None: the host's), and others for some domains."""
        self._servers = tuple(map(Server.parse, servers)) if servers else None
        self._stubs = {
            dns.name.from_text(domain.lower()): tuple(map(Server.parse, addresses))
            for domain, addresses in stubs.items()
        }
        self._cache.clear()

    async def ask(self, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> dns.message.Message | None:
        """A response to be copied from, with what is left of its records' time; None when nobody answers."""
        key = (name.canonicalize(), int(kind))
        now = self._clock.monotonic()
        kept = self._cache.get(key)
        if kept is not None and now < kept[1]:
            self._cache.move_to_end(key)
            return _aged(kept[2], int(now - kept[0]))
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = asyncio.create_task(self._resolve(name, kind))
            task.add_done_callback(lambda _: self._asking.pop(key, None))
        response = await asyncio.shield(task)
        if response is not None and (seconds := _lifetime(response)) > 0:
            self._cache[key] = (now, now + seconds, response.to_wire())
            if len(self._cache) > _CACHED:
                self._cache.popitem(last=False)
        return response

    def is_our_probe(self, name: dns.name.Name) -> bool:
        """Whether a question is one that this resolver sent out: the server it was sent to sends back to us."""
        server = self._probes.get(name.canonicalize())
        if server is None:
            return False
        if server not in self._looping:
            log.error("resolver %s sends our questions back to us and is not used", server[0])
            self._looping.add(server)
        return True

    async def run(self) -> None:
        """Keep looking whether the host's resolvers lead back here."""
        probed: tuple[Server, ...] = ()
        while True:
            servers = self._host_servers()
            if servers != probed:
                self._looping.clear()
                await asyncio.gather(*(self._probe(server) for server in servers))
                probed = servers
            await self._clock.sleep(_SHUN_SECONDS)

    async def _probe(self, server: Server) -> None:
        name = dns.name.from_text(secrets.token_hex(8), PROBE)
        self._probes[name.canonicalize()] = server
        try:
            await self._query(dns.message.make_query(name, dns.rdatatype.HINFO), server)
        except (OSError, dns.exception.DNSException):
            log.debug("resolver %s does not answer", server[0])
        finally:
            del self._probes[name.canonicalize()]

    def _host_servers(self) -> tuple[Server, ...]:
        if self._servers is not None:
            return self._servers
        try:
            found = self._path.stat()
            if (found.st_mtime_ns, found.st_ino) != self._read:
                self._read = (found.st_mtime_ns, found.st_ino)
                self._hosts = tuple(self._parse(self._path.read_text(errors="replace")))
        except OSError:
            self._read, self._hosts = (0, 0), ()
        return self._hosts

    def _parse(self, text: str) -> list[Server]:
        words = [line.split() for line in text.splitlines()]
        found: list[Server] = []
        for word in words:
            if len(word) > 1 and word[0] == "nameserver":
                try:
                    found.append(Server.parse(word[1]))
                except ValueError as error:
                    log.warning("%s: %s", self._path, error)
        return [server for server in found if server != self._own]

    def _servers_for(self, name: dns.name.Name) -> tuple[Server, ...]:
        for domain in sorted(self._stubs, key=len, reverse=True):
            if name.canonicalize().is_subdomain(domain):
                return self._stubs[domain]
        servers = tuple(server for server in self._host_servers() if server not in self._looping)
        now = self._clock.monotonic()
        # A resolver that failed a moment ago comes last, not never: it may be the only one.
        return tuple(sorted(servers, key=lambda server: self._shunned.get(server, 0.0) > now))

    async def _resolve(
        self, name: dns.name.Name, kind: dns.rdatatype.RdataType
    ) -> dns.message.Message | None:
        failed: dns.message.Message | None = None
        for server in self._servers_for(name):
            query = dns.message.make_query(name, kind, use_edns=0, payload=_PAYLOAD)
            try:
                response = await self._query(query, server)
            except (OSError, dns.exception.DNSException) as error:
                log.debug("resolver %s: %s", server[0], error)
                self._shunned[server] = self._clock.monotonic() + _SHUN_SECONDS
                continue
            if response.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
                return response
            failed = response
        return failed

    async def _query(self, query: dns.message.Message, server: Server) -> dns.message.Message:
        response, _ = await dns.asyncquery.udp_with_fallback(
            query, server[0], timeout=_QUERY_SECONDS, port=server[1]
        )
        return response


def _lifetime(response: dns.message.Message) -> float:
    """Seconds that a response may be kept; failures are not kept."""
    if response.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        return 0.0
    times = [rrset.ttl for rrset in (*response.answer, *response.authority)]
    if not response.answer:
        # RFC 2308 5: how long there is none.
        for rrset in response.authority:
            records: list[object] = list(rrset)
            times += [each.minimum for each in records if isinstance(each, dns.rdtypes.ANY.SOA.SOA)]
    return min([*times, _LONGEST_SECONDS]) if times else _NO_NAME_SECONDS


def _aged(wire: bytes, seconds: int) -> dns.message.Message:
    response = dns.message.from_wire(wire)
    for section in response.sections[1:]:
        for rrset in section:
            rrset.ttl = max(0, rrset.ttl - seconds)
    return response
