"""Podman's REST API on its unix socket: JSON calls, streamed lines and hijacked connections.

Every error answer becomes a `RuntimeCallError` (404: `NotFoundError`) with Podman's own words, so nothing
above needs to know HTTP. podman-py costs about 3 ms a call and a thread; this is for the calls a pod's start
and stop wait for, and for the streams that podman-py lacks.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import aiohttp
import msgspec

from ktui.engine.kubelet.runtime.base import NotFoundError, RuntimeCallError

Params = Mapping[str, str]
JSON = dict[str, Any]

_API = "/v4.0.0/libpod"
_CALL_SECONDS = 120.0
LOOK_SECONDS = 10.0
"""Looking at one container takes 7 ms, and a second on a machine that has too much to do."""
_UNANSWERED_AT_MOST = 3
_HIJACKED_LINE_LIMIT = 1 << 20


class ServiceDownError(RuntimeCallError):
    """The socket does not answer."""


def error_of(status: int, body: bytes) -> RuntimeCallError:
    """The exception for an error answer, with Podman's message shortened to its cause."""
    try:
        answer: JSON = msgspec.json.decode(body, type=dict[str, Any])
        said = answer.get("Errs") or [answer.get("message") or answer.get("cause")]
        message = str(said[0] or body.decode(errors="replace").strip())
    except msgspec.MsgspecError:
        message = body.decode(errors="replace").strip() or f"podman answered with status {status}"
    # Podman answers 500 when a thing goes while it is looked at.
    is_gone = status == 404 or "no such container" in message or "no such pod" in message
    return NotFoundError(message) if is_gone else RuntimeCallError(message)


class PodmanREST:
    """A client of one Podman service."""

    def __init__(self, socket_path: Path) -> None:
        self.socket_path = socket_path
        self.fell_silent = asyncio.Event()
        """Podman takes calls and answers none, or never those about one thing."""
        self._answered_at = 0.0
        self._unanswered: Counter[str] = Counter()
        """How often in a row a path was not answered."""
        self._session: aiohttp.ClientSession | None = None

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.UnixConnector(str(self.socket_path), limit=0),
                timeout=aiohttp.ClientTimeout(total=_CALL_SECONDS),
            )
        return self._session

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def raw(
        self, method: str, path: str, body: object = None, *, within: float = _CALL_SECONDS, **params: str
    ) -> bytes:
        """The answer's body; raises RuntimeCallError if there is none within so many seconds."""
        data = None if body is None else msgspec.json.encode(body)
        began = monotonic()
        try:
            async with self._client().request(
                method,
                f"http://d{_API}/{path}",
                data=data,
                params=params,
                headers={"Content-Type": "application/json"},
                timeout=aiohttp.ClientTimeout(total=within),
            ) as response:
                answer = await response.read()
        except TimeoutError as error:
            self._not_answered(path, began)
            raise RuntimeCallError(f"podman did not answer {method} {path} in {within:g}s") from error
        except aiohttp.ClientError as error:
            raise ServiceDownError(f"podman's service does not answer: {error}") from error
        self._answered_at = monotonic()
        self._unanswered.pop(path, None)
        if response.status >= 400:
            raise error_of(response.status, answer)
        return answer

    def _not_answered(self, path: str, began: float) -> None:
        """On a machine with too much to do answers are late, but some come: only a lock keeps all, or one, away."""
        self._unanswered[path] += 1
        if self._answered_at < began or self._unanswered[path] >= _UNANSWERED_AT_MOST:
            self._unanswered.clear()
            self.fell_silent.set()

    async def get(self, path: str, *, within: float = _CALL_SECONDS, **params: str) -> JSON:
        """A JSON object."""
        return msgspec.json.decode(await self.raw("GET", path, within=within, **params), type=dict[str, Any])

    async def get_list(self, path: str, **params: str) -> list[JSON]:
        """A JSON array of objects."""
        return (
            msgspec.json.decode(
                await self.raw("GET", path, within=_CALL_SECONDS, **params), type=list[dict[str, Any]] | None
            )
            or []
        )

    async def post(self, path: str, body: object = None, **params: str) -> JSON:
        """POST; {} when there is no JSON in the answer."""
        answer = await self.raw("POST", path, body, within=_CALL_SECONDS, **params)
        return msgspec.json.decode(answer, type=dict[str, Any]) if answer.startswith(b"{") else {}

    async def delete(self, path: str, **params: str) -> None:
        """DELETE; what is already gone is fine."""
        try:
            await self.raw("DELETE", path, within=_CALL_SECONDS, **params)
        except NotFoundError:
            return

    @asynccontextmanager
    async def lines(
        self, method: str, path: str, headers: Params | None = None, **params: str
    ) -> AsyncGenerator[AsyncIterator[bytes], None]:
        """The lines of a streamed answer, as long as it lasts."""
        try:
            async with self._client().request(
                method,
                f"http://d{_API}/{path}",
                params=params,
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=None),
            ) as response:
                if response.status >= 400:
                    raise error_of(response.status, await response.read())
                yield aiter(response.content)
        except aiohttp.ClientError as error:
            raise ServiceDownError(f"podman's service does not answer: {error}") from error

    async def hijack(
        self, path: str, body: object = None, query: str = ""
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """POST and take over the connection: what follows the answer's head is the raw stream."""
        try:
            reader, writer = await asyncio.open_unix_connection(
                str(self.socket_path), limit=_HIJACKED_LINE_LIMIT
            )
        except OSError as error:
            raise ServiceDownError(f"podman's service does not answer: {error}") from error
        data = b"" if body is None else json.dumps(body).encode()
        writer.write(
            f"POST {_API}/{path}{query} HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(data)}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n".encode()
            + data
        )
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            status = int(head.split(b" ", 2)[1])
            if status >= 400:
                raise error_of(status, await _error_body(reader, head))
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            writer.close()
            raise ServiceDownError("podman's service closed the connection") from error
        except BaseException:
            writer.close()
            raise
        return reader, writer


async def _error_body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return await reader.readexactly(int(line.partition(b":")[2]))
    return b""
