"""A small HTTP/1.1 GET over any connection, as probes and lifecycle hooks need it.

It goes over the connection it is handed (a pod may only be reachable through the runtime), skips certificate
checks as the kubelet does for HTTPS, reads at most `MAX_BODY` of the answer, and reports failures in the words of
Go's HTTP client, which people know from `kubectl describe`.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

from ktui.engine.kubelet.probes.base import Connect
from ktui.kube.address import dial_failure, join_host_port

MAX_BODY = 10 * 1024
MAX_REDIRECTS = 10
_MAX_HEADER_LINES = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPRequest:
    """What to get. `host` "" is the pod itself, whose address `shown_host` is."""

    host: str
    shown_host: str
    port: int
    path: str = "/"
    scheme: str = "http"
    headers: Sequence[tuple[str, str]] = ()

    @property
    def url(self) -> str:
        path = self.path if self.path.startswith("/") else f"/{self.path}"
        return f"{self.scheme}://{join_host_port(self.shown_host, self.port)}{path}"


@dataclass(frozen=True, slots=True)
class HTTPAnswer:
    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict[str, str])


class HTTPGetError(Exception):
    """No answer came; the message is Go's: `Get "http://…": dial tcp …: connect: connection refused`."""


async def http_get(connect: Connect, request: HTTPRequest, timeout: float) -> HTTPAnswer:
    """GET, following redirects that stay on the same host; one to elsewhere is the answer itself."""
    url = request.url
    try:
        async with asyncio.timeout(timeout):
            answer = await _once(connect, request)
            for _ in range(MAX_REDIRECTS):
                location = answer.headers.get("location")
                if not 300 <= answer.status < 400 or location is None:
                    return answer
                following = _redirected(request, location)
                if following is None:
                    return answer
                request = following
                answer = await _once(connect, request)
    except TimeoutError as error:
        raise HTTPGetError(
            f'Get "{url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
        ) from error
    except ssl.SSLError as error:
        raise HTTPGetError(f'Get "{url}": tls: {error.reason or error}') from error
    except (asyncio.IncompleteReadError, ConnectionResetError, BrokenPipeError) as error:
        what = "read: connection reset by peer" if isinstance(error, ConnectionResetError) else "EOF"
        raise HTTPGetError(f'Get "{url}": {what}') from error
    except OSError as error:
        address = join_host_port(request.shown_host, request.port)
        raise HTTPGetError(f'Get "{url}": {dial_failure(address, error)}') from error
    except ValueError as error:
        raise HTTPGetError(f'Get "{url}": net/http: HTTP/1.x transport connection broken: {error}') from error
    raise HTTPGetError(f'Get "{url}": stopped after {MAX_REDIRECTS} redirects')


def _redirected(request: HTTPRequest, location: str) -> HTTPRequest | None:
    target = urlsplit(urljoin(request.url, location))
    if target.hostname not in (request.shown_host, None):
        return None
    port = target.port or (443 if target.scheme == "https" else 80)
    path = target.path + (f"?{target.query}" if target.query else "")
    return HTTPRequest(
        host=request.host,
        shown_host=request.shown_host,
        port=port,
        path=path or "/",
        scheme=target.scheme or "http",
        headers=request.headers,
    )


async def _once(connect: Connect, request: HTTPRequest) -> HTTPAnswer:
    reader, writer = await connect(request.host, request.port)
    try:
        if request.scheme.lower() == "https":
            await writer.start_tls(_tls_context(), server_hostname=request.shown_host)
        writer.write(_encoded(request))
        await writer.drain()
        return await _answer(reader)
    finally:
        writer.close()


def _tls_context() -> ssl.SSLContext:
    """Probes don't verify certificates: they ask whether the server lives."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _encoded(request: HTTPRequest) -> bytes:
    path = request.path if request.path.startswith("/") else f"/{request.path}"
    given = {name.lower() for name, _ in request.headers}
    default_port = 443 if request.scheme.lower() == "https" else 80
    host = join_host_port(request.shown_host, request.port)
    lines = [f"GET {path} HTTP/1.1"]
    defaults = {
        "Host": request.shown_host if request.port == default_port else host,
        "User-Agent": "kube-probe/1.37",
        "Accept": "*/*",
    }
    lines.extend(f"{name}: {value}" for name, value in defaults.items() if name.lower() not in given)
    lines.extend(f"{name}: {value}" for name, value in request.headers if value or name.lower() != "accept")
    lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")


async def _answer(reader: asyncio.StreamReader) -> HTTPAnswer:
    while True:
        status_line = await reader.readline()
        if not status_line:
            raise asyncio.IncompleteReadError(b"", 1)
        version, _, rest = status_line.decode("latin-1").strip().partition(" ")
        if not version.startswith("HTTP/"):
            shown = status_line.decode("latin-1").strip()
            raise ValueError(f'malformed HTTP response "{shown[:100]}"')
        status = int(rest[:3])
        headers: dict[str, str] = {}
        for _ in range(_MAX_HEADER_LINES):
            line = (await reader.readline()).decode("latin-1").rstrip("\r\n")
            if not line:
                break
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        if status >= 200:
            return HTTPAnswer(status, await _body(reader, headers), headers)


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = b""
        while len(body) < MAX_BODY:
            size = int((await reader.readline()).split(b";")[0].strip() or b"0", 16)
            if size == 0:
                return body
            body += await reader.readexactly(min(size, MAX_BODY))
            if size > MAX_BODY:
                return body[:MAX_BODY]
            await reader.readline()
        return body[:MAX_BODY]
    length = headers.get("content-length", "")
    wanted = min(int(length), MAX_BODY) if length.isdigit() else MAX_BODY
    body = b""
    while len(body) < wanted and (chunk := await reader.read(wanted - len(body))):
        body += chunk
    return body
