"""A fresh ordinary user of this machine, who runs ktui with rootless Podman.

The interpreter and the repository may lie where that user can't read, so a command of theirs runs in a mount
namespace of its own, in which both are bound into a folder that they can.
"""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import sysconfig
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from cluster import Cluster

TUN = Path("/dev/net/tun")
REPOSITORY = Path(__file__).parents[2]


class OrdinaryUser:
    """Made by root for one test; `close()` ends what ran as the user and takes the user away."""

    def __init__(self) -> None:
        name = f"ktui-e2e-{os.getpid()}"
        subprocess.run(["useradd", "--create-home", name], check=True, capture_output=True)
        self.account = pwd.getpwnam(name)
        self.home = Path(self.account.pw_dir)
        self._session = Path(f"/run/user/{self.account.pw_uid}")
        self._session.mkdir(mode=0o700, parents=True)
        os.chown(self._session, self.account.pw_uid, self.account.pw_gid)
        self._stage = Path(tempfile.mkdtemp(prefix="ktui-e2e-stage-"))
        self._stage.chmod(0o755)
        for folder in ("python", "packages", "repository"):
            (self._stage / folder).mkdir()
        # Rootless networks need it; it is the usual mode elsewhere.
        self._tun_mode = stat.S_IMODE(TUN.stat().st_mode)
        TUN.chmod(0o666)

    @property
    def python(self) -> str:
        """The interpreter, as the user sees it."""
        inside = Path(sys.executable).resolve().relative_to(Path(sys.base_prefix).resolve())
        return str(self._stage / "python" / inside)

    def command(self, *words: str) -> list[str]:
        """The words that run a command as the user."""
        sources = {
            "python": sys.base_prefix,
            "packages": sysconfig.get_paths()["purelib"],
            "repository": str(REPOSITORY),
        }
        binds = [f"mount --bind {shlex.quote(source)} {self._stage}/{at}" for at, source in sources.items()]
        environment = {
            "HOME": str(self.home),
            "USER": self.account.pw_name,
            "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin",
            "XDG_RUNTIME_DIR": str(self._session),
            "PYTHONPATH": f"{self._stage}/repository:{self._stage}/packages",
            "PYTHONDONTWRITEBYTECODE": "1",
            # An interpreter with a shared library looks for it where it was installed.
            "LD_LIBRARY_PATH": f"{self._stage}/python/lib",
        }
        become = [
            *("setpriv", f"--reuid={self.account.pw_uid}", f"--regid={self.account.pw_gid}", "--init-groups"),
            *("env", "-i", *(f"{name}={value}" for name, value in environment.items()), *words),
        ]
        script = " && ".join([*binds, f"cd {shlex.quote(str(self.home))}", f"exec {shlex.join(become)}"])
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c", script]

    def run(self, *words: str, stdin: int | None = None) -> str:
        done = subprocess.run(
            self.command(*words), stdin=stdin, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"
        return done.stdout

    def close(self) -> None:
        TUN.chmod(self._tun_mode)
        end = time.monotonic() + 10
        while self._processes() and time.monotonic() < end:
            for process in self._processes():
                with suppress(OSError):
                    os.kill(process, signal.SIGKILL)
            time.sleep(0.05)
        subprocess.run(
            ["userdel", "--force", "--remove", self.account.pw_name], check=False, capture_output=True
        )
        for folder in (self._session, self.home, self._stage):
            shutil.rmtree(folder, ignore_errors=True)

    def _processes(self) -> list[int]:
        found: list[int] = []
        for folder in Path("/proc").iterdir():
            with suppress(OSError):
                if folder.name.isdigit() and folder.stat().st_uid == self.account.pw_uid:
                    found.append(int(folder.name))
        return found


class UsersCluster(Cluster):
    """An engine that such a user runs, in their home."""

    def __init__(self, user: OrdinaryUser) -> None:
        super().__init__()
        self.user = user
        shutil.rmtree(self.root)
        self.data_dir = user.home / "data"
        self.manifests = user.home / "manifests"
        self.manifests.mkdir()
        os.chown(self.manifests, user.account.pw_uid, user.account.pw_gid)

    def command(self) -> list[str]:
        return self.user.command(self.user.python, *super().command()[1:])

    def containers(self):
        raise NotImplementedError("rootless containers are in the user's own store")

    def close(self) -> None:
        """The user's end takes everything along."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)
