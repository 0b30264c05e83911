"""One container's `ContainerStatus`, from the runtime's records of it and why it may be waiting.

The newest record is its state, the one before its lastState; a container that ended and can't be started
again just now is Waiting with the reason (CrashLoopBackOff, ImagePullBackOff, …) and its end is the lastState.
Pure.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lightkube.models.core_v1 import (
    Container,
    ContainerState,
    ContainerStateRunning,
    ContainerStateTerminated,
    ContainerStateWaiting,
    ContainerStatus,
    VolumeMountStatus,
)

from ktui.engine.kubelet import labels
from ktui.engine.kubelet.observed import Health, Waiting
from ktui.engine.kubelet.runtime.base import ContainerRecord
from ktui.engine.kubelet.runtime.base import ContainerState as Running
from ktui.kube.clock import whole_second

START_ERROR_EXIT_CODE = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerView:
    """All there is to know of one container when its status is written."""

    container: Container
    history: Sequence[ContainerRecord]
    """Newest first."""
    previous: ContainerStatus | None
    """Its status as the API has it."""
    waiting: Waiting | None
    default_waiting: str
    """ContainerCreating or PodInitializing."""
    will_restart: bool
    """It is to run again if it ended."""
    scheme: str
    """The runtime's name in a container ID."""
    messages: Mapping[str, str] = field(default_factory=dict[str, str])
    """Termination messages by container id."""
    failed_starts: Mapping[str, str] = field(default_factory=dict[str, str])
    """Container ids that could not be started, with the runtime's words."""


def container_status(view: ContainerView, health: Health, *, init: bool = False) -> ContainerStatus:
    """The status of one container; `ready` of an init container means that it completed."""
    container, previous = view.container, view.previous
    state, last = _states(view, health)
    latest = view.history[0] if view.history else None
    running = state.running is not None and latest is not None
    started = running and health.is_started(latest.id if latest else "")
    if init:
        ready = state.terminated is not None and state.terminated.exitCode == 0
        started = False
    else:
        ready = running and health.is_ready(latest.id if latest else "")
    return ContainerStatus(
        name=container.name,
        image=(latest.image if latest else None) or container.image or "",
        imageID=latest.image_id if latest else (previous.imageID if previous else ""),
        containerID=_container_id(view),
        ready=ready,
        started=started,
        restartCount=_restart_count(view),
        state=state,
        lastState=last,
        resources=container.resources if running else None,
        allocatedResources=(container.resources.requests or None)
        if running and container.resources
        else None,
        volumeMounts=[
            VolumeMountStatus(
                name=mount.name,
                mountPath=mount.mountPath,
                readOnly=mount.readOnly or None,
                recursiveReadOnly="Disabled" if mount.readOnly else None,
            )
            for mount in container.volumeMounts or ()
        ]
        or None,
    )


def _container_id(view: ContainerView) -> str | None:
    if view.history:
        return f"{view.scheme}://{view.history[0].id}"
    return view.previous.containerID if view.previous else None


def _restart_count(view: ContainerView) -> int:
    if view.history:
        return labels.restart_count(view.history[0])
    return view.previous.restartCount if view.previous else 0


def _states(view: ContainerView, health: Health) -> tuple[ContainerState, ContainerState]:
    if not view.history:
        return _states_without_record(view)
    latest, *older = view.history
    before = next((r for r in older if r.state is Running.EXITED or r.id in view.failed_starts), None)
    last = ContainerState(terminated=terminated(view, before)) if before else _previous_last(view)
    if latest.state is Running.RUNNING:
        if latest.id in health.starting:
            return _while_starting(view), last
        started = latest.started_at or latest.created_at
        return ContainerState(
            running=ContainerStateRunning(startedAt=whole_second(started) if started else None)
        ), last
    ended = latest.state is Running.EXITED or latest.id in view.failed_starts
    if ended and (view.waiting is None or not view.will_restart):
        return ContainerState(terminated=terminated(view, latest)), last
    if ended:
        last = ContainerState(terminated=terminated(view, latest))
    return _waiting(view), last


def _while_starting(view: ContainerView) -> ContainerState:
    """A running postStart hook is not yet a running container: what was written before stays."""
    if view.previous is not None and view.previous.state is not None and view.previous.state.running is None:
        return view.previous.state
    return _waiting(view)


def _waiting(view: ContainerView) -> ContainerState:
    waiting = view.waiting or Waiting(view.default_waiting)
    return ContainerState(
        waiting=ContainerStateWaiting(reason=waiting.reason, message=waiting.message or None)
    )


def _previous_last(view: ContainerView) -> ContainerState:
    """Records of earlier runs may have been removed; the API still has the last one."""
    previous = view.previous
    if previous is None or _restart_count(view) == 0:
        return ContainerState()
    if previous.containerID != _container_id(view) and previous.state and previous.state.terminated:
        return ContainerState(terminated=previous.state.terminated)
    return previous.lastState or ContainerState()


def _states_without_record(view: ContainerView) -> tuple[ContainerState, ContainerState]:
    previous = view.previous
    if previous is None or previous.state is None:
        return _waiting(view), ContainerState()
    if previous.state.terminated is not None and view.waiting is None and not view.will_restart:
        return previous.state, previous.lastState or ContainerState()
    last = previous.lastState or ContainerState()
    if previous.state.running is not None:
        last = ContainerState(
            terminated=ContainerStateTerminated(
                exitCode=137,
                reason="ContainerStatusUnknown",
                message="The container could not be located when the pod was deleted.  "
                "The container used to be Running",
            )
        )
        if not view.will_restart:
            return last, previous.lastState or ContainerState()
    elif previous.state.terminated is not None:
        last = previous.state
    return _waiting(view), last


def terminated(view: ContainerView, record: ContainerRecord) -> ContainerStateTerminated:
    """How a container ended."""
    failed_start = view.failed_starts.get(record.id)
    never_started = failed_start is not None or record.started_at is None
    exit_code = START_ERROR_EXIT_CODE if never_started else record.exit_code
    if never_started:
        reason = "StartError"
    elif record.oom_killed:
        reason = "OOMKilled"
    else:
        reason = "Completed" if exit_code == 0 else "Error"
    message = view.messages.get(record.id) or failed_start or record.message or None
    started = record.started_at or record.created_at
    finished = record.finished_at or record.created_at
    return ContainerStateTerminated(
        exitCode=exit_code,
        reason=reason,
        message=message,
        signal=record.signal or None,
        containerID=f"{view.scheme}://{record.id}",
        startedAt=whole_second(started) if started else None,
        finishedAt=whole_second(finished) if finished else None,
    )
