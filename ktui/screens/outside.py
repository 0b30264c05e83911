"""Giving the terminal to something else: an editor, a shell in a container; then taking it back.

The app is suspended meanwhile but its loop goes on, so that watches and the engine do not fall behind; what it
would paint is held back until the terminal is its own again.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from textual.app import SuspendNotSupported

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from textual.app import App

    from ktui.client.base import ExecSession

_EDITOR_VARIABLES = ("KTUI_EDITOR", "KUBE_EDITOR", "VISUAL", "EDITOR")
_FALLBACKS = ("vi", "vim", "nano", "ed")
_JUMPS_BY_PLUS = frozenset(
    ("vi", "vim", "nvim", "view", "nano", "emacs", "emacsclient", "mg", "joe", "micro", "kak", "ne")
)


_given: WeakSet[App[Any]] = WeakSet()
"""Apps that do without their terminal right now."""


class OutsideError(OSError):
    """The terminal can't be given away, or there is nothing to give it to."""


def editor_command() -> list[str]:
    """The editor the user wants, split into words. Raises OutsideError when there is none."""
    for variable in _EDITOR_VARIABLES:
        value = os.environ.get(variable, "").strip()
        if value:
            return shlex.split(value)
    for name in _FALLBACKS:
        if shutil.which(name):
            return [name]
    raise OutsideError("no editor found: set KTUI_EDITOR or EDITOR")


def editor_arguments(editor: Sequence[str], path: Path, line: int = 0) -> list[str]:
    """The command that opens a file, at a line where the editor is known to take one."""
    name = Path(editor[0]).name
    if line > 0 and name in _JUMPS_BY_PLUS:
        return [*editor, f"+{line}", str(path)]
    if line > 0 and name in ("code", "codium", "subl", "hx", "zed"):
        goto = ["--goto"] if name in ("code", "codium") else []
        return [*editor, *goto, f"{path}:{line}"]
    return [*editor, str(path)]


@contextmanager
def terminal_of(app: App[Any]) -> Iterator[None]:
    """The terminal, while inside; the app is drawn anew after. Raises OutsideError when something has it already."""
    if app in _given:
        # A key that was typed ahead of a shell or an editor; taking the terminal twice would never end.
        raise OutsideError("the terminal is in use")
    interrupt = signal.getsignal(signal.SIGINT)
    _given.add(app)
    try:
        with app.batch_update(), app.suspend():
            # ctrl+c is for whoever has the terminal; a handler (unlike "ignore") is not inherited by children.
            signal.signal(signal.SIGINT, lambda number, frame: None)
            yield
    except SuspendNotSupported:
        raise OutsideError("this terminal can't be given away (Textual runs without one)") from None
    finally:
        _given.discard(app)
        signal.signal(signal.SIGINT, interrupt)
    app.refresh(layout=True)


async def edit_file(app: App[Any], path: Path, line: int = 0) -> bool:
    """Open the user's editor on a file and wait; True when the file was written. Raises OSError."""
    command = editor_arguments(editor_command(), path, line)
    before = path.stat().st_mtime_ns, path.read_bytes()
    with terminal_of(app):
        code = await asyncio.to_thread(_run, command)
    if code:
        raise OutsideError(f"{shlex.join(command)} ended with exit code {code}")
    return (path.stat().st_mtime_ns, path.read_bytes()) != before


def _run(command: Sequence[str]) -> int:
    try:
        return subprocess.run(command, check=False).returncode
    except FileNotFoundError:
        raise OutsideError(f"there is no editor {command[0]}: set KTUI_EDITOR or EDITOR") from None


async def run_in_terminal(
    app: App[Any], start: Callable[[], Awaitable[ExecSession]], greeting: str, *, tty: bool
) -> int:
    """Give the terminal to an exec session until it ends; returns the exit code. ctrl+c leaves one without a TTY.

    The terminal is given before the session starts, so that what is typed ahead goes to it and not to the app.
    """
    from ktui.client.terminal import raw_terminal

    with terminal_of(app):
        sys.stdout.write(f"\x1b[2J\x1b[H{greeting}\n")
        sys.stdout.flush()
        if tty:
            with raw_terminal():
                return await _run_session(start, tty=True)
        task = asyncio.ensure_future(_run_session(start, tty=False))
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, task.cancel)
        try:
            return await task
        except asyncio.CancelledError:
            if not task.cancelled():
                raise
            return 130
        finally:
            loop.remove_signal_handler(signal.SIGINT)


async def _run_session(start: Callable[[], Awaitable[ExecSession]], *, tty: bool) -> int:
    from ktui.client.terminal import run_session

    session = await start()
    try:
        return await run_session(session, stdin=True, tty=tty)
    finally:
        await session.close()
