"""`ktui serve`: the engine without the TUI."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ktui.commands.flags import Verb
from ktui.commands.listening import encrypt_secrets_option, host_and_port, listen_option, no_api_option
from ktui.commands.session import Session, UserError, session

if TYPE_CHECKING:
    from ktui.engine.engine import EngineOptions, RuntimeName


_NO_WRITING = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EEXIST, errno.ENOTDIR, errno.ENOSPC)
"""Why a data folder can't be used."""


@click.command("serve", cls=Verb)
@click.option(
    "--manifests",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="The folder of manifests to watch.",
)
@click.option("--runtime", type=click.Choice(["podman", "sim"]), default=None, help="[default: podman]")
@click.option(
    "--prune-limit",
    type=click.IntRange(min=0),
    default=None,
    metavar="N",
    help="Deleting more objects than this at once waits for a yes. [default: 20]",
)
@listen_option
@no_api_option
@encrypt_secrets_option
@click.pass_context
def command(
    context: click.Context,
    manifests: Path | None,
    runtime: RuntimeName | None,
    prune_limit: int | None,
    listen: str | None,
    no_api: bool,
    encrypt_secrets: Path | None,
) -> None:
    """Run the engine until SIGTERM or SIGINT; its containers keep running after that."""
    gc.disable()  # until the engine paces it: what is loaded now stays, and looking through it takes 50 ms
    before = context.find_root().params
    options = engine_options(
        session(),
        manifests=manifests or before.get("manifests"),
        runtime=runtime or before.get("runtime") or "podman",
        prune_limit=prune_limit if prune_limit is not None else before.get("prune_limit", 20),
        listen=listen or before.get("listen"),
        no_api=no_api or before.get("no_api", False),
        encrypt_secrets=encrypt_secrets or before.get("encrypt_secrets"),
    )
    sys.exit(asyncio.run(_serve(options)))


def engine_options(
    asked: Session,
    *,
    manifests: Path | None,
    runtime: RuntimeName,
    prune_limit: int,
    listen: str | None = None,
    no_api: bool = False,
    encrypt_secrets: Path | None = None,
) -> EngineOptions:
    """The options of an engine on a session's data folder."""
    from ktui.engine.api.http.secure import Address
    from ktui.engine.engine import EngineOptions

    if listen and no_api:
        raise UserError("--listen says where to serve the API and --no-api says not to; give one of them")
    address = None if no_api else Address(*host_and_port(listen)) if listen else Address()
    if manifests and manifests.exists() and not manifests.is_dir():
        raise UserError(
            f"{manifests}: --manifests takes a folder; apply one file with `ktui apply -f {manifests}`"
        )

    return EngineOptions(
        data_dir=asked.data_dir,
        socket=asked.socket,
        listen=address,
        encrypt_secrets=encrypt_secrets.absolute() if encrypt_secrets else None,
        manifests=manifests.absolute() if manifests else None,
        runtime=runtime,
        prune_limit=prune_limit,
        debug=asked.debug,
    )


def _ask(stopping: asyncio.Event) -> None:
    """The first signal asks to stop; a second one does not wait for it."""
    if stopping.is_set():
        os._exit(1)
    stopping.set()


async def _serve(options: EngineOptions) -> int:
    from ktui.engine.engine import Engine

    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _ask, stopping)
    engine = Engine(options)
    starting = asyncio.create_task(engine.start())
    waiting = asyncio.create_task(stopping.wait())
    await asyncio.wait((starting, waiting), return_when=asyncio.FIRST_COMPLETED)
    if stopping.is_set() and not starting.done():
        starting.cancel()
        await asyncio.wait((starting,))
        return 0
    waiting.cancel()
    failure = starting.exception()
    if failure is not None:
        raise explain(failure)
    info = engine.runtime_info
    runtime = f"{info.name} {info.version}" if info else options.runtime
    note = " (simulated: no container really runs)" if options.runtime == "sim" else ""
    places = " and ".join(place for place in (str(options.socket), engine.url) if place)
    click.echo(f"ktui ready: {places}, runtime {runtime}{note}, data {options.data_dir}")
    if options.manifests and not options.manifests.exists():
        click.echo(f"{options.manifests} is not there (yet); ktui waits for it", err=True)
    await stopping.wait()
    await engine.stop()
    return 0


def explain(failure: BaseException) -> BaseException:
    """A start that failed, as the one line the user gets."""
    from ktui.engine.api.http.secure import ListenError
    from ktui.engine.api.pki.folder import PkiError
    from ktui.engine.api.secrets_at_rest import KeyFileError
    from ktui.engine.kubelet.runtime.base import RuntimeCallError
    from ktui.engine.store import CorruptStoreError, LockedError, StoreError

    if isinstance(failure, LockedError):
        return UserError(f"{failure}; look at it with `ktui` or ktui's verbs, or use another --data-dir")
    if isinstance(failure, CorruptStoreError):
        return UserError(f"{failure}; `ktui store repair` goes back to the last good state")
    cause = failure.__cause__ if isinstance(failure, StoreError | PkiError) else failure
    if isinstance(cause, OSError) and cause.errno in _NO_WRITING:
        where = f"{cause.filename}: " if cause.filename else ""
        return UserError(
            f"{where}{cause.strerror}; the data folder must be a folder ktui can write to: mend it, "
            f"or name another with --data-dir"
        )
    if isinstance(failure, StoreError | KeyFileError | ListenError | PkiError):
        return UserError(str(failure))
    if isinstance(failure, RuntimeCallError):
        return UserError(
            f"{' '.join(str(failure).split())}; `ktui doctor` says what mends it, and --runtime sim works without Podman"
        )
    if isinstance(failure, TimeoutError):
        return UserError("the node did not become ready in time; see ktui.log in the data folder")
    return failure
