"""Tells clients which flow their request belongs to: UIDs of the flow schema and the priority level, as headers.

ktui shares its time between users by itself (`limits`); the schemas say what requests are, not how many may run.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from ktui.engine.api.authn.identity import ANONYMOUS
from ktui.engine.api.flow_matching import Asked, FlowMatcher
from ktui.engine.api.http.identity import caller_of
from ktui.engine.api.http.traffic import passage_of

SCHEMA: Final = "X-Kubernetes-PF-FlowSchema-UID"
LEVEL: Final = "X-Kubernetes-PF-PriorityLevel-UID"
_ONE: Final = {
    "GET": "get",
    "HEAD": "get",
    "POST": "create",
    "PUT": "update",
    "PATCH": "patch",
    "DELETE": "delete",
}
_MANY: Final = {**_ONE, "GET": "list", "HEAD": "list", "DELETE": "deletecollection"}


class FlowHeaders:
    """The middleware of one front; answers that have begun already (watches, streams) go as they are."""

    def __init__(self, matcher: FlowMatcher) -> None:
        self._matcher = matcher

    @web.middleware
    async def mark(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        response = await handler(request)
        if not response.prepared:
            found = self._matcher.of(caller_of(request).user or ANONYMOUS, asked_of(request))
            if found is not None:
                response.headers[SCHEMA], response.headers[LEVEL] = found
        return response


def asked_of(request: web.Request) -> Asked:
    """What a request is about, as flow schemas put it."""
    passage = passage_of(request)
    target = passage.target
    if target is None:
        return Asked(request.method.lower(), path=request.path)
    verbs = _ONE if target.name else _MANY
    verb = "watch" if passage.length == "watch" else verbs.get(request.method, request.method.lower())
    resource = f"{target.plural}/{target.subresource}" if target.subresource else target.plural
    namespace = target.namespace
    if target.plural == "namespaces" and not target.group:
        namespace = target.name
    return Asked(verb, target.group, resource, namespace)
