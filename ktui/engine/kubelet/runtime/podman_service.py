"""The Podman service that ktui talks to: a child process with a containers.conf of ktui's own.

Containers are children of conmon, not of the service, so it can come and go: it is started with the runtime,
restarted when it dies, ended with the runtime, and told by the kernel to end when ktui is killed. A service
that an earlier, killed ktui left on the same socket is ended first.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
from pathlib import Path

from ktui.engine.kubelet.runtime.base import RuntimeCallError
from ktui.engine.kubelet.runtime.podman_config import own_containers_conf
from ktui.engine.kubelet.runtime.podman_rest import PodmanREST, ServiceDownError

_SOCKET_PATH_MAX = 100
"""The kernel's limit is 107 bytes."""
_START_SECONDS = 20.0
_STOP_SECONDS = 5.0


class PodmanService:
    """Starts and ends `podman system service` on a socket in the data folder."""

    def __init__(self, data_dir: Path, engine: str) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self.socket_path = socket_path(data_dir, engine)
        self.conf_path = data_dir / "containers.conf"
        self.log_path = data_dir / "podman-service.log"

    @property
    def environment(self) -> dict[str, str]:
        """What podman and the OCI runtime are to be run with."""
        return {**os.environ, "CONTAINERS_CONF": str(self.conf_path)}

    @property
    def is_running(self) -> bool:
        """Whether the child lives."""
        return self._process is not None and self._process.returncode is None

    async def start(self, oci_runtime: str) -> None:
        """Start it and wait until it answers; raises RuntimeCallError with podman's own complaint."""
        podman = shutil.which("podman")
        if podman is None:
            raise RuntimeCallError("podman is not installed")
        await self.stop()
        await asyncio.to_thread(self._end_leftover)
        _make_private(self.socket_path.parent)
        self.conf_path.write_text(own_containers_conf(oci_runtime))
        self.socket_path.unlink(missing_ok=True)
        command = [podman, "system", "service", "--time=0", f"unix://{self.socket_path}"]
        if setpriv := shutil.which("setpriv"):
            command = [setpriv, "--pdeathsig", "TERM", *command]
        with self.log_path.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment,
                cwd=self.log_path.parent,  # conmon leaves a file `oom` where it runs
                start_new_session=True,
            )
        try:
            await self._wait_until_it_answers()
        except BaseException:
            await self.stop()
            raise

    async def _wait_until_it_answers(self) -> None:
        rest = PodmanREST(self.socket_path)
        pause = 0.01
        try:
            async with asyncio.timeout(_START_SECONDS):
                while True:
                    if not self.is_running:
                        raise RuntimeCallError(f"podman's service ended at once: {self.complaint()}")
                    if self.socket_path.exists():
                        with contextlib.suppress(ServiceDownError):
                            await rest.raw("GET", "_ping")
                            return
                    await asyncio.sleep(pause)
                    pause = min(pause * 1.5, 0.2)
        except TimeoutError as error:
            raise RuntimeCallError(
                f"podman's service did not answer in {_START_SECONDS:g}s: {self.complaint()}"
            ) from error
        finally:
            await rest.close()

    def complaint(self) -> str:
        """The last thing the service said."""
        try:
            lines = self.log_path.read_text(errors="replace").split("\n")
        except OSError:
            return "it said nothing"
        return next((line for line in reversed(lines) if line.strip()), "it said nothing")

    async def ended(self) -> None:
        """Return when the child has ended."""
        if self._process is not None:
            await self._process.wait()

    async def kill(self) -> None:
        """End it at once, whatever it is at; it can be started again."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def stop(self) -> None:
        """End it; containers stay as they are."""
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        for sign in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(sign)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), _STOP_SECONDS)
                break
        self.socket_path.unlink(missing_ok=True)

    def _end_leftover(self) -> None:
        """Kill a service of an earlier ktui that still holds our socket."""
        if not self.socket_path.exists():
            return
        wanted = f"unix://{self.socket_path}".encode()
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit():
                continue
            with contextlib.suppress(OSError):
                words = (folder / "cmdline").read_bytes().split(b"\0")
                if wanted in words and b"service" in words:
                    os.kill(int(folder.name), signal.SIGKILL)


def socket_path(data_dir: Path, engine: str) -> Path:
    """Where an engine's service listens: in its data folder, unless that path is too long for a socket."""
    path = data_dir.resolve() / "podman.sock"
    if len(os.fsencode(path)) <= _SOCKET_PATH_MAX:
        return path
    return Path(tempfile.gettempdir()) / f"ktui-{os.geteuid()}-{engine}" / "podman.sock"


def _make_private(folder: Path) -> None:
    """A folder of ours under a world-writable one; raises RuntimeCallError when it isn't ours."""
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.geteuid():
        raise RuntimeCallError(f"{folder} belongs to someone else; use a shorter --data-dir")
