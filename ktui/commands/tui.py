"""Opening the TUI: on the engine that runs on the data folder, or on one started for it."""

from __future__ import annotations

import asyncio
import logging
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ktui.app import AppSettings, KtuiApp, QuitChoice
from ktui.commands.session import Session, UserError
from ktui.screens.session import Connection

if TYPE_CHECKING:
    from ktui.engine.engine import RuntimeName
    from ktui.engine.thread import EngineThread


log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EngineWish:
    """What an engine that is started for the TUI shall be."""

    manifests: Path | None
    runtime: RuntimeName
    prune_limit: int
    listen: str | None = None
    no_api: bool = False
    encrypt_secrets: Path | None = None


def run(asked: Session, wish: EngineWish) -> int:
    """Show the TUI until the user leaves; returns the exit code."""
    if not sys.stdout.isatty():
        raise UserError("the TUI needs a terminal; `ktui serve` runs without one, `ktui get` prints")
    if _answers(asked.socket):
        if wish.manifests is not None:
            click.echo(
                f"attaching to the engine that runs on {asked.data_dir}; its own --manifests stays", err=True
            )
        return _attach(asked)
    return _embed(asked, wish)


def _answers(path: Path) -> bool:
    """Whether an engine listens on the socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(2.0)
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def _attach(asked: Session) -> int:
    pacing: list[asyncio.Task[None]] = []

    async def connect() -> Connection:
        from ktui.client.http import HttpClient
        from ktui.engine.pacing import pace

        if not pacing:
            pacing.append(asyncio.create_task(pace(), name="pacing"))
        return Connection(
            client=HttpClient.over_unix_socket(asked.socket), context=f"attached:{asked.data_dir.name}"
        )

    app = KtuiApp(connect, AppSettings(namespace="", quit_choices=(QuitChoice.LEAVE,)))
    app.run()
    return app.return_code or 0


def _embed(asked: Session, wish: EngineWish) -> int:
    started: list[EngineThread] = []

    async def connect() -> Connection:
        from ktui.commands.serve import engine_options, explain
        from ktui.engine.thread import EngineThread

        options = engine_options(
            asked,
            manifests=wish.manifests,
            runtime=wish.runtime,
            prune_limit=wish.prune_limit,
            listen=wish.listen,
            no_api=wish.no_api,
            encrypt_secrets=wish.encrypt_secrets,
        )
        thread = EngineThread(options)
        try:
            client = await thread.start()
        except Exception as error:
            thread.stop()
            failure = explain(error)
            if isinstance(failure, UserError):
                raise OSError(failure.message) from error
            log.exception("the engine could not be started")
            raise OSError(f"{type(failure).__name__}: {failure}") from error
        started.append(thread)
        return Connection(client=client, runtime=wish.runtime, manifests=str(wish.manifests or ""))

    app = KtuiApp(connect, AppSettings(namespace=""))
    choice = app.run()
    for thread in started:
        thread.stop(stop_pods=choice is QuitChoice.STOP)
    if choice is QuitChoice.SERVE and started:
        _hand_over(asked, wish)
    return app.return_code or 0


def _hand_over(asked: Session, wish: EngineWish) -> None:
    """Start a background `ktui serve` on the data folder and wait until it serves."""
    arguments = [
        sys.executable,
        "-m",
        "ktui",
        "--data-dir",
        str(asked.data_dir),
        "serve",
        "--runtime",
        wish.runtime,
    ]
    arguments += ["--prune-limit", str(wish.prune_limit)]
    if wish.manifests is not None:
        arguments += ["--manifests", str(wish.manifests)]
    if wish.listen is not None:
        arguments += ["--listen", wish.listen]
    if wish.no_api:
        arguments.append("--no-api")
    if wish.encrypt_secrets is not None:
        arguments += ["--encrypt-secrets", str(wish.encrypt_secrets.absolute())]
    with (asked.data_dir / "serve.log").open("ab") as output:
        process = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=output,
            start_new_session=True,
        )
    assert process.stdout is not None
    line = process.stdout.readline().decode(errors="replace").strip()
    if not line.startswith("ktui ready"):
        raise UserError(f"the background engine did not start; see {asked.data_dir / 'serve.log'}")
    click.echo(
        f"{line}\nThe engine goes on as process {process.pid}; `ktui` attaches to it, SIGTERM ends it."
    )
