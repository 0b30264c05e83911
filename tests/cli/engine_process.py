"""A `ktui serve` in a process of its own, and ktui's verbs run against it."""

from __future__ import annotations

import io
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ktui.cli import main

_LISTEN = "0A"


def _connections(pid: int, protocol: str) -> list[str]:
    table = Path(f"/proc/{pid}/net/{protocol}")
    return table.read_text().splitlines()[1:] if table.exists() else []


@dataclass(frozen=True)
class Result:
    """What a verb printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


class EngineProcess:
    """One engine on a data folder of its own."""

    def __init__(
        self, data_dir: Path, manifests: Path | None, runtime: str = "sim", options: Sequence[str] = ()
    ) -> None:
        self.data_dir = data_dir
        self.manifests = manifests
        self.runtime = runtime
        self.options = options
        self.process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        """How it is run."""
        words = [sys.executable, "-m", "ktui", "--data-dir", str(self.data_dir)]
        words += ["serve", "--runtime", self.runtime, *self.options]
        return words if self.manifests is None else [*words, "--manifests", str(self.manifests)]

    def start(self, seconds: float = 60) -> str:
        """Start it and return its `ktui ready` line."""
        self.data_dir.parent.mkdir(parents=True, exist_ok=True)
        # A file, not a pipe: nobody reads while it runs, and a full pipe would stop it.
        with self._errors.open("ab") as errors:
            self.process = subprocess.Popen(self.command(), stdout=subprocess.PIPE, stderr=errors)
        assert self.process.stdout is not None
        readable, _, _ = select.select([self.process.stdout], [], [], seconds)
        line = self.process.stdout.readline().decode() if readable else ""
        if not line.startswith("ktui ready"):
            self.process.kill()
            raise AssertionError(f"the engine did not start: {line!r} {self.said()}")
        return line

    @property
    def _errors(self) -> Path:
        return self.data_dir.parent / f"{self.data_dir.name}.stderr"

    def said(self, lines: int = 20) -> str:
        """The end of what the engine, and its network agent, wrote: stderr and logs."""
        logs = (self.data_dir / "ktui.log", self.data_dir / "network" / "ktui.log")
        texts = [file.read_text(errors="replace") for file in (self._errors, *logs) if file.exists()]
        return "\n".join(line for text in texts for line in text.splitlines()[-lines:])

    def until_logs(self, line: str, seconds: float = 30) -> None:
        """Wait until the engine has written a line to stderr."""
        end = time.monotonic() + seconds
        while line not in self._errors.read_text().splitlines():
            assert time.monotonic() < end, f"the engine said {self.said()!r}"
            time.sleep(0.05)

    def listens_on(self) -> list[str]:
        """The TCP addresses its process listens on, as /proc writes them."""
        assert self.process is not None
        fds = Path(f"/proc/{self.process.pid}/fd")
        held = {str(each.readlink()) for each in fds.iterdir()}
        lines = [line.split() for name in ("tcp", "tcp6") for line in _connections(self.process.pid, name)]
        return [words[1] for words in lines if words[3] == _LISTEN and f"socket:[{words[9]}]" in held]

    def stop(self, number: int = signal.SIGTERM, seconds: float = 30) -> int:
        """End it by a signal; returns its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        code = self.process.wait(seconds)
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.process = None
        return code

    def run(self, *words: str, stdin: str = "") -> Result:
        """Run a verb to its end, in this process: it is the same code, without Python's start each time."""
        streams = [
            io.TextIOWrapper(io.BytesIO(data), encoding="utf-8") for data in (stdin.encode(), b"", b"")
        ]
        before = sys.stdin, sys.stdout, sys.stderr, os.environ.get("KTUI_DATA_DIR")
        sys.stdin, sys.stdout, sys.stderr = streams
        os.environ["KTUI_DATA_DIR"] = str(self.data_dir)
        code = 0
        try:
            main(words)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        finally:
            sys.stdin, sys.stdout, sys.stderr = before[:3]
            if before[3] is None:
                del os.environ["KTUI_DATA_DIR"]
            else:
                os.environ["KTUI_DATA_DIR"] = before[3]
        texts: list[str] = []
        for stream in streams[1:]:
            stream.flush()
            texts.append(stream.buffer.getvalue().decode())
        return Result(code, *texts)

    def ok(self, *words: str, stdin: str = "") -> Result:
        """Run a verb that must go well."""
        result = self.run(*words, stdin=stdin)
        assert result.code == 0, f"ktui {' '.join(words)}: {result.err or result.out}"
        return result

    def until(self, check: str, *words: str, seconds: float = 30) -> Result:
        """Run a verb again and again until its output is `check`; fails with what it printed last."""
        end = time.monotonic() + seconds
        while True:
            result = self.run(*words)
            if result.out.strip() == check:
                return result
            assert time.monotonic() < end, f"ktui {' '.join(words)} printed {result.out!r} {result.err!r}"
