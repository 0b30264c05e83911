"""The labels the kubelet puts on sandboxes and containers, by which a restarted kubelet knows its own.

They carry what the API object may no longer tell by then (the pod can be gone): grace period, spec hash,
where termination messages go. Names follow the kubelet's own (`io.kubernetes.*`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from lightkube.models.core_v1 import Container, Pod

from ktui.engine.kubelet import pod as pods
from ktui.engine.kubelet.runtime.base import ContainerRecord

POD_NAME = "io.kubernetes.pod.name"
POD_NAMESPACE = "io.kubernetes.pod.namespace"
POD_UID = "io.kubernetes.pod.uid"
CONTAINER_NAME = "io.kubernetes.container.name"
CONTAINER_HASH = "io.kubernetes.container.hash"
CONTAINER_RESOURCES = "dev.ktui.container.resources"
RESTART_COUNT = "io.kubernetes.container.restartCount"
GRACE_PERIOD = "io.kubernetes.pod.terminationGracePeriod"
TERMINATION_MESSAGE_FILE = "dev.ktui.container.terminationMessageFile"
TERMINATION_MESSAGE_POLICY = "io.kubernetes.container.terminationMessagePolicy"
CONTAINER_TYPE = "dev.ktui.container.type"


def container_hash(container: Container) -> str:
    """Changes when a running container must be replaced: its name or its image (the only mutable part)."""
    return hashlib.sha256(f"{container.name}\0{container.image or ''}".encode()).hexdigest()[:16]


def resources_hash(container: Container) -> str:
    """Changes when a running container is to be resized."""
    text = repr((sorted(pods.requests(container).items()), sorted(pods.limits(container).items())))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def of_pod(pod: Pod) -> dict[str, str]:
    metadata = pods.meta(pod)
    grace = pods.spec(pod).terminationGracePeriodSeconds
    return {
        POD_NAME: metadata.name or "",
        POD_NAMESPACE: metadata.namespace or "",
        POD_UID: metadata.uid or "",
        GRACE_PERIOD: str(pods.DEFAULT_GRACE_SECONDS if grace is None else grace),
    }


def of_container(pod: Pod, container: Container, attempt: int, message_file: str) -> dict[str, str]:
    kind = "container"
    if any(c.name == container.name for c in pods.init_containers(pod)):
        kind = "sidecar" if pods.is_sidecar(container) else "init"
    elif not any(c.name == container.name for c in pods.containers(pod)):
        kind = "ephemeral"
    return {
        **of_pod(pod),
        CONTAINER_NAME: container.name,
        CONTAINER_HASH: container_hash(container),
        CONTAINER_RESOURCES: resources_hash(container),
        CONTAINER_TYPE: kind,
        RESTART_COUNT: str(attempt),
        TERMINATION_MESSAGE_FILE: message_file,
        TERMINATION_MESSAGE_POLICY: container.terminationMessagePolicy or "File",
    }


def restart_count(record: ContainerRecord) -> int:
    """How many times the container had been started before this record of it."""
    try:
        return int(record.labels.get(RESTART_COUNT, record.attempt))
    except ValueError:
        return record.attempt


def grace_period(record_labels: Mapping[str, str] | None, default: int = pods.DEFAULT_GRACE_SECONDS) -> int:
    try:
        return int((record_labels or {}).get(GRACE_PERIOD, default))
    except ValueError:
        return default
