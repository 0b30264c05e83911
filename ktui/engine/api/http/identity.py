"""Who a request comes from: known by the connection and its headers, noted on the request."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from aiohttp import web
from aiohttp.typedefs import Middleware

from ktui.engine.api.authn.identity import (
    ADMIN,
    ANONYMOUS,
    TokenAuthenticator,
    user_of_certificate,
    user_of_token,
)
from ktui.engine.api.authn.impersonation import impersonated
from ktui.engine.api.request import Authorizer, User


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, if that is known, and as whom."""

    user: User | None = None
    acting_as: User | None = None


_USER = web.RequestKey("user", User)
_CALLER = web.RequestKey("caller", Caller)
_NOBODY = Caller()


def authentication(
    token_authenticators: Sequence[TokenAuthenticator], authorizer: Callable[[], Authorizer]
) -> Middleware:
    """The middleware that finds out who calls, and as whom; an unknown token ends the request with 401."""

    @web.middleware
    async def authenticate(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        user = await _identify(request, token_authenticators)
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


async def _identify(request: web.Request, tokens: Sequence[TokenAuthenticator]) -> User:
    transport = request.transport
    if transport is None:
        raise ConnectionResetError("the client has gone")
    listener: socket.socket | None = transport.get_extra_info("socket")
    if listener is not None and listener.family == socket.AF_UNIX:
        return ADMIN
    certificate = cast("Mapping[str, Any] | None", transport.get_extra_info("peercert"))
    user = user_of_certificate(certificate) if certificate else None
    if user is None and (header := request.headers.get("Authorization")):
        user = await user_of_token(header, tokens)
    return user or ANONYMOUS
