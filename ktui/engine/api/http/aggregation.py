"""Requests for group versions that are served elsewhere: permitted here, then handed on with the user's name.

Discovery and OpenAPI of all servers are this server's to tell; below a remote's version everything is the remote's.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Final

from aiohttp import web

from ktui.engine.api.aggregation.aggregator import Aggregator
from ktui.engine.api.aggregation.reaching import identity
from ktui.engine.api.aggregation.remotes import Remote
from ktui.engine.api.http import queries
from ktui.engine.api.http.answers import method_not_allowed
from ktui.engine.api.http.identity import user_of
from ktui.engine.api.http.proxy import forward, unreachable, upgrade_of
from ktui.engine.api.http.traffic import passage_of
from ktui.engine.api.http.upstream import Exchange, Head
from ktui.engine.api.request import Access, Authorizer, User
from ktui.kube.address import dial_failure
from ktui.kube.errors import StatusError, internal, status, unavailable
from ktui.kube.resource import Resource

_SECONDS: Final = 30.0
_OF_OBJECTS: Final = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_OF_COLLECTIONS: Final = {"GET": "list", "POST": "create", "DELETE": "deletecollection"}


class AggregationHandlers:
    """Hands requests on to remote API servers."""

    def __init__(self, aggregator: Aggregator, authorizer: Authorizer) -> None:
        self._aggregator = aggregator
        self._authorizer = authorizer

    def remote(self, path: str) -> Remote | None:
        """The remote that a path is for."""
        return self._aggregator.api_services.at(path)

    async def handle(self, request: web.Request, remote: Remote) -> web.StreamResponse:
        """Answer a request for a remote."""
        user = user_of(request)
        await self._permit(request, user)
        return await self.hand_on(request, remote)

    async def hand_on(self, request: web.Request, remote: Remote) -> web.StreamResponse:
        """Let a remote answer a request that is permitted."""
        if not remote.is_available:
            raise unavailable("service unavailable")
        exchange = await self._connected(remote)
        path, upgrade = request.rel_url.raw_path, upgrade_of(request)
        added = identity(user_of(request))
        return await forward(
            request,
            _Straight(exchange),
            path,
            added,
            upgrade=upgrade,
            name=remote.server_name,
        )

    async def _connected(self, remote: Remote) -> Exchange:
        try:
            async with asyncio.timeout(_SECONDS):
                return await self._aggregator.reaching.connect(remote)
        except StatusError as error:
            raise unavailable("service unavailable") from error
        except ValueError as error:
            raise internal(str(error)) from error
        except ssl.SSLError as error:
            raise unreachable(f"tls: {error.reason or error}") from error
        except OSError as error:
            raise unreachable(dial_failure(f"{remote.server_name}:{remote.port}", error)) from error

    async def _permit(self, request: web.Request, user: User) -> None:
        """Raise 403 unless the user may do that, as for any resource."""
        target = passage_of(request).target
        if target is None:
            await self._authorizer.authorize_path(user, request.method.lower(), request.path)
            return
        verbs = _OF_OBJECTS if target.name else _OF_COLLECTIONS
        verb = verbs.get(request.method)
        if verb is None:
            raise method_not_allowed()
        if verb == "list" and queries.flag(request.query, "watch"):
            verb = "watch"
        resource = Resource(target.group, target.version, target.plural, "", bool(target.namespace))
        selector = "" if target.name else request.query.get("fieldSelector", "")
        access = Access(user, verb, resource, target.namespace, target.name, target.subresource, selector)
        await self._authorizer.authorize(access)


class _Straight(Exchange):
    """An exchange that leads nowhere else: a server must not send clients away with what they are here."""

    def __init__(self, exchange: Exchange) -> None:
        super().__init__(exchange.reader, exchange.writer)

    async def head(self) -> Head:
        head = await super().head()
        if 300 <= head.status < 400 and head.get("location"):
            raise StatusError(
                status(502, "", "the backend attempted to redirect this request, which is not permitted")
            )
        return head
