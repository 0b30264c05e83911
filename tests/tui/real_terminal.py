"""A real terminal for the TUI: tmux on a server of its own, keys in, screen out."""

from __future__ import annotations

import os
import subprocess
import time
import uuid
from collections.abc import Sequence


class RealTerminal:
    """One tmux session of its own server; `close` ends it with what runs in it."""

    def __init__(
        self, command: Sequence[str], *, said_at_end: str, columns: int = 120, rows: int = 32
    ) -> None:
        """Run a command; when it ends the screen says `said_at_end` and its exit code."""
        self._server = f"ktui-test-{uuid.uuid4().hex[:8]}"
        size = ["-x", str(columns), "-y", str(rows)]
        environment = {**os.environ, "TERM": "xterm-256color"}
        quoted = " ".join(f"'{word}'" for word in command)
        subprocess.run(
            [
                "tmux",
                "-L",
                self._server,
                "-f",
                "/dev/null",
                "new-session",
                "-d",
                *size,
                f"{quoted}; echo {said_at_end} $?; cat",
            ],
            check=True,
            env=environment,
        )

    def send(self, *keys: str) -> None:
        """Keys by tmux's names (`Enter`, `C-q`), anything else is typed as it is."""
        subprocess.run(["tmux", "-L", self._server, "send-keys", *keys], check=True)

    def screen(self) -> str:
        shown = subprocess.run(
            ["tmux", "-L", self._server, "capture-pane", "-p"], check=True, capture_output=True, text=True
        )
        return shown.stdout

    def until(self, *texts: str, seconds: float = 60) -> str:
        """The screen once it shows all the texts; fails with what it shows instead."""
        end = time.monotonic() + seconds
        while True:
            screen = self.screen()
            if all(text in screen for text in texts):
                return screen
            assert time.monotonic() < end, f"no {texts} in {seconds} s on:\n{screen}"

    def close(self) -> None:
        subprocess.run(["tmux", "-L", self._server, "kill-server"], check=False, capture_output=True)
