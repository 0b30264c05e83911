"""What to do next for a pod: a pure decision from the Pod, the runtime's records and the containers' health.

Sandbox first, then init containers one after another (sidecars stay and must have started), then the
containers, as Kubernetes documents it. Back-off, pulls and hooks are the worker's; here is only what is wanted.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from lightkube.models.core_v1 import Container, Pod

from ktui.engine.kubelet import labels
from ktui.engine.kubelet import pod as pods
from ktui.engine.kubelet.observed import Health, PodRuntime
from ktui.engine.kubelet.resizing import needs_restart
from ktui.engine.kubelet.runtime.base import ContainerRecord, ContainerState


@dataclass(frozen=True, slots=True)
class Kill:
    """Stop one running container; `message` is the Killing event's."""

    container: Container
    record: ContainerRecord
    message: str
    reason: str = ""
    """`startup probe` or `liveness probe`, whose own grace period then applies."""


@dataclass(slots=True)
class PodActions:
    """The wanted steps. `kill_pod`: stop everything and leave the pod at rest."""

    kill_pod: bool = False
    create_sandbox: bool = False
    attempt: int = 0
    start: list[Container] = field(default_factory=list[Container])
    kill: list[Kill] = field(default_factory=list[Kill])
    restart_all: list[ContainerRecord] = field(default_factory=list[ContainerRecord])
    """Containers to end and to remove in this order, so that all begin anew."""


def compute_actions(pod: Pod, runtime: PodRuntime, health: Health) -> PodActions:
    """The next steps for a pod that is to run."""
    if runtime.current is None:
        return _without_sandbox(pod, runtime)
    if restarts_all(pod, runtime):
        return PodActions(restart_all=_reset_order(pod, runtime))
    actions = PodActions(attempt=runtime.current.attempt)
    actions.start.extend(
        container for container in pods.ephemeral_containers(pod) if runtime.latest(container.name) is None
    )
    if not _init_actions(pod, runtime, health, actions):
        return actions
    kept = 0
    for container in pods.containers(pod):
        record = runtime.in_current(container.name)
        if record is None or record.state is not ContainerState.RUNNING:
            if _wants_start(pod, container, record):
                actions.start.append(container)
            continue
        kill = _reason_to_kill(pod, container, record, health)
        if kill is None:
            kept += 1
        else:
            actions.kill.append(kill)
    if not kept and not actions.kill and not any(c in actions.start for c in pods.containers(pod)):
        return PodActions(kill_pod=True)
    return actions


def restarts_all(pod: Pod, runtime: PodRuntime) -> bool:
    """A container ended in a way for which its rules want all containers of the pod to start anew."""
    return any(
        _wants_all_anew(container, runtime.in_current(container.name))
        for container in (*pods.init_containers(pod), *pods.containers(pod))
    )


def _wants_all_anew(container: Container, record: ContainerRecord | None) -> bool:
    return (
        record is not None
        and record.state is ContainerState.EXITED
        and pods.restart_rule(container, record.exit_code) == pods.RESTART_ALL
    )


def _reset_order(pod: Pod, runtime: PodRuntime) -> list[ContainerRecord]:
    """All records but ephemeral containers'. Those that say why go last: a kubelet that is interrupted goes on."""
    ranks = {c.name: rank for rank, c in enumerate((*pods.containers(pod), *pods.init_containers(pod)))}
    specs = {c.name: c for c in (*pods.init_containers(pod), *pods.containers(pod))}
    records = [r for sandbox in runtime.sandboxes for r in sandbox.containers if r.name in specs]
    return sorted(records, key=lambda r: (_wants_all_anew(specs[r.name], r), ranks[r.name]))


def _without_sandbox(pod: Pod, runtime: PodRuntime) -> PodActions:
    attempt = runtime.sandboxes[0].attempt + 1 if runtime.sandboxes else 0
    if attempt and any(sandbox.containers for sandbox in runtime.sandboxes):
        if pods.restart_policy(pod) == "Never" and not any(
            c.restartPolicy or c.restartPolicyRules for c in pods.containers(pod)
        ):
            return PodActions(kill_pod=True)
        if all(_finished(pod, c, runtime.latest(c.name)) for c in pods.containers(pod)):
            return PodActions(kill_pod=True)
    return PodActions(create_sandbox=True, attempt=attempt)


def _finished(pod: Pod, container: Container, record: ContainerRecord | None) -> bool:
    return (
        record is not None
        and record.state is ContainerState.EXITED
        and record.started_at is not None
        and not pods.should_restart(pod, container, record.exit_code)
    )


def _wants_start(pod: Pod, container: Container, record: ContainerRecord | None) -> bool:
    if record is None or record.state in (ContainerState.CREATED, ContainerState.UNKNOWN):
        return True
    if container_changed(container, record) and pods.restart_policy(pod) != "Never":
        return True
    return pods.should_restart(pod, container, record.exit_code)


def container_changed(container: Container, record: ContainerRecord) -> bool:
    """The record was made from another image than the spec now names."""
    known = record.labels.get(labels.CONTAINER_HASH)
    return known is not None and known != labels.container_hash(container)


def _reason_to_kill(pod: Pod, container: Container, record: ContainerRecord, health: Health) -> Kill | None:
    again = ", will be restarted" if pods.should_restart_init(pod, container) else ""
    if container_changed(container, record):
        return Kill(container, record, f"Container {container.name} definition changed, will be restarted")
    if needs_restart(container, record) and container.name not in health.held:
        return Kill(container, record, f"Container {container.name} resize requires restart")
    failed = health.unhealthy.get(record.id)
    if failed:
        return Kill(container, record, f"Container {container.name} failed {failed}{again}", failed)
    return None


def _init_actions(pod: Pod, runtime: PodRuntime, health: Health, actions: PodActions) -> bool:
    """Add what the init containers need; True when the other containers may run."""
    initialized = any(runtime.in_current(c.name) is not None for c in pods.containers(pod))
    for container in pods.init_containers(pod):
        record = runtime.in_current(container.name)
        if pods.is_sidecar(container):
            if record is None or record.state is not ContainerState.RUNNING:
                actions.start.append(container)
                if not initialized:
                    return False
                continue
            kill = _reason_to_kill(pod, container, record, health)
            if kill is not None:
                actions.kill.append(kill)
            if not initialized and (kill is not None or not health.is_started(record.id)):
                return False
            continue
        if initialized or (
            record is not None and record.state is ContainerState.EXITED and _succeeded(record)
        ):
            continue
        if record is None or record.state in (ContainerState.CREATED, ContainerState.UNKNOWN):
            actions.start.append(container)
        elif record.state is ContainerState.RUNNING:
            if (kill := _reason_to_kill(pod, container, record, health)) is not None:
                actions.kill.append(kill)
        elif pods.should_restart_init(pod, container, record.exit_code):
            actions.start.append(container)
        else:
            actions.kill_pod = True
        return False
    return True


def _succeeded(record: ContainerRecord) -> bool:
    return record.exit_code == 0 and record.started_at is not None
