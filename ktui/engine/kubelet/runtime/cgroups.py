"""Reading a container's cgroup, version 1 or 2: CPU and memory in use, and whether the kernel's OOM killer struck.

Podman gives a container's path below the hierarchy. Files vanish with the container, so everything here
answers None instead of raising. Podman itself reports OOMKilled=false on hybrid hierarchies, hence the
counters are read here, the moment a container's process ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Usage:
    """Cumulative CPU time in nanoseconds; memory in bytes, with and without inactive page cache."""

    cpu_nanoseconds: int
    memory_usage: int
    memory_working_set: int


def is_unified(root: Path = ROOT) -> bool:
    """Whether controllers live in one version 2 hierarchy."""
    return (root / "cgroup.controllers").exists()


def parse_counters(text: str) -> dict[str, int]:
    """`key number` lines."""
    pairs = (line.split() for line in text.splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def oom_kills(cgroup_path: str, root: Path = ROOT) -> int | None:
    """How many processes of the cgroup the OOM killer has killed; None when it is gone."""
    relative = cgroup_path.lstrip("/")
    if is_unified(root):
        file = root / relative / "memory.events"
    else:
        file = root / "memory" / relative / "memory.oom_control"
    try:
        return parse_counters(file.read_text()).get("oom_kill", 0)
    except OSError:
        return None


def system_oom_kills(vmstat: Path = Path("/proc/vmstat")) -> int | None:
    """The kernel's own count since boot, for deaths whose cgroup went before it could be read."""
    try:
        return parse_counters(vmstat.read_text()).get("oom_kill")
    except OSError:
        return None


def usage(cgroup_path: str, root: Path = ROOT) -> Usage | None:
    """What the cgroup uses; None when it is gone or not accounted."""
    relative = cgroup_path.lstrip("/")
    try:
        if is_unified(root):
            folder = root / relative
            memory = int((folder / "memory.current").read_text())
            inactive = parse_counters((folder / "memory.stat").read_text()).get("inactive_file", 0)
            microseconds = parse_counters((folder / "cpu.stat").read_text()).get("usage_usec", 0)
            return Usage(microseconds * 1000, memory, max(0, memory - inactive))
        folder = root / "memory" / relative
        memory = int((folder / "memory.usage_in_bytes").read_text())
        inactive = parse_counters((folder / "memory.stat").read_text()).get("total_inactive_file", 0)
        nanoseconds = int((_cpuacct(root) / relative / "cpuacct.usage").read_text())
        return Usage(nanoseconds, memory, max(0, memory - inactive))
    except (OSError, ValueError):
        return None


def network_bytes(pid: int) -> tuple[int, int]:
    """(received, sent) in the network namespace of process `pid`, its loopback apart."""
    received = sent = 0
    try:
        rows = Path(f"/proc/{pid}/net/dev").read_text().splitlines()[2:]
    except OSError:
        return 0, 0
    for row in rows:
        name, _, figures = row.partition(":")
        if name.strip() != "lo":
            fields = figures.split()
            received += int(fields[0])
            sent += int(fields[8])
    return received, sent


def _cpuacct(root: Path) -> Path:
    folder = root / "cpuacct"
    return folder if folder.is_dir() else root / "cpu,cpuacct"
