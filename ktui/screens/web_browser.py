"""Opening an address in the user's web browser, where there is one; else showing and copying it.

The browser runs in a process of its own with nothing on its standard streams, so that neither it nor a message of
its launcher ever gets onto the screen. Over ssh, and on a Linux machine without a display, there is none: what
would start there is a browser in text, on the terminal that is ktui's.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import TypeAlias

Opener: TypeAlias = Callable[[str], bool]
"""Opens an address; False where there is no browser. Runs in a thread."""


def has_browser(environment: Mapping[str, str], platform: str) -> bool:
    """Whether a window can be opened where the user looks."""
    if environment.get("SSH_CONNECTION") or environment.get("SSH_TTY"):
        return False
    if platform in ("darwin", "win32"):
        return True
    return bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))


def open_in_browser(url: str) -> bool:
    """The usual `Opener`."""
    if not has_browser(os.environ, sys.platform):
        return False
    try:
        done = subprocess.run(
            [sys.executable, "-m", "webbrowser", "-t", url],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


async def show_in_browser(
    opener: Opener, url: str, copy: Callable[[str], object], say: Callable[[str], object]
) -> None:
    """Open an address, or copy it; and say which."""
    if await asyncio.to_thread(opener, url):
        say(f"Opened {url}")
    else:
        copy(url)
        say(f"There is no browser here; copied {url}")
