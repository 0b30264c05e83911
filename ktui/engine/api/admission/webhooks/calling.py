"""Calls webhooks: one POST over HTTPS, whose server is verified, with bounds on time and size.

Only `https` is spoken, redirects are not followed (a webhook must not send the server elsewhere), proxies of the
environment don't count, and an answer above 3 MB is refused. Connections are kept for the next call.
"""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64decode
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import urlsplit, urlunsplit

import msgspec

from ktui.engine.api.admission.webhooks.services import NoServices, ServiceError, Services
from ktui.kube.data import section, string
from ktui.kube.resource import Object

if TYPE_CHECKING:
    from aiohttp import BaseConnector, ClientSession

    from ktui.engine.api.admission.webhooks.connecting import ServiceConnector

LARGEST_ANSWER: Final = 3 * 1024 * 1024
_MOST_CONNECTIONS: Final = 64
_MOST_CONTEXTS: Final = 256
_HEADERS: Final = {
    "Content-Type": "application/json",
    "Accept": "application/json",
    "User-Agent": "kube-apiserver-admission",
}
_decode = msgspec.json.Decoder(dict[str, object]).decode


class CallError(Exception):
    """A webhook that could not be asked."""


class Callee(Protocol):
    """A webhook: one of admission, or one that converts."""

    @property
    def client_config(self) -> Object:
        """Its URL or Service, and the authorities its server is verified with."""
        ...

    @property
    def seconds(self) -> int:
        """How long it may take."""
        ...


class WebhookCaller:
    """Calls webhooks, by URL or through Services."""

    def __init__(self, services: Services | None = None) -> None:
        self.services = services or NoServices()
        self._outside: ClientSession | None = None
        self._inside: ClientSession | None = None
        self._connector: ServiceConnector | None = None
        self._contexts: dict[str, ssl.SSLContext] = {}

    async def call(self, hook: Callee, review: Object) -> Object:
        """The webhook's answer, a review as the question was; raises CallError."""
        url = _url(hook)
        try:
            async with asyncio.timeout(hook.seconds):
                return await self._post(url, hook, msgspec.json.encode(review))
        except TimeoutError:
            raise CallError(f'Post "{url}": context deadline exceeded') from None

    async def _post(self, url: str, hook: Callee, body: bytes) -> Object:
        import aiohttp

        session = self._to_services() if hook.client_config.get("service") else self._to_urls()
        try:
            context = await self._context(string(hook.client_config, "caBundle"))
            async with session.post(
                url, data=body, headers=_HEADERS, ssl=context, allow_redirects=False
            ) as response:
                content = bytearray()
                async for chunk in response.content.iter_any():
                    content += chunk
                    if len(content) > LARGEST_ANSWER:
                        raise CallError(
                            f'Post "{url}": http: the answer is larger than {LARGEST_ANSWER} bytes'
                        )
                if response.status != 200:
                    raise CallError(_refused(response.status, bytes(content)))
        except (ServiceError, aiohttp.ClientError, ssl.SSLError, OSError, ValueError) as error:
            raise CallError(f'Post "{url}": {_worded(error)}') from error
        try:
            return _decode(content)
        except msgspec.DecodeError as error:
            raise CallError(f"the answer is not JSON: {error}") from error

    def _to_urls(self) -> ClientSession:
        import aiohttp

        if self._outside is None:
            self._outside = _session(aiohttp.TCPConnector(limit=_MOST_CONNECTIONS))
        return self._outside

    def _to_services(self) -> ClientSession:
        from ktui.engine.api.admission.webhooks.connecting import ServiceConnector

        if self._inside is None:
            self._connector = ServiceConnector(lambda: self.services, _MOST_CONNECTIONS)
            self._inside = _session(self._connector)
        return self._inside

    async def _context(self, bundle: str) -> ssl.SSLContext:
        """What servers are verified with: the given authorities, or those of the system. Reading them blocks."""
        context = self._contexts.get(bundle)
        if context is None:
            context = await asyncio.to_thread(_trusting, bundle)
            if len(self._contexts) >= _MOST_CONTEXTS:
                self._contexts.clear()
            self._contexts[bundle] = context
        return context

    async def close(self) -> None:
        """Close all connections."""
        sessions = (self._outside, self._inside)
        self._outside = self._inside = None
        for session in sessions:
            if session is not None:
                await session.close()
        if self._connector is not None:
            await self._connector.end()


def _session(connector: BaseConnector) -> ClientSession:
    import aiohttp

    return aiohttp.ClientSession(
        connector=connector, timeout=aiohttp.ClientTimeout(total=None), cookie_jar=aiohttp.DummyCookieJar()
    )


def _trusting(bundle: str) -> ssl.SSLContext:
    if not bundle:
        return ssl.create_default_context()
    try:
        return ssl.create_default_context(cadata=b64decode(bundle).decode())
    except (ssl.SSLError, ValueError) as error:
        raise ValueError("unable to load root certificates: unable to parse bytes as PEM block") from error


def _url(hook: Callee) -> str:
    """The webhook's address with its timeout, which tells the webhook how long it has."""
    config = hook.client_config
    service = section(config, "service")
    if service:
        port = int(service.get("port") or 443)
        host = f"{string(service, 'name')}.{string(service, 'namespace')}.svc:{port}"
        path = "/" + string(service, "path").removeprefix("/")
        return f"https://{host}{path}?timeout={hook.seconds}s"
    parts = urlsplit(string(config, "url"))
    return urlunsplit(("https", parts.netloc, parts.path, f"timeout={hook.seconds}s", ""))


def _refused(status: int, content: bytes) -> str:
    """A status other than 200 in the words of Kubernetes' client."""
    if status == 404:
        return "the server could not find the requested resource"
    if status >= 500:
        said = content[:2048].decode(errors="replace").strip() or "unknown"
        return f'an error on the server ("{said}") has prevented the request from succeeding'
    return f"the server responded with the status code {status} but did not return more information"


def _worded(error: Exception) -> str:
    """Why a connection failed, as Go says it."""
    import aiohttp

    match error:
        case aiohttp.ClientConnectorCertificateError():
            cause = error.certificate_error
            why = cause.verify_message if isinstance(cause, ssl.SSLCertVerificationError) else cause
            return f"tls: failed to verify certificate: x509: {why}"
        case aiohttp.ClientConnectorDNSError():
            return f"dial tcp: lookup {error.host}: no such host"
        case aiohttp.ClientConnectorSSLError():
            return f"tls: {error}"
        case aiohttp.ClientConnectorError():
            cause = error.os_error
            if isinstance(cause, ConnectionRefusedError):
                return f"dial tcp {error.host}:{error.port}: connect: connection refused"
            return f"dial tcp {error.host}:{error.port}: {cause.strerror or cause}"
        case aiohttp.ServerDisconnectedError():
            return "EOF"
        case _:
            return str(error) or type(error).__name__
