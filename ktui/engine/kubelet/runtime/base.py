"""The container runtime interface, modelled on Kubernetes' CRI: what the kubelet asks of Podman or of `sim`.

A sandbox is a pod's shared namespaces; containers run in it. The runtime knows nothing of API objects beyond
the names it labels things with, decides nothing (no restarts, no back-off), and reports facts. Labels carry
all a restarted kubelet needs to recognise what is its own. All calls are coroutines and safe to run
concurrently for different pods; durations are seconds, sizes bytes, times timezone-aware UTC.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Literal, Protocol

from ktui.client.base import ExecSession


class RuntimeCallError(Exception):
    """The runtime could not do it; the message is fit for an event or a waiting state."""


class ImageError(RuntimeCallError):
    """`reason` is what the kubelet reports: ErrImagePull, ErrImageNeverPull, InvalidImageName,
    ImageInspectError, RegistryUnavailable."""

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


class NotFoundError(RuntimeCallError):
    """The sandbox, container or image is not there (any more)."""


@dataclass(frozen=True, slots=True)
class PodIdentity:
    """Whose sandbox it is."""

    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DNSConfig:
    """The pod's resolv.conf; None in a SandboxSpec leaves the host's."""

    servers: Sequence[str] = ()
    searches: Sequence[str] = ()
    options: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PortMapping:
    container_port: int
    host_port: int
    host_ip: str = ""
    protocol: Literal["TCP", "UDP"] = "TCP"


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSpec:
    pod: PodIdentity
    attempt: int
    hostname: str
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    """The kubelet's own labels, returned by `pods()` as they are."""
    dns: DNSConfig | None = None
    host_aliases: Sequence[tuple[str, str]] = ()
    """(IP, host name) lines of /etc/hosts."""
    port_mappings: Sequence[PortMapping] = ()
    host_network: bool = False
    host_pid: bool = False
    host_ipc: bool = False
    share_process_namespace: bool = False
    sysctls: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A bind of `source` (a host path), the files of `image`, or a tmpfs when there is neither."""

    target: str
    source: str = ""
    image: str = ""
    """The id of an image, mounted read-only."""
    image_path: str = ""
    """The folder of the image to mount, "" for all of it."""
    read_only: bool = False
    size_bytes: int | None = None
    """Only for tmpfs."""
    propagation: Literal["private", "rslave", "rshared"] = "private"


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device of the host that a container may use, at a path of its own."""

    source: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """Limits put on the container's cgroup; None: unlimited."""

    cpu_shares: int | None = None
    cpu_quota: int | None = None
    cpu_period: int | None = None
    memory_limit: int | None = None
    oom_score_adj: int | None = None
    pids_limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Security:
    user: str = ""
    """"uid", "uid:gid" or a name; "" the image's."""
    supplemental_groups: Sequence[int] = ()
    add_capabilities: Sequence[str] = ()
    drop_capabilities: Sequence[str] = ()
    privileged: bool = False
    read_only_root_filesystem: bool = False
    no_new_privileges: bool = False
    seccomp_profile: str = ""
    """"" the runtime's default, "unconfined", or the path of a profile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSpec:
    name: str
    attempt: int
    image: str
    """An image id, as `pull_image` or `image_status` gave it, or a reference."""
    command: Sequence[str] = ()
    """Replaces the image's entrypoint when not empty."""
    args: Sequence[str] = ()
    """Replaces the image's command when not empty, or when `command` is given."""
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    working_dir: str = ""
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    mounts: Sequence[Mount] = ()
    devices: Sequence[Device] = ()
    resources: Resources = Resources()
    security: Security = Security()
    stdin: bool = False
    stdin_once: bool = False
    tty: bool = False
    stop_signal: str = ""
    process_namespace_of: str = ""
    """The id of a running container of the pod whose processes it sees and whose process 1 it shares."""


class ContainerState(StrEnum):
    CREATED = "created"
    RUNNING = "running"
    EXITED = "exited"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerRecord:
    """What the runtime knows of one container."""

    id: str
    sandbox_id: str
    name: str
    attempt: int
    image: str
    image_id: str
    state: ContainerState
    labels: Mapping[str, str]
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    exit_code: int = 0
    signal: int = 0
    oom_killed: bool = False
    message: str = ""
    """Why it could not start, in the runtime's words."""
    pid: int = 0
    log_path: Path | None = None
    """A file in the CRI log format: `<RFC 3339 nano time> <stdout|stderr> <F|P> <text>` a line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodRecord:
    """One sandbox and its containers. A pod may have several records after sandbox restarts."""

    id: str
    pod: PodIdentity
    attempt: int
    ready: bool
    """The sandbox (infra container) runs."""
    labels: Mapping[str, str]
    created_at: datetime
    ips: Sequence[str] = ()
    containers: Sequence[ContainerRecord] = ()


@dataclass(frozen=True, slots=True)
class RuntimeEvent:
    """Something happened to a pod's containers: look again. `pod_uid` "" : the stream broke, look at all."""

    pod_uid: str
    container_id: str = ""
    type: Literal["started", "died", "oom", "removed", "sandbox", "relist"] = "relist"


@dataclass(frozen=True, slots=True)
class ExecResult:
    exit_code: int
    output: bytes
    """stdout and stderr as they came, cut at 16 KiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRecord:
    id: str
    tags: Sequence[str] = ()
    digests: Sequence[str] = ()
    size_bytes: int = 0
    user: str = ""
    """The image's USER, which runAsNonRoot is checked against."""
    pinned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerStats:
    container_id: str
    pod_uid: str
    name: str
    timestamp: datetime
    cpu_nanoseconds: int
    """Cumulative core nanoseconds."""
    memory_working_set: int
    memory_usage: int = 0
    network_rx_bytes: int = 0
    network_tx_bytes: int = 0


@dataclass(frozen=True, slots=True)
class RuntimeInfo:
    """What `ktui doctor` and the Node's status show."""

    name: str
    """"podman" or "sim": the scheme of a container ID in a status (`podman://<id>`)."""
    version: str
    details: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryAuth:
    username: str = ""
    password: str = ""


class Runtime(Protocol):
    """The container runtime of one node."""

    async def start(self) -> RuntimeInfo:
        """Make the runtime usable; raises RuntimeCallError saying what is wrong and what mends it."""
        ...

    async def close(self) -> None:
        """Let go of the runtime; running containers keep running."""
        ...

    @property
    def host_ip(self) -> str:
        """The address under which this node's host network is reached."""
        ...

    @property
    def pod_cidr(self) -> str: ...

    async def pods(self) -> Sequence[PodRecord]:
        """Everything of this node, in one relist; other people's containers are never shown or touched."""
        ...

    async def pod(self, uid: str) -> Sequence[PodRecord]:
        """The records of one pod, newest attempt first."""
        ...

    def events(self) -> AbstractAsyncContextManager[AsyncIterator[RuntimeEvent]]:
        """Events from now on. Survives a restart of the runtime by giving a `relist` event."""
        ...

    async def run_sandbox(self, spec: SandboxSpec) -> str:
        """Create and start; returns its id with its addresses assigned."""
        ...

    async def stop_sandbox(self, sandbox_id: str) -> None:
        """Kill what still runs in it and release its network. Idempotent."""
        ...

    async def remove_sandbox(self, sandbox_id: str) -> None:
        """Remove it with its containers. Idempotent."""
        ...

    async def create_container(self, sandbox_id: str, spec: ContainerSpec) -> str: ...

    async def start_container(self, container_id: str) -> None: ...

    async def stop_container(self, container_id: str, timeout: float) -> None:
        """Its stop signal, then SIGKILL after `timeout`; returns when it is dead. Idempotent."""
        ...

    async def remove_container(self, container_id: str) -> None: ...

    async def container(self, container_id: str) -> ContainerRecord:
        """Raises NotFoundError."""
        ...

    async def update_resources(self, container_id: str, resources: Resources) -> None: ...

    async def exec_sync(self, container_id: str, command: Sequence[str], timeout: float) -> ExecResult:
        """Run a probe or a hook; TimeoutError after `timeout`, the process is then killed."""
        ...

    async def exec(
        self, container_id: str, command: Sequence[str], *, stdin: bool, tty: bool
    ) -> ExecSession: ...

    async def attach(
        self, container_id: str, *, stdin: bool, tty: bool, ends_stdin: bool = True
    ) -> ExecSession:
        """The streams of the container's own process; `tty`: it has a terminal. The end of input ends its stdin
        if `ends_stdin`; with a terminal, or else, it ends the session and leaves the stdin open."""
        ...

    async def dial(self, sandbox_id: str, port: int) -> tuple[object, object]:
        """An (asyncio.StreamReader, asyncio.StreamWriter) to a port inside the pod, for port-forward."""
        ...

    async def stats(self) -> Sequence[ContainerStats]: ...

    async def writable_layer(self, container_id: str) -> int:
        """Bytes a container has written beside its image and its volumes. Raises NotFoundError."""
        ...

    async def pull_image(self, image: str, auth: RegistryAuth | None = None) -> ImageRecord:
        """Raises ImageError."""
        ...

    async def image_status(self, image: str) -> ImageRecord | None: ...

    async def images(self) -> Sequence[ImageRecord]: ...

    async def remove_image(self, image_id: str) -> None: ...

    async def filesystem_usage(self) -> tuple[int, int]:
        """(used, capacity) of where images and containers live."""
        ...
