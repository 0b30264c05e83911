"""A `ktui serve` with the sim runtime, and the real kubectl run against it."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import pytest

SECONDS = 30.0


@dataclass(frozen=True)
class Result:
    """What kubectl printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def rows(self) -> list[list[str]]:
        return [line.split() for line in self.lines]


@dataclass
class Kubectl:
    """kubectl with one kubeconfig, in one namespace."""

    kubeconfig: Path
    namespace: str = "default"
    environment: dict[str, str] = field(default_factory=dict[str, str])

    def _arguments(self, words: tuple[str, ...]) -> list[str]:
        return ["kubectl", "--namespace", self.namespace, *words]

    def _environment(self) -> dict[str, str]:
        home = str(self.kubeconfig.parent / "home")
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig), "HOME": home, **self.environment}

    def run(self, *words: str, stdin: str = "") -> Result:
        done = subprocess.run(
            self._arguments(words),
            input=stdin.encode(),
            capture_output=True,
            timeout=SECONDS,
            env=self._environment(),
        )
        return Result(done.returncode, done.stdout.decode(), done.stderr.decode())

    def ok(self, *words: str, stdin: str = "") -> str:
        """The output of a command that must go well."""
        result = self.run(*words, stdin=stdin)
        assert result.code == 0, f"kubectl {' '.join(words)}: {result.err or result.out}"
        return result.out

    def fails(self, *words: str, stdin: str = "") -> str:
        """The errors of a command that must not."""
        result = self.run(*words, stdin=stdin)
        assert result.code != 0, f"kubectl {' '.join(words)} went well: {result.out}"
        return result.err

    def until(self, check: str, *words: str) -> str:
        """The output once it is `check`."""
        end = time.monotonic() + SECONDS
        while True:
            out = self.run(*words)
            if out.out.strip() == check:
                return out.out
            assert time.monotonic() < end, f"kubectl {' '.join(words)} printed {out}"

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """kubectl that goes on; its output is a pipe."""
        return subprocess.Popen(
            self._arguments(words),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self._environment(),
            bufsize=0,  # what was read ahead would be hidden from select
        )


@lru_cache(maxsize=1)
def minor() -> int:
    """Which kubectl this is: 32 for 1.32. Fails without one."""
    assert shutil.which("kubectl"), "these tests need kubectl; scripts/setup.sh installs it"
    done = subprocess.run(["kubectl", "version", "--client", "-o", "json"], capture_output=True, check=True)
    return int(json.loads(done.stdout)["clientVersion"]["minor"].rstrip("+"))


def since(version: int):
    """Marks a test of what kubectl can do, or says that way, since 1.`version`."""
    has_it = shutil.which("kubectl") is None or minor() >= version
    return pytest.mark.skipif(not has_it, reason=f"kubectl is older than 1.{version}")


def line_of(process: subprocess.Popen[bytes], seconds: float = SECONDS) -> str:
    """The next line a process prints."""
    assert process.stdout is not None
    readable, _, _ = select.select([process.stdout], [], [], seconds)
    assert readable, "nothing was printed in time"
    return process.stdout.readline().decode().rstrip()


def ended(process: subprocess.Popen[bytes]) -> None:
    """End a process and its pipes."""
    process.kill()
    process.communicate()


def start_engine(data_dir: Path) -> subprocess.Popen[bytes]:
    """An engine on a port of its own; returns when it is ready."""
    minor()
    words = ["--data-dir", str(data_dir), "serve", "--runtime", "sim", "--listen", "127.0.0.1:0"]
    log = data_dir.with_suffix(".stderr")
    # A file, not a pipe: nobody reads while it runs, and a full pipe would stop it.
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "ktui", *words], stdout=subprocess.PIPE, stderr=errors, bufsize=0
        )
    line = line_of(process, 60)
    if not line.startswith("ktui ready"):
        process.kill()
        raise AssertionError(f"the engine did not start: {line} {log.read_text()}")
    return process


WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: main, image: "web:1", ports: [{containerPort: 80}]}
"""
