"""What the server says of itself: its health, its version, and discovery of what it serves."""

from __future__ import annotations

import platform
import sys

from aiohttp import web

from ktui.engine.api.http import discovery
from ktui.engine.api.http.answers import document, not_found
from ktui.engine.api.http.identity import user_of
from ktui.engine.api.http.negotiation import JSON, wants_discovery
from ktui.engine.api.server import ApiServer
from ktui.kube import version
from ktui.kube.resource import Object

_AGGREGATED = f"{JSON};g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_CHECKS = ("ping", "store")


class AboutHandlers:
    """The paths that are no resource's."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server

    def routes(self) -> list[web.RouteDef]:
        """Where they are."""
        health = [
            web.get(f"/{name}{tail}", self._health)
            for name in ("healthz", "livez", "readyz")
            for tail in ("", "/{check}")
        ]
        return [
            *health,
            web.get("/", self._paths),
            *(
                web.get(path + tail, handler)
                for path, handler in (
                    ("/version", self._version),
                    ("/api", self._core_versions),
                    ("/apis", self._group_list),
                    ("/api/{version}", self._resource_list),
                    ("/apis/{group}", self._group),
                    ("/apis/{group}/{version}", self._resource_list),
                )
                for tail in ("", "/")  # generated clients end them with a slash
            ),
        ]

    async def _permit(self, request: web.Request) -> None:
        await self._server.authorizer.authorize_path(user_of(request), "get", request.path)

    async def _paths(self, request: web.Request) -> web.Response:
        await self._permit(request)
        groups: dict[str, None] = {}
        for resource in self._server.aggregator.resources():
            if resource.group:
                groups[f"/apis/{resource.group}"] = groups[f"/apis/{resource.group}/{resource.version}"] = (
                    None
                )
        fixed = ("/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/version")
        return document({"paths": ["/api", "/api/v1", "/apis", *sorted(groups), *fixed]})

    async def _health(self, request: web.Request) -> web.Response:
        await self._permit(request)
        check = request.match_info.get("check")
        if check is not None and check not in _CHECKS:
            raise not_found()
        if check is None and "verbose" in request.query:
            name = request.path.strip("/")
            lines = [*(f"[+]{each} ok" for each in _CHECKS), f"{name} check passed"]
            return web.Response(text="\n".join(lines) + "\n")
        return web.Response(text="ok")

    async def _version(self, request: web.Request) -> web.Response:
        await self._permit(request)
        return document(
            {
                "major": version.MAJOR,
                "minor": version.MINOR,
                "gitVersion": version.GIT_VERSION,
                "gitCommit": "",
                "gitTreeState": "",
                "buildDate": "",
                "goVersion": "",
                "compiler": "CPython",
                "platform": f"{sys.platform}/{platform.machine()}",
            }
        )

    async def _core_versions(self, request: web.Request) -> web.Response:
        await self._permit(request)
        if _wants_aggregated(request):
            return self._aggregated(core=True)
        return document(discovery.versions())

    async def _group_list(self, request: web.Request) -> web.Response:
        await self._permit(request)
        if _wants_aggregated(request):
            return self._aggregated(core=False)
        return document(discovery.group_list(self._server.aggregator.resources()))

    def _aggregated(self, *, core: bool) -> web.Response:
        aggregator = self._server.aggregator
        resources, stale = aggregator.resources(stale=True), aggregator.stale()
        return document(discovery.aggregated(resources, core=core, stale=stale), _AGGREGATED)

    async def _group(self, request: web.Request) -> web.Response:
        await self._permit(request)
        resources = self._server.aggregator.resources()
        return document(_found(discovery.group(resources, request.match_info["group"])))

    async def _resource_list(self, request: web.Request) -> web.Response:
        await self._permit(request)
        group, served = request.match_info.get("group", ""), request.match_info["version"]
        resources = self._server.aggregator.resources()
        return document(_found(discovery.resource_list(resources, group, served)))


def _wants_aggregated(request: web.Request) -> bool:
    return wants_discovery(request.headers.get("Accept", ""))


def _found(content: Object | None) -> Object:
    if content is None:
        raise not_found()
    return content
