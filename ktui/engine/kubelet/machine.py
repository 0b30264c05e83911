"""Facts of the machine the kubelet runs on, read from the kernel: processors, memory, disk, identity, resolver.

Everything here is read anew when asked; `root` lets a test put other files in place of the machine's.
"""

from __future__ import annotations

import os
import platform
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path

from ktui.engine.kubelet.runtime.base import DNSConfig

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}
_STUB_RESOLVER = "127.0.0.53"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a Node's status tells of the machine. Memory and disk are bytes."""

    cpus: int
    memory: int
    memory_available: int
    disk: int
    disk_available: int
    pids_max: int
    pids_used: int
    architecture: str
    kernel: str
    os_image: str
    machine_id: str
    system_uuid: str
    boot_id: str
    hostname: str


def read_machine(data_dir: Path, root: Path = Path("/")) -> Machine:
    """The machine as it is now; `data_dir` tells which disk counts."""
    memory = _meminfo(root / "proc/meminfo")
    disk = shutil.disk_usage(_existing(data_dir))
    machine_id = _text(root / "etc/machine-id") or uuid.uuid5(uuid.NAMESPACE_DNS, platform.node()).hex
    uname = os.uname()
    return Machine(
        cpus=len(os.sched_getaffinity(0)),
        memory=memory.get("MemTotal", 0),
        memory_available=memory.get("MemAvailable", memory.get("MemFree", 0)),
        disk=disk.total,
        disk_available=disk.free,
        pids_max=int(_text(root / "proc/sys/kernel/pid_max") or 32768),
        pids_used=_process_count(root / "proc/loadavg"),
        architecture=_ARCHITECTURES.get(uname.machine, uname.machine),
        kernel=uname.release,
        os_image=_os_image(root / "etc/os-release"),
        machine_id=machine_id,
        system_uuid=_text(root / "sys/class/dmi/id/product_uuid") or machine_id,
        boot_id=_text(root / "proc/sys/kernel/random/boot_id"),
        hostname=uname.nodename,
    )


def host_dns(root: Path = Path("/")) -> DNSConfig:
    """The host's resolver as pods may use it: behind a local stub, the servers the stub asks."""
    found = _resolv_conf(root / "etc/resolv.conf")
    if list(found.servers) == [_STUB_RESOLVER]:
        behind = _resolv_conf(root / "run/systemd/resolve/resolv.conf")
        return behind if behind.servers else found
    return found


def _resolv_conf(path: Path) -> DNSConfig:
    servers: list[str] = []
    searches: list[str] = []
    options: list[str] = []
    for line in _text(path).splitlines():
        match line.split():
            case ["nameserver", server, *_]:
                servers.append(server)
            case ["search" | "domain", *domains]:
                searches = [domain for domain in domains if domain != "."]
            case ["options", *words]:
                options.extend(words)
            case _:
                pass
    return DNSConfig(servers=servers, searches=searches, options=options)


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _meminfo(path: Path) -> dict[str, int]:
    found: dict[str, int] = {}
    for line in _text(path).splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        if words and words[0].isdigit():
            found[name] = int(words[0]) * (1024 if words[1:] == ["kB"] else 1)
    return found


def _process_count(path: Path) -> int:
    """The second half of `running/total` in loadavg."""
    words = _text(path).split()
    total = words[3].partition("/")[2] if len(words) > 3 else ""
    return int(total) if total.isdigit() else 0


def _os_image(path: Path) -> str:
    for line in _text(path).splitlines():
        name, _, value = line.partition("=")
        if name == "PRETTY_NAME":
            return value.strip('"')
    return platform.system()


def _existing(path: Path) -> Path:
    while not path.exists() and path != path.parent:
        path = path.parent
    return path
