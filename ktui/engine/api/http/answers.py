"""Answers on the wire: objects and documents in the form asked for, and failures as `Status`."""

from __future__ import annotations

import asyncio
import gzip
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import msgspec
from aiohttp import web

from ktui.engine.api.http.negotiation import JSON, YAML, Representation
from ktui.kube.errors import StatusError, internal, status
from ktui.kube.resource import Object

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 3 * 1024 * 1024
_GZIP_BYTES = 128 * 1024
"""Smaller answers are sent as they are."""

STARTED = web.RequestKey("started", bool)
"""Set when an answer is on its way in parts: another can't take its place any more."""

_decode = msgspec.json.Decoder(Any).decode


@web.middleware
async def failures_as_status(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Every failure leaves as a `Status`."""
    try:
        return await handler(request)
    except StatusError as error:
        return failed(error)
    except web.HTTPRequestEntityTooLarge:
        message = f"Request entity too large: limit is {MAX_BODY_BYTES}"
        return failed(StatusError(status(413, "RequestEntityTooLarge", message)))
    except web.HTTPMethodNotAllowed:
        return failed(method_not_allowed())
    except web.HTTPNotFound:
        return failed(not_found())
    except web.HTTPException as error:
        return failed(StatusError(status(error.status, error.reason.replace(" ", ""), error.reason)))
    except ConnectionError:
        raise
    except Exception:
        log.exception("%s %s failed", request.method, request.path)
        return failed(internal("an unexpected error, see ktui's log"))


def failed(error: StatusError) -> web.Response:
    """A failure."""
    headers: dict[str, str] = {}
    if seconds := error.details.get("retryAfterSeconds"):
        headers["Retry-After"] = str(seconds)
    return web.Response(
        body=msgspec.json.encode(error.status), status=error.code, content_type=JSON, headers=headers
    )


def document(content: Object, content_type: str = JSON) -> web.Response:
    """A document of the server's own."""
    return web.Response(body=msgspec.json.encode(content), headers={"Content-Type": content_type})


async def sent(
    request: web.Request,
    data: bytes,
    representation: Representation,
    *,
    code: int = 200,
    warnings: Sequence[str] = (),
) -> web.Response:
    """JSON of an object as the client wants it: as YAML, indented, compressed; with what it is warned of."""
    if representation.media_type == YAML:
        data = await asyncio.to_thread(_as_yaml, data)
    elif _wants_indented(request):
        data = msgspec.json.format(data, indent=2) + b"\n"
    headers = {"Content-Type": representation.media_type}
    if len(data) >= _GZIP_BYTES and _takes_gzip(request):
        data = await asyncio.to_thread(gzip.compress, data, 1)
        headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    response = web.Response(body=data, status=code, headers=headers)
    add_warnings(response, warnings)
    return response


def goes_as_it_is(request: web.Request, representation: Representation) -> bool:
    """Whether a large answer is sent as the JSON it is made of."""
    return representation.media_type == JSON and not _wants_indented(request) and not _takes_gzip(request)


async def sent_in_parts(
    request: web.Request, length: int, parts: Iterable[bytes], warnings: Sequence[str] = ()
) -> web.StreamResponse:
    """Send JSON of `length` bytes part by part: the client reads the first while the next are encrypted, others
    get their turn in between, and the whole is never copied."""
    response = web.StreamResponse(headers={"Content-Type": JSON, "Content-Length": str(length)})
    add_warnings(response, warnings)
    await response.prepare(request)
    request[STARTED] = True
    for part in parts:
        await response.write(part)
    await response.write_eof()
    return response


def _wants_indented(request: web.Request) -> bool:
    return request.query.get("pretty") in ("", "1", "true")


def _takes_gzip(request: web.Request) -> bool:
    return "gzip" in request.headers.get("Accept-Encoding", "")


def add_warnings(response: web.StreamResponse, warnings: Sequence[str]) -> None:
    """Tell the caller what the server warns of."""
    for warning in warnings:
        response.headers.add("Warning", f'299 - "{_quoted(warning)}"')


def not_found() -> StatusError:
    return StatusError(status(404, "NotFound", "the server could not find the requested resource"))


def method_not_allowed() -> StatusError:
    return StatusError(
        status(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
    )


def _quoted(text: str) -> str:
    """As a header's quoted string; what a header can't hold becomes a space or a question mark."""
    plain = "".join(sign if sign.isprintable() else " " for sign in text)
    return plain.replace("\\", "\\\\").replace('"', '\\"')


def _as_yaml(data: bytes) -> bytes:
    import yaml

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return yaml.dump(_decode(data), Dumper=dumper, default_flow_style=False, allow_unicode=True).encode()
