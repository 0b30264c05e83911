"""What engine and network agent know of each other: the files in the agent's folder and a word on its output."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from ktui.engine.logs import log_to
from ktui.engine.network.settings import NetworkSettings

SETTINGS = "settings.json"
PID = "agent.pid"
AGENT = "ktui.engine.network.process"
"""The module that an agent's process runs."""
READY = "ready"
"""What the agent says on its standard output once it serves."""


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """What is in `settings.json`."""

    socket: str
    """The API's unix socket."""
    settings: NetworkSettings
    debug: bool = False


def read_launch(folder: Path) -> Launch | None:
    """What the last engine of a data folder told its agent; None when there was none."""
    try:
        return msgspec.json.decode((folder / SETTINGS).read_bytes(), type=Launch)
    except (OSError, msgspec.MsgspecError):
        return None


def started_with() -> tuple[Path, Launch]:
    """What a process of the network was started with: the folder that its first argument names, where it logs
    from now on. Ends the process when there are no settings."""
    folder = Path(sys.argv[1])
    launch = read_launch(folder)
    if launch is None:
        sys.exit(f"{folder / SETTINGS}: no settings")
    log_to(folder, debug=launch.debug)
    return folder, launch


def running_agent(folder: Path) -> int:
    """The process id of the agent of a folder, 0 when none runs."""
    try:
        pid = int((folder / PID).read_text())
    except (OSError, ValueError):
        return 0
    return pid if is_agent(pid, folder) else 0


def agents_of(folder: Path) -> list[int]:
    """Every agent of a folder that runs, the oldest first: one that is killed while it takes over leaves the one
    before to its successor."""
    found = [int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit()]
    return sorted((pid for pid in found if is_agent(pid, folder, AGENT)), key=_began)


def _began(pid: int) -> int:
    """When a process began, in the kernel's ticks."""
    try:
        # Behind the command's name, which may hold anything.
        return int(Path("/proc", str(pid), "stat").read_text(errors="replace").rpartition(")")[2].split()[19])
    except (OSError, IndexError):
        return 0


def is_agent(pid: int, folder: Path, module: str = "") -> bool:
    """Whether a process is (still) an agent of a folder, or runs just that module for it."""
    try:
        words = Path("/proc", str(pid), "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return str(folder).encode() in words and (not module or module.encode() in words)
