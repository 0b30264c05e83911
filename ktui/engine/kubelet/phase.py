"""A pod's phase from its containers' statuses, and the conditions Initialized, ContainersReady and Ready.

Pure; reasons and messages are the kubelet's.
"""

from __future__ import annotations

from collections.abc import Sequence

from lightkube.models.core_v1 import Container, ContainerStatus, Pod, PodCondition

from ktui.engine.kubelet import pod as pods

Statuses = Sequence[ContainerStatus]


def _find(statuses: Statuses, name: str) -> ContainerStatus | None:
    return next((status for status in statuses if status.name == name), None)


def pod_phase(pod: Pod, init: Statuses, regular: Statuses) -> str:
    """Pending, Running, Succeeded or Failed."""
    pending_init, failed_init = _init_progress(pod, init)
    if failed_init:
        return "Failed"
    running = waiting = stopped = succeeded = restartable = 0
    for container in pods.containers(pod):
        status = _find(regular, container.name)
        state = status.state if status else None
        if status is None or state is None:
            waiting += 1
        elif state.running is not None:
            running += 1
        elif state.terminated is not None:
            stopped += 1
            succeeded += state.terminated.exitCode == 0
            restartable += pods.should_restart(pod, container, state.terminated.exitCode)
        elif status.lastState is not None and status.lastState.terminated is not None:
            stopped += 1
            restartable += 1
        else:
            waiting += 1
    if pending_init and not (running or stopped):
        return "Pending"
    if waiting:
        return "Pending"
    if running:
        return "Running"
    if not stopped:
        return "Pending"
    if restartable or _sidecars_running(pod, init):
        return "Running"
    return "Succeeded" if stopped == succeeded else "Failed"


def _init_progress(pod: Pod, init: Statuses) -> tuple[int, int]:
    """How many are yet to be done, and how many failed for good."""
    pending = failed = 0
    for container in pods.init_containers(pod):
        status = _find(init, container.name)
        state = status.state if status else None
        if pods.is_sidecar(container):
            pending += not (status is not None and status.started)
        elif state is None or state.terminated is None:
            pending += 1
        elif state.terminated.exitCode != 0:
            again = pods.should_restart_init(pod, container, state.terminated.exitCode)
            pending += again
            failed += not again
    return pending, failed


def _sidecars_running(pod: Pod, init: Statuses) -> bool:
    return any(
        pods.is_sidecar(container)
        and (status := _find(init, container.name)) is not None
        and status.state is not None
        and status.state.running is not None
        for container in pods.init_containers(pod)
    )


def _names(containers: Sequence[str]) -> str:
    return "[" + " ".join(containers) + "]"


def initialized_condition(pod: Pod, init: Statuses, regular: Statuses, phase: str) -> PodCondition:
    """Whether all init containers are done and all sidecars have started."""
    unknown: list[str] = []
    incomplete: list[str] = []
    for container in pods.init_containers(pod):
        status = _find(init, container.name)
        if status is None:
            unknown.append(container.name)
        elif not (status.started if pods.is_sidecar(container) else status.ready):
            incomplete.append(container.name)
    if phase == "Succeeded" and not unknown:
        return PodCondition(type="Initialized", status="True", reason="PodCompleted")
    if any(_has_started(status) for status in regular) or not (unknown or incomplete):
        return PodCondition(type="Initialized", status="True")
    return PodCondition(
        type="Initialized",
        status="False",
        reason="ContainersNotInitialized",
        message=_message(unknown, "incomplete", incomplete),
    )


def _has_started(status: ContainerStatus) -> bool:
    state, last = status.state, status.lastState
    return (state is not None and (state.running is not None or state.terminated is not None)) or (
        last is not None and last.terminated is not None
    )


def _message(unknown: Sequence[str], word: str, others: Sequence[str]) -> str:
    parts: list[str] = []
    if unknown:
        parts.append(f"containers with unknown status: {_names(unknown)}")
    if others:
        parts.append(f"containers with {word} status: {_names(others)}")
    return ", ".join(parts)


def containers_ready_condition(pod: Pod, init: Statuses, regular: Statuses, phase: str) -> PodCondition:
    """Whether all containers and sidecars are ready."""
    return _containers_ready("ContainersReady", pod, init, regular, phase)


def _containers_ready(kind: str, pod: Pod, init: Statuses, regular: Statuses, phase: str) -> PodCondition:
    unknown: list[str] = []
    unready: list[str] = []

    def look(container: Container, statuses: Statuses) -> None:
        status = _find(statuses, container.name)
        if status is None:
            unknown.append(container.name)
        elif not status.ready:
            unready.append(container.name)

    for container in pods.init_containers(pod):
        if pods.is_sidecar(container):
            look(container, init)
    for container in pods.containers(pod):
        look(container, regular)
    if phase == "Succeeded" and not unknown:
        return PodCondition(type=kind, status="False", reason="PodCompleted")
    if phase == "Failed":
        return PodCondition(type=kind, status="False", reason="PodFailed")
    if unknown or unready:
        return PodCondition(
            type=kind,
            status="False",
            reason="ContainersNotReady",
            message=_message(unknown, "unready", unready),
        )
    return PodCondition(type=kind, status="True")


def ready_condition(pod: Pod, init: Statuses, regular: Statuses, phase: str) -> PodCondition:
    """Containers ready and every readiness gate open."""
    base = _containers_ready("Ready", pod, init, regular, phase)
    if base.status != "True":
        return base
    known = {c.type: c.status for c in pods.status(pod).conditions or ()}
    messages: list[str] = []
    for gate in pods.spec(pod).readinessGates or ():
        kind = gate.conditionType
        if kind not in known:
            messages.append(f'corresponding condition of pod readiness gate "{kind}" does not exist.')
        elif known[kind] != "True":
            messages.append(f'the status of pod readiness gate "{kind}" is not "True", but {known[kind]}')
    if messages:
        return PodCondition(
            type="Ready", status="False", reason="ReadinessGatesNotReady", message=", ".join(messages)
        )
    return base
