"""An exec or attach session over SPDY: a stream each for input, output, errors, sizes and the final `Status`."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import msgspec

from ktui.client.base import ExecOptions, ExecSession
from ktui.engine.api.http.channels import Size, final_status
from ktui.engine.api.http.spdy import Connection, Stream
from ktui.kube.errors import StatusError, internal

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
VERSION_HEADER = "X-Stream-Protocol-Version"

_OPEN_SECONDS = 30.0
_CLOSE_SECONDS = 5.0


async def serve_spdy_session(connection: Connection, session: ExecSession, options: ExecOptions) -> None:
    """Pump a session both ways until the command ends or the client goes; closes the session."""
    incoming: list[asyncio.Task[None]] = []
    try:
        async with asyncio.timeout(_OPEN_SECONDS):
            streams = await _opened(connection, options)
        if "error" not in streams:
            return
        if "stdin" in streams:
            incoming.append(asyncio.create_task(_stdin(streams["stdin"], session)))
        if "resize" in streams:
            incoming.append(asyncio.create_task(_sizes(streams["resize"], session)))
        # A client that goes away ends the session, and with it the output.
        incoming.append(asyncio.create_task(_end_with(connection, session)))
        await _output(streams, session)
    except (ConnectionError, TimeoutError):
        pass
    finally:
        for task in incoming:
            task.cancel()
        await asyncio.gather(*incoming, return_exceptions=True)
        await session.close()


async def _opened(connection: Connection, options: ExecOptions) -> dict[str, Stream]:
    """The streams that go with the options; fewer when the client ends the connection."""
    wanted = {"error"}
    wanted |= {"stdin"} if options.stdin else set()
    wanted |= {"stdout"} if options.stdout else set()
    wanted |= {"stderr"} if options.stderr and not options.tty else set()
    wanted |= {"resize"} if options.tty else set()
    found: dict[str, Stream] = {}
    async for stream in connection.streams():
        found[stream.headers.get("streamtype", "")] = stream
        if wanted <= set(found):
            break
    return found


async def _output(streams: dict[str, Stream], session: ExecSession) -> None:
    outputs = {1: streams.get("stdout"), 2: streams.get("stderr")}
    try:
        async for channel, data in session:
            if stream := outputs.get(channel):
                await stream.write(data)
        final = final_status(await session.wait())
    except StatusError as error:
        final = error.status
    except ConnectionError:
        raise
    except OSError as error:
        final = internal(f"the stream from the container broke: {error}").status
    await streams["error"].write(msgspec.json.encode(final))
    for name in ("stdout", "stderr", "error"):
        if stream := streams.get(name):
            await stream.close()


async def _stdin(stream: Stream, session: ExecSession) -> None:
    with suppress(OSError):
        while data := await stream.read():
            await session.send(data)
        await session.close_stdin()


async def _sizes(stream: Stream, session: ExecSession) -> None:
    """Sizes come as one JSON object after the other, possibly several in a frame."""
    buffered = b""
    while data := await stream.read():
        *whole, buffered = (buffered + data).replace(b"}", b"}\n").split(b"\n")
        for text in filter(None, map(bytes.strip, whole)):
            with suppress(msgspec.DecodeError, msgspec.ValidationError, OSError):
                size = msgspec.json.decode(text, type=Size)
                await session.resize(size.Width, size.Height)
        buffered = buffered[-1024:]


async def _end_with(connection: Connection, session: ExecSession) -> None:
    async for stream in connection.streams():
        await stream.reset()
    await session.close()
