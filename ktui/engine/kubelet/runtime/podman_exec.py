"""Commands inside containers: probes and hooks (`exec_sync`), and interactive sessions (exec, attach).

Interactive sessions go over Podman's hijacked connections. Probes go to the OCI runtime directly: for each
exec through its API, Podman keeps two conmon processes for five minutes and then runs a clean-up command, and
it takes twice as long. For the same reason the conmons of a finished session are ended here.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from ktui.client.base import ExecSession
from ktui.engine.kubelet.runtime.base import ExecResult, RuntimeCallError
from ktui.engine.kubelet.runtime.podman_attach import AttachSession, OpenInputs, Streams
from ktui.engine.kubelet.runtime.podman_rest import PodmanREST
from ktui.kube.errors import internal

_OUTPUT_LIMIT = 16 * 1024
_CHUNK = 64 * 1024
_OUTPUT_GRACE = 0.2
"""How long output may lag behind the end of its process: a child that it left may hold the pipe for ever."""
_EXIT_POLLS = 100
_START_FAILURE = re.compile(
    rb"Error: (?:runc: |crun: )?([^\r\n]+?): OCI (?:runtime|permission)[^\r\n]*\r?\n?"
)
"""What Podman writes to the command's stderr when there is no command."""
_CONMON_PAUSE = 0.02
_CONMON_ROUNDS = 50


class PodmanSession:
    """An `ExecSession` on a hijacked connection."""

    def __init__(
        self,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        *,
        tty: bool,
        resize: Callable[[int, int], Awaitable[None]],
        exit_code: Callable[[], Awaitable[int]],
        abandon: Callable[[], Awaitable[None]],
        finished: Callable[[], Awaitable[None]],
        starts: bool = False,
    ) -> None:
        self._reader, self._writer = streams
        self._tty = tty
        self._resize = resize
        self._exit_code = exit_code
        self._abandon = abandon
        self._finished = finished
        self._starts = starts
        """It is for a command, which the OCI runtime may fail to start."""
        self._failure = ""
        self._output_ended = asyncio.Event()

    async def send(self, data: bytes) -> None:
        """To the process's stdin; raises BrokenPipeError when it has ended."""
        try:
            self._writer.write(data)
            await self._writer.drain()
        except ConnectionError as error:
            raise BrokenPipeError("the session has ended") from error

    async def close_stdin(self) -> None:
        """End of input; output goes on."""
        with contextlib.suppress(OSError, RuntimeError):
            self._writer.write_eof()

    async def resize(self, width: int, height: int) -> None:
        """Set the terminal's size. A process that has ended or isn't there yet has none."""
        with contextlib.suppress(RuntimeCallError):
            await self._resize(width, height)

    async def __aiter__(self) -> AsyncIterator[tuple[int, bytes]]:
        is_first = self._starts
        async for channel, data in self._frames():
            if is_first and (failure := _START_FAILURE.match(data)):
                self._failure = failure[1].decode(errors="replace")
            is_first = False
            if not self._failure:
                yield channel, data

    async def _frames(self) -> AsyncIterator[tuple[int, bytes]]:
        try:
            if self._tty:
                while data := await self._reader.read(_CHUNK):
                    yield 1, data
                return
            while True:
                header = await self._reader.readexactly(8)
                left = int.from_bytes(header[4:])
                while left:
                    data = await self._reader.readexactly(min(left, _CHUNK))
                    left -= len(data)
                    yield header[0], data
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            self._output_ended.set()

    async def wait(self) -> int:
        """The exit code, once the output has ended. Raises StatusError when there was nothing to run."""
        await self._output_ended.wait()
        if self._failure:
            raise internal(
                "error executing command in container: failed to exec in container: "
                f"OCI runtime exec failed: {self._failure}"
            )
        return await self._exit_code()

    async def close(self) -> None:
        """Hang up; a process that still runs for this session is killed."""
        if not self._output_ended.is_set() and not self._reader.at_eof():
            await self._abandon()
        self._writer.close()
        self._output_ended.set()
        await self._finished()


class PodmanExec:
    """Runs commands in one node's containers."""

    def __init__(self, rest: PodmanREST, oci_runtime: str, environment: Mapping[str, str]) -> None:
        self._rest = rest
        self._environment = environment
        self._open_inputs = OpenInputs()
        path = shutil.which(oci_runtime) or oci_runtime
        # A rootless container's state lies in the user namespace that podman keeps.
        self._exec_command = [path, "exec"] if os.geteuid() == 0 else ["podman", "unshare", path, "exec"]

    async def sync(self, container_id: str, command: Sequence[str], timeout: float) -> ExecResult:
        """Run to the end; TimeoutError after `timeout`, the process is then killed."""
        with tempfile.TemporaryDirectory(prefix="ktui-exec-") as folder:
            pid_file = Path(folder) / "pid"
            process = await asyncio.create_subprocess_exec(
                *self._exec_command,
                "--pid-file",
                str(pid_file),
                container_id,
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env=self._environment,
            )
            assert process.stdout is not None
            output = bytearray()
            reading = asyncio.create_task(_collect(process.stdout, output))
            try:
                async with asyncio.timeout(timeout):
                    code = await process.wait()
                await asyncio.wait([reading], timeout=_OUTPUT_GRACE)
            except TimeoutError:
                raise TimeoutError(f"command {' '.join(command)!r} timed out after {timeout:g}s") from None
            finally:
                reading.cancel()
                if process.returncode is None:
                    await asyncio.shield(self._end(process, pid_file))
        return ExecResult(code, bytes(output))

    async def _end(self, process: asyncio.subprocess.Process, pid_file: Path) -> None:
        with contextlib.suppress(OSError, ValueError):
            await self.kill(int(await asyncio.to_thread(pid_file.read_text)))
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()

    async def kill(self, pid: int) -> None:
        """SIGKILL a process of a container."""
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        except PermissionError:
            killer = await asyncio.create_subprocess_exec(
                "podman", "unshare", "kill", "-9", str(pid), env=self._environment
            )
            await killer.wait()

    async def close(self) -> None:
        """Let go of the containers whose stdin was held open."""
        await self._open_inputs.close()

    async def session(
        self, container_id: str, command: Sequence[str], *, stdin: bool, tty: bool
    ) -> PodmanSession:
        """Start `command` and attach to it."""
        created = await self._rest.post(
            f"containers/{container_id}/exec",
            {
                "Cmd": list(command),
                "AttachStdin": stdin,
                "AttachStdout": True,
                "AttachStderr": not tty,
                "Tty": tty,
                "DetachKeys": "",
            },
        )
        session_id = str(created["Id"])
        streams = await self._rest.hijack(f"exec/{session_id}/start", {"Detach": False, "Tty": tty})

        async def exit_code() -> int:
            for _ in range(_EXIT_POLLS):
                state = await self._rest.get(f"exec/{session_id}/json")
                if not state.get("Running"):
                    return int(state.get("ExitCode") or 0)
                await asyncio.sleep(0.05)
            return 0

        async def abandon() -> None:
            # The connection is ours before its process is there.
            for _ in range(_EXIT_POLLS):
                with contextlib.suppress(RuntimeCallError):
                    state = await self._rest.get(f"exec/{session_id}/json")
                    if pid := int(state.get("Pid") or 0):
                        await self.kill(pid)
                        return
                if streams[0].at_eof():
                    return
                await asyncio.sleep(0.05)

        async def finished() -> None:
            await asyncio.to_thread(_end_conmons, session_id)

        async def resize(width: int, height: int) -> None:
            await self._rest.post(f"exec/{session_id}/resize", w=str(width), h=str(height))

        return PodmanSession(
            streams,
            tty=tty,
            resize=resize,
            exit_code=exit_code,
            abandon=abandon,
            finished=finished,
            starts=True,
        )

    async def attach(
        self,
        container_id: str,
        *,
        stdin: bool,
        tty: bool,
        stays_open: bool,
        exit_code: Callable[[], Awaitable[int]],
    ) -> ExecSession:
        """Attach to the container's own process; it goes on when the session is closed, and its stdin stays open
        if it is to."""
        asked = f"?stream=true&stdout=true&stderr=true&stdin={'true' if stdin else 'false'}&detachKeys="

        async def connect() -> Streams:
            return await self._rest.hijack(f"containers/{container_id}/attach", query=asked)

        async def resize(width: int, height: int) -> None:
            await self._rest.post(f"containers/{container_id}/resize", w=str(width), h=str(height))

        if stays_open:
            return AttachSession(
                await self._open_inputs.connection(container_id, connect, tty=tty),
                resize=resize,
                exit_code=exit_code,
                leave=partial(self._open_inputs.keep, container_id),
            )
        streams = await connect()

        async def leave() -> None:
            return None

        return PodmanSession(
            streams, tty=tty, resize=resize, exit_code=exit_code, abandon=leave, finished=leave
        )


async def _collect(stream: asyncio.StreamReader, output: bytearray) -> None:
    """Keep the first 16 KiB and drain the rest, so that the process never blocks on it."""
    while data := await stream.read(_CHUNK):
        output += data[: max(0, _OUTPUT_LIMIT - len(output))]


def _end_conmons(session_id: str) -> None:
    """End the conmons that linger for an exec session which is over: look again until none is left, since one
    may fork while it is being ended."""
    for _ in range(_CONMON_ROUNDS):
        pids = _conmons_of(session_id)
        if not pids:
            return
        for pid in pids:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_CONMON_PAUSE)


def _conmons_of(session_id: str) -> list[int]:
    wanted = session_id.encode()
    found: list[int] = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                words = (folder / "cmdline").read_bytes().split(b"\0")
                if wanted in words and words[0].endswith(b"conmon"):
                    found.append(int(folder.name))
    return found
