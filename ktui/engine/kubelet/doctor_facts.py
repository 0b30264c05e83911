"""What a machine offers for running pods, gathered without judging: `doctor.py` turns it into checks.

Nothing here raises: what can't be found out is empty, what fails gives its words. The one thing that is tried
for real is a pod, in a throw-away folder, and only while no engine runs in the given one.
"""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import ipaddress
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ktui.engine.kubelet.runtime.base import RuntimeCallError, RuntimeInfo
from ktui.engine.kubelet.runtime.podman import PodmanRuntime
from ktui.engine.kubelet.runtime.podman_config import cgroup_manager, cgroup_version, own_containers_conf
from ktui.engine.kubelet.runtime.podman_identity import Identity, host_routes, read_identity
from ktui.engine.kubelet.runtime.podman_rest import PodmanREST
from ktui.engine.kubelet.runtime.podman_service import socket_path

JSON = dict[str, Any]

PROGRAMS = (
    "podman",
    "runc",
    "crun",
    "conmon",
    "slirp4netns",
    "newuidmap",
    "nft",
    "fuse-overlayfs",
    "nsenter",
)
PORTS = (53, 80, 443)
"""DNS on the pods' gateway, and the ports an Ingress answers on."""
SAMPLE_IMAGE = "localhost/ktui-sample:1"

_COMMAND_SECONDS = 20.0
_SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that the checks look at."""

    uid: int
    user: str
    programs: Mapping[str, str] = field(default_factory=dict[str, str])
    """Program → path, of those that are installed."""
    podman: JSON = field(default_factory=dict[str, Any])
    """`podman info`."""
    podman_error: str = ""
    cgroups: str = ""
    cgroup_manager: str = ""
    helpers: frozenset[str] = frozenset()
    """Of netavark and catatonit, those that are there."""
    subuid: bool = False
    subgid: bool = False
    tun: str = ""
    """How /dev/net/tun can be opened: "", "missing" or "denied"."""
    nft_error: str = ""
    first_unprivileged_port: int = 1024
    busy_ports: Sequence[int] = ()
    images: Sequence[str] = ()
    identity: Identity | None = None
    socket: str = ""
    engine_answers: bool = False
    subnet_collision: str = ""
    trial: RuntimeInfo | None = None
    trial_error: str = ""


async def gather_facts(data_dir: Path) -> Facts:
    """Look at this machine, and at the engine of `data_dir` if there is one."""
    path = f"{os.environ.get('PATH', '')}:{_SYSTEM_PATH}"
    programs = {name: found for name in PROGRAMS if (found := shutil.which(name, path=path))}
    user = _user()
    identity = read_identity(data_dir)
    socket_file = socket_path(data_dir, identity.engine) if identity else data_dir / "podman.sock"
    facts: dict[str, Any] = {
        "uid": os.geteuid(),
        "user": user,
        "programs": programs,
        "cgroups": cgroup_version(),
        "cgroup_manager": cgroup_manager(),
        "helpers": _helpers(),
        "subuid": _has_range(Path("/etc/subuid"), user),
        "subgid": _has_range(Path("/etc/subgid"), user),
        "tun": _tun(),
        "first_unprivileged_port": _first_unprivileged_port(),
        "busy_ports": [port for port in PORTS if _is_busy(port)],
        "identity": identity,
        "socket": str(socket_file),
    }
    if "nft" in programs and os.geteuid() == 0:
        facts["nft_error"] = (await _run(programs["nft"], "list", "tables"))[1]
    if "podman" not in programs:
        return Facts(**facts)
    with tempfile.TemporaryDirectory(prefix="ktui-doctor-") as folder:
        conf = Path(folder) / "containers.conf"
        await asyncio.to_thread(conf.write_text, own_containers_conf())
        environment = {"CONTAINERS_CONF": str(conf)}
        answer, facts["podman_error"] = await _run(
            programs["podman"], "info", "--format", "json", environment=environment
        )
        with contextlib.suppress(ValueError):
            facts["podman"] = json.loads(answer or "{}")
        listed, _ = await _run(
            programs["podman"],
            "images",
            "--format",
            "{{.Repository}}:{{.Tag}}",
            environment=environment,
        )
        facts["images"] = [line for line in listed.split() if "<none>" not in line]
        facts["engine_answers"] = await _answers(socket_file)
        if identity is not None and not facts["engine_answers"]:
            facts["subnet_collision"] = _collision(identity)
        if not facts["engine_answers"] and not facts["podman_error"]:
            facts["trial"], facts["trial_error"] = await _try_a_pod(Path(folder) / "trial")
    return Facts(**facts)


async def _run(*command: str, environment: Mapping[str, str] | None = None) -> tuple[str, str]:
    """(output, "") of a command that succeeded, ("", its complaint) of one that failed."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, **(environment or {})},
        )
    except OSError as error:
        return "", str(error)
    try:
        async with asyncio.timeout(_COMMAND_SECONDS):
            output, complaint = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return "", f"`{' '.join(command[:2])}` did not end in {_COMMAND_SECONDS:g}s"
    if process.returncode != 0:
        lines = complaint.decode(errors="replace").strip().splitlines()
        return "", lines[-1] if lines else f"exit code {process.returncode}"
    return output.decode(errors="replace"), ""


async def _answers(socket_file: Path) -> bool:
    rest = PodmanREST(socket_file)
    try:
        async with asyncio.timeout(2):
            await rest.raw("GET", "_ping")
        return True
    except (RuntimeCallError, TimeoutError):
        return False
    finally:
        await rest.close()


async def _try_a_pod(folder: Path) -> tuple[RuntimeInfo | None, str]:
    """Start a runtime of its own, which starts a pod, and take everything away again."""
    try:
        runtime = PodmanRuntime(folder)
        try:
            info = await runtime.start()
            await runtime.remove_everything()
        finally:
            await runtime.close()
    except (RuntimeCallError, OSError) as error:
        return None, str(error)
    return info, ""


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.geteuid())


def _helpers() -> frozenset[str]:
    folders = [
        Path("/usr") / place for place in ("libexec/podman", "lib/podman", "bin", "local/libexec/podman")
    ]
    return frozenset(
        name for name in ("netavark", "catatonit") if any((folder / name).exists() for folder in folders)
    )


def _has_range(table: Path, user: str) -> bool:
    try:
        rows = table.read_text().splitlines()
    except OSError:
        return False
    return any(row.partition(":")[0] in {user, str(os.geteuid())} for row in rows)


def _tun() -> str:
    try:
        os.close(os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC))
    except FileNotFoundError:
        return "missing"
    except OSError:
        return "denied"
    return ""


def _first_unprivileged_port() -> int:
    try:
        return int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    except (OSError, ValueError):
        return 1024


def _is_busy(port: int) -> bool:
    """Whether someone listens on `port` at every address of this machine."""
    wanted = f"00000000:{port:04X}"
    for table in ("/proc/net/tcp", "/proc/net/udp"):
        with contextlib.suppress(OSError):
            for row in Path(table).read_text().splitlines()[1:]:
                fields = row.split()
                is_listening = fields[3] == "0A" or table.endswith("udp")
                if fields[1] == wanted and is_listening:
                    return True
    return False


def _collision(identity: Identity) -> str:
    """A route of the host that meets the engine's subnet, its own bridge's apart."""
    if not identity.subnet:
        return ""
    ours = ipaddress.IPv4Network(identity.subnet)
    return next((str(route) for route in host_routes() if route != ours and route.overlaps(ours)), "")
