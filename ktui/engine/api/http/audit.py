"""The audit log: who asked for what, when, and what came of it, a JSON line each in a file of its own.

Lines are `Event`s of audit.k8s.io/v1 at level Metadata, which tools for Kubernetes read. Kept are changes and
whatever was refused; reads that went well would drown them. Bodies never get in, so secrets don't either.
"""

from __future__ import annotations

import contextlib
import logging
import os
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
from aiohttp import web

from ktui.engine.api.http.identity import caller_of
from ktui.engine.api.http.traffic import passage_of
from ktui.engine.api.reviews import user_info
from ktui.kube.clock import rfc3339_micro
from ktui.kube.resource import Object

log = logging.getLogger(__name__)

_LARGEST_BYTES: Final = 32 * 1024 * 1024
_KEPT: Final = 4
_READS: Final = ("GET", "HEAD", "OPTIONS")
_VERBS: Final = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete", "GET": "get"}


_ANNOTATIONS: Final = web.RequestKey("audit annotations", dict[str, str])


def annotate(request: web.Request, annotations: dict[str, str]) -> None:
    """Let what is in `annotations` when the request ends go into its line."""
    request[_ANNOTATIONS] = annotations


class _Lines:
    """A file of lines that only its owner reads; when it is full it becomes the first of the older ones. (A log
    record of Python's for each line would cost several times as much, at every write to the API.)"""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor, self._size = self._opened()

    def append(self, line: bytes) -> None:
        if self._size + len(line) > _LARGEST_BYTES:
            self._begin_another()
        self._size += os.write(self._descriptor, line)

    def close(self) -> None:
        os.close(self._descriptor)

    def _opened(self) -> tuple[int, int]:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return descriptor, os.fstat(descriptor).st_size

    def _begin_another(self) -> None:
        """The full one stays open until there is another, whatever fails."""
        for number in range(_KEPT - 1, 0, -1):
            with contextlib.suppress(FileNotFoundError):
                self._older(number).replace(self._older(number + 1))
        with contextlib.suppress(FileNotFoundError):
            self._path.replace(self._older(1))
        full = self._descriptor
        self._descriptor, self._size = self._opened()
        os.close(full)

    def _older(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


class AuditLog:
    """Writes one file, and a few older ones beside it."""

    def __init__(self, path: Path) -> None:
        self._file = _Lines(path)
        self._fails = False

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
        try:
            self._file.append(msgspec.json.encode(event) + b"\n")
        except OSError as error:
            if not self._fails:
                log.error("the audit log can't be written: %s", error)
            self._fails = True
        else:
            self._fails = False

    async def close(self) -> None:
        self._file.close()


def _event(request: web.Request, code: int, received: datetime) -> Object:
    caller = caller_of(request)
    target = passage_of(request).target
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
