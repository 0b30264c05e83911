"""`/openapi/v3` and `/openapi/v2`: the documents, built off the loop, with hashes that let clients keep them."""

from __future__ import annotations

import asyncio
import gzip

from aiohttp import web

from ktui.engine.api.http.aggregation import AggregationHandlers
from ktui.engine.api.http.answers import not_found
from ktui.engine.api.http.identity import user_of
from ktui.engine.api.http.negotiation import JSON, wanted
from ktui.engine.api.openapi.documents import Document, Documents
from ktui.engine.api.openapi.version_2_protobuf import MEDIA_TYPES
from ktui.engine.api.server import ApiServer

_FOREVER = "public, max-age=31536000, immutable"


class OpenApiHandlers:
    """Serves the documents of one server."""

    def __init__(self, server: ApiServer, aggregation: AggregationHandlers) -> None:
        self._server = server
        self._aggregation = aggregation
        self._documents = Documents(())
        self._building = asyncio.Lock()

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/openapi/v2", self._version_2),
            web.get("/openapi/v3", self._index),
            web.get("/openapi/v3/{place:.+}", self._group),
        ]

    async def _permitted(self, request: web.Request) -> Documents:
        await self._server.authorizer.authorize_path(user_of(request), "get", request.path)
        aggregator = self._server.aggregator
        remotes = {
            remote.path.strip("/"): (found.version_2, found.hash_3)
            for remote, found in aggregator.described()
        }
        elsewhere = aggregator.api_services.remotes
        declarations = [
            each
            for each in self._server.registry
            if not elsewhere or (each.resource.group, each.resource.version) not in elsewhere
        ]
        if not self._documents.is_for(declarations, remotes):
            self._documents = Documents(declarations, remotes)
        return self._documents

    async def _index(self, request: web.Request) -> web.Response:
        documents = await self._permitted(request)
        async with self._building:
            index = await asyncio.to_thread(documents.index)
        return web.Response(body=index, content_type=JSON)

    async def _group(self, request: web.Request) -> web.StreamResponse:
        documents = await self._permitted(request)
        remote = self._aggregation.remote("/" + request.match_info["place"])
        if remote is not None:
            return await self._aggregation.hand_on(request, remote)
        async with self._building:
            document = await asyncio.to_thread(documents.group, request.match_info["place"])
        if document is None:
            raise not_found()
        return await _sent(request, document)

    async def _version_2(self, request: web.Request) -> web.Response:
        documents = await self._permitted(request)
        form = wanted(request.headers.get("Accept", ""), media_types=(JSON, *MEDIA_TYPES))
        is_protobuf = form.media_type in MEDIA_TYPES
        async with self._building:
            document = await asyncio.to_thread(documents.version_2, protobuf=is_protobuf)
        # The older name is no media type that Go can parse: the answer goes by the newer one.
        return await _sent(request, document, MEDIA_TYPES[0] if is_protobuf else JSON)


async def _sent(request: web.Request, document: Document, media_type: str = JSON) -> web.Response:
    etag = f'"{document.hash}"'
    headers = {"Content-Type": media_type, "ETag": etag, "Vary": "Accept, Accept-Encoding"}
    if request.query.get("hash") == document.hash:
        headers["Cache-Control"] = _FOREVER
    if request.headers.get("If-None-Match") == etag:
        return web.Response(status=304, headers=headers)
    data = document.data
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        data = await asyncio.to_thread(gzip.compress, data, 1)
        headers["Content-Encoding"] = "gzip"
    return web.Response(body=data, headers=headers)
