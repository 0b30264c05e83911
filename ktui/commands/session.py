"""What every verb starts from: the data folder asked for, and a client of the engine that runs there."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from ktui.client.base import Client

T = TypeVar("T")

DATA_DIR_VARIABLE = "KTUI_DATA_DIR"
DATA_DIR_META, DEBUG_META, NAMESPACE_META = "ktui.data_dir", "ktui.debug", "ktui.namespace"
"""Where the command line notes the shared options in click's context."""
_LONGEST_SOCKET_PATH = 100
"""A unix socket's path must fit into 108 bytes on Linux, 104 elsewhere."""


class UserError(click.ClickException):
    """Something the user can mend; printed as one line on stderr, exit code 1."""

    def show(self, file: object = None) -> None:
        click.echo(f"error: {self.message}", err=True)


@dataclass(frozen=True, slots=True)
class Session:
    """One run of the command line."""

    data_dir: Path
    debug: bool = False

    @property
    def socket(self) -> Path:
        """Where the engine of the data folder listens."""
        path = self.data_dir / "ktui.sock"
        if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH:
            return path
        unique = hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:16]
        base = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
        return Path(base) / f"ktui-{os.getuid()}-{unique}.sock"

    def run(self, work: Callable[[Client], Awaitable[T]]) -> T:
        """Run `work` with a client of the data folder's engine; raises UserError when none runs."""
        from ktui.client.http import HttpClient

        async def connected() -> T:
            client = HttpClient.over_unix_socket(self.socket)
            try:
                return await work(client)
            finally:
                await client.close()

        if not self.socket.exists():
            raise self.not_running()
        try:
            return asyncio.run(connected())
        except OSError as error:
            if error.errno in (errno.ECONNREFUSED, errno.ENOENT):
                raise self.not_running() from None
            raise

    def not_running(self) -> UserError:
        return UserError(
            f"no ktui engine runs on {self.data_dir}; start one with `ktui` or `ktui serve`, "
            f"or name another data folder with --data-dir"
        )


def session(context: click.Context | None = None) -> Session:
    """The session of the running command."""
    root = (context or click.get_current_context()).find_root()
    data_dir = root.meta.get(DATA_DIR_META) or default_data_dir()
    return Session(data_dir=data_dir, debug=bool(root.meta.get(DEBUG_META)))


def default_data_dir() -> Path:
    """The user's data folder for ktui, as the platform has it."""
    from platformdirs import user_data_path

    return user_data_path("ktui", appauthor=False)
