"""Pure translation of what Podman says of pods, containers and images to the runtime's records."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ktui.engine.kubelet.runtime.base import (
    ContainerRecord,
    ContainerState,
    ImageRecord,
    PodIdentity,
)
from ktui.engine.kubelet.runtime.podman_specs import (
    CONTAINER,
    CONTAINER_ATTEMPT,
    IMAGE,
    IMAGE_ID,
    NAMESPACE,
    POD,
    SANDBOX_ATTEMPT,
    UID,
    own_labels,
)

JSON = dict[str, Any]

_STATES = {
    "created": ContainerState.CREATED,
    "configured": ContainerState.CREATED,
    "initialized": ContainerState.CREATED,
    "running": ContainerState.RUNNING,
    "paused": ContainerState.RUNNING,
    "stopping": ContainerState.RUNNING,
    # Its process has ended and Podman's clean-up has yet to run: for us that is over.
    "stopped": ContainerState.EXITED,
    "exited": ContainerState.EXITED,
    "removing": ContainerState.EXITED,
}


def moment(text: object) -> datetime | None:
    """A time in UTC; None for Go's zero time."""
    if not isinstance(text, str) or text.startswith("0001-01-01"):
        return None
    return datetime.fromisoformat(text).astimezone(UTC)


def pod_identity(labels: Mapping[str, str]) -> PodIdentity:
    """Whose object it is."""
    return PodIdentity(labels.get(NAMESPACE, ""), labels.get(POD, ""), labels.get(UID, ""))


def sandbox_attempt(labels: Mapping[str, str]) -> int:
    """Which of a pod's sandboxes it is."""
    return int(labels.get(SANDBOX_ATTEMPT) or 0)


def container_record(inspected: JSON, *, oom_killed: bool = False) -> ContainerRecord:
    """From the answer of `containers/{id}/json`."""
    state: JSON = inspected["State"]
    config: JSON = inspected["Config"]
    labels: dict[str, str] = config.get("Labels") or {}
    log: JSON = inspected["HostConfig"].get("LogConfig") or {}
    status = _STATES.get(str(state["Status"]).lower(), ContainerState.UNKNOWN)
    finished = moment(state.get("FinishedAt")) if status is ContainerState.EXITED else None
    exit_code = int(state.get("ExitCode") or 0)
    return ContainerRecord(
        id=inspected["Id"],
        sandbox_id=inspected.get("Pod") or "",
        name=labels.get(CONTAINER, ""),
        attempt=int(labels.get(CONTAINER_ATTEMPT) or 0),
        image=labels.get(IMAGE) or str(inspected.get("ImageName") or ""),
        image_id=labels.get(IMAGE_ID) or f"sha256:{inspected['Image']}",
        state=status,
        labels=own_labels(labels),
        created_at=moment(inspected.get("Created")),
        started_at=moment(state.get("StartedAt")),
        finished_at=finished,
        exit_code=exit_code if status is ContainerState.EXITED else 0,
        oom_killed=oom_killed or bool(state.get("OOMKilled")),
        message=str(state.get("Error") or ""),
        pid=int(state.get("Pid") or 0) if status is ContainerState.RUNNING else 0,
        log_path=Path(log["Path"]) if log.get("Path") else None,
    )


def pod_ips(infra: JSON, host_ip: str) -> tuple[str, ...]:
    """A pod's addresses out of its infra container; the host's own on the host's network."""
    settings: JSON = infra.get("NetworkSettings") or {}
    networks: dict[str, JSON] = settings.get("Networks") or {}
    found = [
        str(network[key])
        for network in networks.values()
        for key in ("IPAddress", "GlobalIPv6Address")
        if network.get(key)
    ]
    if found:
        return tuple(found)
    host_config: JSON = infra.get("HostConfig") or {}
    mode = str(host_config.get("NetworkMode") or "")
    if mode == "host":
        return (host_ip,)
    # slirp4netns gives every pod the same address behind its own NAT.
    return ("10.0.2.100",) if mode.startswith("slirp4netns") else ()


def image_record(inspected: JSON) -> ImageRecord:
    """From the answer of `images/{name}/json`, or an entry of `images/json`."""
    config: JSON = inspected.get("Config") or {}
    identifier = str(inspected["Id"]).removeprefix("sha256:")
    tags = tuple(map(str, inspected.get("RepoTags") or ()))
    return ImageRecord(
        id=f"sha256:{identifier}",
        tags=tags,
        digests=tuple(map(str, inspected.get("RepoDigests") or ())),
        size_bytes=int(inspected.get("Size") or 0),
        user=str(config.get("User") or inspected.get("User") or ""),
        # Built here, so no registry would give it back.
        pinned=any(tag.startswith("localhost/") for tag in tags),
    )
