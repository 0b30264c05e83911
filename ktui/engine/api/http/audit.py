"""The audit log: who asked for what, when, and what came of it, a JSON line each in a file of its own.

Lines are `Event`s of audit.k8s.io/v1 at level Metadata, which tools for Kubernetes read. Kept are changes and
whatever was refused; reads that went well would drown them. Bodies never get in, so secrets don't either.
"""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final

import msgspec
from aiohttp import web

from ktui.engine.api.http.identity import caller_of
from ktui.engine.api.http.target import target_of
from ktui.engine.api.reviews import user_info
from ktui.kube.clock import rfc3339_micro
from ktui.kube.resource import Object

_LARGEST_BYTES: Final = 32 * 1024 * 1024
_KEPT: Final = 4
_READS: Final = ("GET", "HEAD", "OPTIONS")
_VERBS: Final = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete", "GET": "get"}


_ANNOTATIONS: Final = web.RequestKey("audit annotations", dict[str, str])


def annotate(request: web.Request, annotations: dict[str, str]) -> None:
    """Let what is in `annotations` when the request ends go into its line."""
    request[_ANNOTATIONS] = annotations


class _PrivateFile(RotatingFileHandler):
    """A file that only its owner reads, each new one too."""

    def _open(self) -> TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return TextIOWrapper(os.fdopen(descriptor, "ab"), encoding="utf-8")


class AuditLog:
    """Writes one file, and a few older ones beside it."""

    def __init__(self, path: Path) -> None:
        self._file = _PrivateFile(path, maxBytes=_LARGEST_BYTES, backupCount=_KEPT, encoding="utf-8")

    @web.middleware
    async def record(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """The middleware, outside of the one that makes failures answers."""
        received = datetime.now(UTC)
        response = await handler(request)
        if request.method not in _READS or response.status >= 400:
            self._write(_event(request, response.status, received))
        return response

    def _write(self, event: Object) -> None:
        line = msgspec.json.encode(event).decode()
        self._file.emit(logging.LogRecord("audit", logging.INFO, "", 0, line, None, None))

    async def close(self) -> None:
        self._file.close()


def _event(request: web.Request, code: int, received: datetime) -> Object:
    caller = caller_of(request)
    target = target_of(request.path)
    verb = _VERBS.get(request.method, request.method.lower())
    if target is not None and not target.name and request.method == "DELETE":
        verb = "deletecollection"
    event: Object = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": str(uuid.uuid4()),
        "stage": "ResponseComplete",
        "requestURI": request.path_qs,
        "verb": verb,
        "user": user_info(caller.user) if caller.user else {},
        "sourceIPs": [request.remote] if request.remote else [],
        "userAgent": request.headers.get("User-Agent", ""),
        "responseStatus": {"code": code},
        "requestReceivedTimestamp": rfc3339_micro(received),
        "stageTimestamp": rfc3339_micro(datetime.now(UTC)),
    }
    if annotations := request.get(_ANNOTATIONS):
        event["annotations"] = annotations
    if caller.acting_as is not None:
        event["impersonatedUser"] = user_info(caller.acting_as)
    if target is not None:
        reference = {
            "resource": target.plural,
            "namespace": target.namespace,
            "name": target.name,
            "apiGroup": target.group,
            "apiVersion": target.version,
            "subresource": target.subresource,
        }
        event["objectRef"] = {name: value for name, value in reference.items() if value}
    return event
