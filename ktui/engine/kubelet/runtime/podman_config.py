"""The containers.conf that ktui's Podman runs with: a pure function of what the process may do.

Podman's defaults assume a login session with systemd and CAP_SYS_RESOURCE; without these, containers fail to
start ("error setting rlimit"). Scripts get the same text from
`python -m ktui.engine.kubelet.runtime.podman_config`.
"""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path
from typing import Literal, NamedTuple

_MOST_FILES = 1_048_576
_MOST_PROCESSES = 4_194_304
"""The kernel's own maximum, where /proc doesn't tell a lower one."""
_CAP_SYS_RESOURCE = 24


class Limits(NamedTuple):
    """Our own hard limits, which a container's can't exceed without CAP_SYS_RESOURCE."""

    nofile: int
    nproc: int


def own_limits(pid_max: Path = Path("/proc/sys/kernel/pid_max")) -> Limits:
    """The hard limits that Podman's service will have when we start it: it lowers its own number of processes
    to the kernel's highest pid."""

    def hard(what: int, most: int) -> int:
        limit = resource.getrlimit(what)[1]
        return most if limit == resource.RLIM_INFINITY else min(limit, most)

    try:
        processes = int(pid_max.read_text())
    except (OSError, ValueError):
        processes = _MOST_PROCESSES
    return Limits(hard(resource.RLIMIT_NOFILE, _MOST_FILES), hard(resource.RLIMIT_NPROC, processes))


def least_oom_score(process: Path = Path("/proc/self")) -> int:
    """How safe from the kernel's choice a container can be made: without CAP_SYS_RESOURCE no safer than we are;
    what asks for more does not start."""
    try:
        fields = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
        is_able = int(fields.get("CapEff", "0"), 16) >> _CAP_SYS_RESOURCE & 1
        return -1000 if is_able else int((process / "oom_score_adj").read_text())
    except (OSError, ValueError):
        return 0


def raise_descriptor_limit() -> None:
    """Lift our soft limit to the hard one: each running container takes a descriptor (two with its pod)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def cgroup_version(root: Path = Path("/sys/fs/cgroup")) -> Literal["v1", "v1 hybrid", "v2", "none"]:
    """The hierarchy in use."""
    if (root / "cgroup.controllers").exists():
        return "v2"
    if (root / "unified").is_dir():
        return "v1 hybrid"
    return "v1" if (root / "memory").is_dir() else "none"


def cgroup_manager() -> Literal["systemd", "cgroupfs"]:
    """systemd where it runs (for this user) on cgroup v2; otherwise Podman makes the cgroups itself."""
    session = Path("/run/systemd/system")
    if os.geteuid() != 0:
        session = Path(os.environ.get("XDG_RUNTIME_DIR", "/nonexistent")) / "systemd"
    return "systemd" if cgroup_version() == "v2" and session.is_dir() else "cgroupfs"


def containers_conf(
    limits: Limits, manager: Literal["systemd", "cgroupfs"], *, oci_runtime: str = "", backend: str = ""
) -> str:
    """The text of a containers.conf. `backend` "": whichever Podman finds."""
    lines = [
        "[containers]",
        f'default_ulimits = ["nofile={limits.nofile}:{limits.nofile}", "nproc={limits.nproc}:{limits.nproc}"]',
        'log_driver = "k8s-file"',
        "[engine]",
        *([f'runtime = "{oci_runtime}"'] if oci_runtime else []),
        f'cgroup_manager = "{manager}"',
        'events_logger = "file"',
        *(["[network]", f'network_backend = "{backend}"'] if backend else []),
    ]
    return "\n".join(lines) + "\n"


def network_backend() -> str:
    """ "netavark" where it is installed: a Podman that never ran picks CNI by its mere leftovers."""
    directories = (
        "/usr/libexec/podman",
        "/usr/lib/podman",
        "/usr/local/libexec/podman",
        "/usr/local/lib/podman",
    )
    return "netavark" if any((Path(folder) / "netavark").exists() for folder in directories) else ""


def own_containers_conf(oci_runtime: str = "") -> str:
    """The containers.conf fit for this process on this machine."""
    return containers_conf(own_limits(), cgroup_manager(), oci_runtime=oci_runtime, backend=network_backend())


if __name__ == "__main__":
    sys.stdout.write(own_containers_conf())
