"""One HTTP/1.1 exchange over a connection that was dialled: the proxy's side towards a pod or a service.

A request goes out head first, its body as it comes; the answer's head comes back parsed, its body as it comes.
The connection carries this one exchange, so that an answer without a length ends with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

Headers = Sequence[tuple[str, str]]

_CHUNK: Final = 64 * 1024
_MOST_HEADER_LINES: Final = 256
_WITHOUT_BODY: Final = (204, 304)
SWITCHING: Final = 101


class UpstreamError(OSError):
    """What answers does not speak HTTP, or stops in the middle of it."""


@dataclass(frozen=True, slots=True)
class Head:
    """The head of an answer."""

    status: int
    reason: str
    headers: Headers

    def get(self, name: str) -> str:
        """The first value of a header, "" without one."""
        return next((value for key, value in self.headers if key.lower() == name), "")


class Exchange:
    """A request and its answer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send_head(self, method: str, target: str, headers: Headers) -> None:
        """The head of the request; `target` is a path with its query, encoded."""
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
        self.writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape"))
        await self.writer.drain()

    async def send_body(self, chunks: AsyncIterator[bytes], *, chunked: bool) -> None:
        """The body, framed by its length or in chunks."""
        async for chunk in chunks:
            if not chunk:
                continue
            self.writer.write(b"%x\r\n%b\r\n" % (len(chunk), chunk) if chunked else chunk)
            await self.writer.drain()
        if chunked:
            self.writer.write(b"0\r\n\r\n")
            await self.writer.drain()

    async def head(self) -> Head:
        """The answer's head, after interim ones. Raises UpstreamError."""
        while True:
            head = await self._one_head()
            if head.status >= 200 or head.status == SWITCHING:
                return head

    async def _one_head(self) -> Head:
        first = await self._line()
        version, _, rest = first.partition(" ")
        code, _, reason = rest.strip().partition(" ")
        if not version.startswith("HTTP/1.") or not (len(code) == 3 and code.isascii() and code.isdigit()):
            raise UpstreamError(f'malformed HTTP response "{first[:100]}"' if first else "EOF")
        headers: list[tuple[str, str]] = []
        while line := await self._line():
            name, found, value = line.partition(":")
            if len(headers) >= _MOST_HEADER_LINES or not found:
                raise UpstreamError(f'malformed MIME header line: "{line[:100]}"')
            headers.append((name.strip(), value.strip()))
        return Head(int(code), reason, headers)

    async def _line(self) -> str:
        try:
            line = await self.reader.readline()
        except ValueError as error:
            raise UpstreamError("the answer's headers are too large") from error
        if not line.endswith(b"\n"):
            raise UpstreamError("unexpected EOF" if line else "EOF")
        text = line.decode("latin-1").rstrip("\r\n")
        if "\r" in text or "\0" in text:
            raise UpstreamError(f"malformed HTTP response {text[:100]!r}")
        return text

    def body(self, method: str, head: Head) -> AsyncIterator[bytes]:
        """The answer's body."""
        if method == "HEAD" or head.status in _WITHOUT_BODY:
            return self._sized(0)
        if head.get("transfer-encoding").lower().endswith("chunked"):
            return self._chunks()
        length = head.get("content-length")
        if length.isascii() and length.isdigit():
            return self._sized(int(length))
        return self.rest()

    async def rest(self) -> AsyncIterator[bytes]:
        """Whatever comes until the connection ends."""
        while chunk := await self.reader.read(_CHUNK):
            yield chunk

    async def _sized(self, left: int) -> AsyncIterator[bytes]:
        while left:
            chunk = await self.reader.read(min(left, _CHUNK))
            if not chunk:
                raise UpstreamError("unexpected EOF")
            left -= len(chunk)
            yield chunk

    async def _chunks(self) -> AsyncIterator[bytes]:
        while True:
            text = (await self._line()).partition(";")[0].strip()
            try:
                size = int(text, 16)
            except ValueError:
                raise UpstreamError(f'malformed chunk size "{text[:20]}"') from None
            if size < 0:
                raise UpstreamError("malformed chunk size")
            if size == 0:
                while await self._line():
                    pass
                return
            async for part in self._sized(size):
                yield part
            await self._line()

    def close(self) -> None:
        """End the connection."""
        self.writer.close()
