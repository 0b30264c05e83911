"""What a name resolves to inside the cluster: `nslookup` in a container, or the cluster's DNS asked from here.

In: a client, a pod and container, a name. Out: a `Lookup` with the answer as text and who gave it. An image without
`nslookup` has the question put to the Service `kube-dns` with the pod's search domains: through the API to one of
its pods, or, where the nodes answer themselves, at its address.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from ktui.client.base import Client, ExecOptions, ListOptions, PortStream
from ktui.client.forward_ports import PortError, container_port
from ktui.client.podsof import likely
from ktui.client.port_forward import is_ready, selector_of
from ktui.kube.errors import StatusError
from ktui.kube.kinds import PODS, SERVICES
from ktui.kube.resource import Object
from ktui.kube.service import cluster_ips

if TYPE_CHECKING:
    import dns.message

    Ask: TypeAlias = Callable[[dns.message.QueryMessage], Awaitable[dns.message.Message]]

_SECONDS: Final = 10.0
_QUERY_SECONDS: Final = 3.0
_CANNOT_RUN: Final = (126, 127)
_NDOTS: Final = 5
DOMAIN: Final = "cluster.local"


@dataclass(frozen=True, slots=True)
class Lookup:
    """An answer."""

    found: bool
    asked: str
    """Who was asked, and from where."""
    text: str


async def look_up(client: Client, name: str, namespace: str, pod: str = "", container: str = "") -> Lookup:
    """Resolve a name as a pod does; without a pod, as one in the namespace would. Raises StatusError or OSError."""
    why = "there is no pod to ask from"
    if pod:
        answer = await _nslookup(client, name, namespace, pod, container)
        # Some nslookups (busybox's) leave the search domains out for a name with a dot in it.
        for candidate in candidates(name, namespace) if answer and not answer.found else ():
            again = await _nslookup(client, candidate, namespace, pod, container)
            if again and again.found:
                return again
        if answer is not None:
            return answer
        why = f"the image of {pod} has no nslookup"
    return await _ask_cluster(client, name, namespace, why)


async def _nslookup(client: Client, name: str, namespace: str, pod: str, container: str) -> Lookup | None:
    """None where the container has no such command."""
    options = ExecOptions(container=container, command=("nslookup", name))
    try:
        async with asyncio.timeout(_SECONDS):
            session = await client.exec(pod, namespace, options=options)
            try:
                output = b"".join([data async for _, data in session])
                code = await session.wait()
            finally:
                await session.close()
    except StatusError as error:
        if "not found" in error.message and "nslookup" in error.message:
            return None
        raise
    except TimeoutError:
        return Lookup(False, f"nslookup {name} in pod {pod}", f"no answer in {_SECONDS:.0f} seconds")
    if code in _CANNOT_RUN:
        return None
    text = output.decode(errors="replace").replace("\t", " ").strip()
    return Lookup(code == 0, f"nslookup {name} in pod {pod}", text or f"nslookup ended with exit code {code}")


async def _ask_cluster(client: Client, name: str, namespace: str, why: str) -> Lookup:
    try:
        service = await client.get(SERVICES, "kube-dns", "kube-system")
    except StatusError as error:
        raise OSError(f"{why}, and the cluster has no DNS to ask: {error.message}") from error
    addresses = cluster_ips(service)
    if selector := selector_of(service):
        pods = (await client.list(PODS, "kube-system", options=ListOptions(label_selector=selector))).items
        ready = sorted((pod for pod in pods if is_ready(pod)), key=likely)
        if not ready:
            raise OSError(f"{why}, and no pod of kube-dns is ready")
        asked = f"kube-dns through pod {ready[0]['metadata']['name']} ({why})"
        ask = _through(client, ready[0], _dns_port(service, ready[0]))
    else:
        asked = f"kube-dns at {addresses[0]} ({why})"
        ask = _directly(addresses[0])
    try:
        return await resolve(name, namespace, ask, asked)
    except TimeoutError:
        raise OSError(f"{why}, and {asked.partition(' (')[0]} does not answer from this machine") from None


def _dns_port(service: Object, pod: Object) -> int:
    try:
        return container_port(service, pod, "53")
    except PortError:
        return 53  # It only serves UDP by that number; pods that answer DNS do so by TCP too.


def _directly(address: str) -> Ask:
    async def ask(query: dns.message.QueryMessage) -> dns.message.Message:
        import dns.asyncquery
        import dns.exception

        try:
            return (await dns.asyncquery.udp_with_fallback(query, address, timeout=_QUERY_SECONDS))[0]
        except dns.exception.Timeout:
            raise TimeoutError from None

    return ask


def _through(client: Client, pod: Object, port: int) -> Ask:
    async def ask(query: dns.message.QueryMessage) -> dns.message.Message:
        import dns.message

        wire = query.to_wire()
        metadata: Object = pod["metadata"]
        stream = await client.port_forward(metadata["name"], metadata["namespace"], port)
        try:
            async with asyncio.timeout(_QUERY_SECONDS):
                await stream.write(struct.pack("!H", len(wire)) + wire)
                return dns.message.from_wire(await _whole_answer(stream))
        finally:
            await stream.close()

    return ask


async def _whole_answer(stream: PortStream) -> bytes:
    received = b""
    while len(received) < 2 or len(received) < 2 + int.from_bytes(received[:2]):
        if not (data := await stream.read()):
            raise ConnectionError("the DNS server hung up")
        received += data
    return received[2 : 2 + int.from_bytes(received[:2])]


def candidates(name: str, namespace: str) -> Sequence[str]:
    """The names a pod's resolver tries, in its order: the search domains first for a name with few dots."""
    if name.endswith("."):
        return [name]
    searched = [f"{name}.{end}." for end in (f"{namespace}.svc.{DOMAIN}", f"svc.{DOMAIN}", DOMAIN)]
    return [*searched, f"{name}."] if name.count(".") < _NDOTS else [f"{name}.", *searched]


async def resolve(name: str, namespace: str, ask: Ask, asked: str) -> Lookup:
    """The addresses of the first of the candidates that has any. `ask` puts one question."""
    import dns.exception
    import dns.message
    import dns.rcode

    codes: list[str] = []
    try:
        for candidate in candidates(name, namespace):
            found: list[str] = []
            for kind in ("A", "AAAA"):
                answer = await ask(dns.message.make_query(candidate, kind))
                found += [line for rrset in answer.answer for line in rrset.to_text().splitlines()]
                codes.append(dns.rcode.to_text(answer.rcode()))
            if found:
                return Lookup(True, asked, "\n".join(dict.fromkeys(found)))
    except dns.exception.DNSException as error:
        raise OSError(f"{name!r} can't be asked for: {error}") from error
    tried = "\n".join(f"  {candidate}" for candidate in candidates(name, namespace))
    reason = "the name exists, but has no address" if "NOERROR" in codes else codes[-1]
    return Lookup(False, asked, f"no address for {name}: {reason}; tried\n{tried}")
