"""Who a request comes from: known by the connection and its headers, noted on the request."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from aiohttp import web
from aiohttp.typedefs import Middleware

from ktui.engine.api.authn.certificates import CertificateError, ClientCertificates, Named
from ktui.engine.api.authn.identity import (
    ADMIN,
    ANONYMOUS,
    TokenAuthenticator,
    unauthorized,
    user_of_token,
)
from ktui.engine.api.authn.impersonation import impersonated
from ktui.engine.api.request import Authorizer, User
from ktui.kube.clock import Clock

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, if that is known, and as whom."""

    user: User | None = None
    acting_as: User | None = None


_USER = web.RequestKey("user", User)
_CALLER = web.RequestKey("caller", Caller)
_NOBODY = Caller()


class Connections:
    """Who calls on which connection, found out once: what its certificate says, or that it is the owner's."""

    def __init__(self, certificates: ClientCertificates, clock: Clock) -> None:
        self._certificates = certificates
        self._clock = clock
        self._known: WeakKeyDictionary[asyncio.Transport, User | Named | CertificateError | None] = (
            WeakKeyDictionary()
        )

    def user(self, request: web.Request) -> User | None:
        """The user of a request's connection, None if it does not say. Raises CertificateError."""
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the client has gone")
        try:
            found = self._known[transport]
        except KeyError:
            found = self._known[transport] = self._found(transport)
        if isinstance(found, Named):
            found.check(self._clock.now())
            return found.user
        if isinstance(found, CertificateError):
            raise found
        return found

    def _found(self, transport: asyncio.Transport) -> User | Named | CertificateError | None:
        listener: socket.socket | None = transport.get_extra_info("socket")
        if listener is not None and listener.family == socket.AF_UNIX:
            return ADMIN
        tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
        der = tls.getpeercert(binary_form=True) if tls is not None else None
        if not der:
            return None
        try:
            return self._certificates.named(der)
        except CertificateError as error:
            log.info("a client at %s is not let in: %s", transport.get_extra_info("peername"), error)
            return error


def authentication(
    connections: Connections,
    token_authenticators: Sequence[TokenAuthenticator],
    authorizer: Callable[[], Authorizer],
) -> Middleware:
    """The middleware that finds out who calls, and as whom; an unknown token or a certificate that is not ours
    ends the request with 401."""

    @web.middleware
    async def authenticate(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        user = await _identify(request, connections, token_authenticators)
        request[_CALLER] = Caller(user)
        acting = await impersonated(user, request.headers.items(), authorizer())
        if acting is not user:
            request[_CALLER] = Caller(user, acting)
        request[_USER] = acting
        return await handler(request)

    return authenticate


def user_of(request: web.Request) -> User:
    """The caller, or whom it acts as."""
    return request[_USER]


def caller_of(request: web.Request) -> Caller:
    """Who really calls."""
    return request.get(_CALLER, _NOBODY)


async def _identify(
    request: web.Request, connections: Connections, tokens: Sequence[TokenAuthenticator]
) -> User:
    """Certificate, then token; who shows a certificate that is not good needs a token that is."""
    refused = False
    try:
        user = connections.user(request)
    except CertificateError:
        user, refused = None, True
    if user is None and (header := request.headers.get("Authorization")):
        user = await user_of_token(header, tokens)
    if user is None and refused:
        raise unauthorized()
    return user or ANONYMOUS
