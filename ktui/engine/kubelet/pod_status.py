"""A pod's whole `status`, from the Pod, the runtime's records and the kubelet's own knowledge. Pure.

What other parts own (their conditions, nominatedNodeName, resourceClaim statuses) is left alone:
`status_patch` gives only the fields that differ from what the API has.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from lightkube.models.core_v1 import (
    Container,
    ContainerStatus,
    HostIP,
    Pod,
    PodCondition,
    PodIP,
    PodStatus,
)

from ktui.engine.kubelet import pod as pods
from ktui.engine.kubelet.actions import restarts_all
from ktui.engine.kubelet.container_status import ContainerView, container_status
from ktui.engine.kubelet.observed import Health, PodRuntime, Waiting
from ktui.engine.kubelet.phase import (
    containers_ready_condition,
    initialized_condition,
    pod_phase,
    ready_condition,
)
from ktui.engine.kubelet.pressure import EVICTED
from ktui.engine.kubelet.resizing import NO_RESIZE, Resize
from ktui.engine.kubelet.resources import qos_class
from ktui.engine.kubelet.runtime.base import ContainerState
from ktui.kube.clock import whole_second
from ktui.kube.resource import Object


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusInputs:
    """What the status of a pod is made from, beside the pod and the runtime's records."""

    now: datetime
    host_ip: str
    scheme: str
    health: Health
    waiting: Mapping[str, Waiting] = field(default_factory=dict[str, Waiting])
    messages: Mapping[str, str] = field(default_factory=dict[str, str])
    failed_starts: Mapping[str, str] = field(default_factory=dict[str, str])
    failure: Waiting | None = None
    """The pod as a whole failed: DeadlineExceeded, Evicted, a refused admission."""
    final: bool = False
    """Everything has stopped and nothing will be started again."""
    resize: Resize = NO_RESIZE


def build_status(pod: Pod, runtime: PodRuntime, inputs: StatusInputs) -> PodStatus:
    """The status the kubelet writes for `pod`."""
    old = pods.status(pod)
    waiting = "PodInitializing" if pods.init_containers(pod) else "ContainerCreating"
    if restarts_all(pod, runtime):
        waiting = "RestartingAllContainers"
    init = [
        _container(pod, c, runtime, inputs, old.initContainerStatuses, waiting, init=True)
        for c in pods.init_containers(pod)
    ]
    regular = [
        _container(pod, c, runtime, inputs, old.containerStatuses, waiting) for c in pods.containers(pod)
    ]
    ephemeral = [
        _container(pod, c, runtime, inputs, old.ephemeralContainerStatuses, waiting, ephemeral=True)
        for c in pods.ephemeral_containers(pod)
        if runtime.latest(c.name) or c.name in inputs.waiting
    ]
    phase = _phase(pod, init, regular, inputs)
    pod_ips = _pod_ips(pod, runtime, inputs)
    # While containers may still run, nobody is told that the pod has failed: its work could be started elsewhere.
    failure = inputs.failure if inputs.final else None
    return PodStatus(
        phase=phase,
        reason=failure.reason if failure else old.reason,
        message=failure.message if failure else old.message,
        conditions=_conditions(pod, runtime, inputs, init, regular, phase),
        initContainerStatuses=init or None,
        containerStatuses=regular or None,
        ephemeralContainerStatuses=ephemeral or None,
        hostIP=inputs.host_ip or None,
        hostIPs=[HostIP(ip=inputs.host_ip)] if inputs.host_ip else None,
        podIP=pod_ips[0] if pod_ips else None,
        podIPs=[PodIP(ip=ip) for ip in pod_ips] or None,
        qosClass=old.qosClass or qos_class(pod),
        startTime=old.startTime or whole_second(inputs.now),
        observedGeneration=pods.meta(pod).generation,
    )


def _container(
    pod: Pod,
    container: Container,
    runtime: PodRuntime,
    inputs: StatusInputs,
    previous: Sequence[ContainerStatus] | None,
    default_waiting: str,
    *,
    init: bool = False,
    ephemeral: bool = False,
) -> ContainerStatus:
    history = runtime.history(container.name)
    will_restart = not (inputs.final or inputs.failure or ephemeral or pods.is_terminal(pod))
    if will_restart and history and history[0].state is ContainerState.EXITED:
        code = history[0].exit_code
        if init and not pods.is_sidecar(container):
            will_restart = code != 0 and pods.should_restart_init(pod, container, code)
        else:
            will_restart = pods.should_restart(pod, container, code)
    view = ContainerView(
        container=container,
        history=history,
        previous=next((s for s in previous or () if s.name == container.name), None),
        waiting=inputs.waiting.get(container.name),
        default_waiting=default_waiting,
        will_restart=will_restart or (container.name in inputs.waiting and not inputs.final),
        scheme=inputs.scheme,
        messages=inputs.messages,
        failed_starts=inputs.failed_starts,
    )
    status = container_status(view, inputs.health, init=init and not pods.is_sidecar(container))
    if ephemeral:
        return msgspec.structs.replace(status, ready=False, started=None)
    if container.name in inputs.resize.containers and (before := view.previous) is not None:
        allocated = before.allocatedResources if inputs.resize.pending else status.allocatedResources
        return msgspec.structs.replace(status, resources=before.resources, allocatedResources=allocated)
    return status


def _phase(
    pod: Pod, init: list[ContainerStatus], regular: list[ContainerStatus], inputs: StatusInputs
) -> str:
    old = pods.status(pod).phase
    if old in ("Succeeded", "Failed"):
        return old
    if inputs.failure is not None and inputs.final:
        return "Failed"
    phase = pod_phase(pod, init, regular)
    if inputs.final and phase not in ("Succeeded", "Failed"):
        return _final_phase(init, regular)
    return phase


def _final_phase(init: list[ContainerStatus], regular: list[ContainerStatus]) -> str:
    """A pod stopped for good: Succeeded when every container ended well."""
    ends = [s.state.terminated.exitCode if s.state and s.state.terminated else None for s in regular]
    return "Succeeded" if ends and all(code == 0 for code in ends) else "Failed"


def _pod_ips(pod: Pod, runtime: PodRuntime, inputs: StatusInputs) -> list[str]:
    if runtime.current is None:
        old = pods.status(pod)
        return [ip.ip for ip in old.podIPs or ()] if old.podIPs else [old.podIP] if old.podIP else []
    if pods.spec(pod).hostNetwork:
        return [inputs.host_ip]
    return list(runtime.ips)


def _conditions(
    pod: Pod,
    runtime: PodRuntime,
    inputs: StatusInputs,
    init: list[ContainerStatus],
    regular: list[ContainerStatus],
    phase: str,
) -> list[PodCondition]:
    current = runtime.current
    sandbox_up = current is not None and (bool(current.ips) or bool(pods.spec(pod).hostNetwork))
    wanted = [
        PodCondition(type="PodReadyToStartContainers", status="True" if sandbox_up else "False"),
        initialized_condition(pod, init, regular, phase),
        ready_condition(pod, init, regular, phase),
        containers_ready_condition(pod, init, regular, phase),
        PodCondition(type="PodScheduled", status="True"),
    ]
    if pods.may_restart_all(pod):
        wanted.append(_restarting_condition(pod, runtime, phase))
    if inputs.failure is not None and inputs.failure.reason == EVICTED:
        wanted.append(
            PodCondition(
                type="DisruptionTarget",
                status="True",
                reason="TerminationByKubelet",
                message=inputs.failure.message,
            )
        )
    wanted.extend(_resize_conditions(inputs.resize))
    old = {c.type: c for c in pods.status(pod).conditions or ()}
    now = whole_second(inputs.now)
    generation = pods.meta(pod).generation
    result: list[PodCondition] = []
    for condition in wanted:
        known = old.get(condition.type)
        same = known is not None and known.status == condition.status
        result.append(
            msgspec.structs.replace(
                condition,
                lastTransitionTime=known.lastTransitionTime if known is not None and same else now,
                observedGeneration=generation,
            )
        )
    return result


def _restarting_condition(pod: Pod, runtime: PodRuntime, phase: str) -> PodCondition:
    if reason := {"Succeeded": "PodCompleted", "Failed": "PodFailed"}.get(phase):
        return PodCondition(type="AllContainersRestarting", status="False", reason=reason)
    if not restarts_all(pod, runtime):
        return PodCondition(type="AllContainersRestarting", status="False")
    return PodCondition(
        type="AllContainersRestarting",
        status="True",
        reason="RestartAllContainersStarted",
        message="container exited with restart policy rule",
    )


def _resize_conditions(resize: Resize) -> list[PodCondition]:
    if resize.pending is not None:
        reason, message = resize.pending.reason, resize.pending.message
        return [PodCondition(type=RESIZE_PENDING, status="True", reason=reason, message=message)]
    if resize.error:
        return [PodCondition(type=RESIZING, status="True", reason="Error", message=resize.error)]
    return []


RESIZE_PENDING, RESIZING = "PodResizePending", "PodResizeInProgress"
OWNED_CONDITIONS = frozenset(
    ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
)
_OWNED = (
    "phase",
    "reason",
    "message",
    "initContainerStatuses",
    "containerStatuses",
    "ephemeralContainerStatuses",
    "hostIP",
    "hostIPs",
    "podIP",
    "podIPs",
    "qosClass",
    "startTime",
    "observedGeneration",
)
_REPLACED = frozenset(("hostIPs", "podIPs"))


def status_patch(old: PodStatus, new: PodStatus) -> Object:
    """A strategic merge patch of `status` from `old` to `new`, empty when nothing differs."""
    before: dict[str, Any] = msgspec.to_builtins(old)
    after: dict[str, Any] = msgspec.to_builtins(new)
    patch: Object = {}
    for name in _OWNED:
        value = after.get(name)
        if value == before.get(name):
            continue
        patch[name] = [{"$patch": "replace"}, *value] if value and name in _REPLACED else value
    known = {c["type"]: c for c in before.get("conditions") or ()}
    changed = [c for c in after.get("conditions") or () if known.get(c["type"]) != _full(c)]
    mine = [c["type"] for c in after.get("conditions") or ()]
    over = [name for name in (RESIZE_PENDING, RESIZING) if name in known and name not in mine]
    if changed or over:
        patch["conditions"] = [
            *(_cleared(c, known.get(c["type"])) for c in changed),
            *({"$patch": "delete", "type": name} for name in over),
        ]
        # Others' conditions first, then the kubelet's own in their usual order: as people read them in `describe`.
        others = [name for name in dict.fromkeys((*known, *mine)) if name not in (*OWNED_CONDITIONS, *over)]
        own = [name for name in mine if name in OWNED_CONDITIONS]
        patch["$setElementOrder/conditions"] = [{"type": name} for name in (*others, *own)]
    return patch


def _full(condition: Object) -> Object:
    return {name: value for name, value in condition.items() if value is not None}


def _cleared(condition: Object, before: Object | None) -> Object:
    """The condition with nulls for what it no longer says."""
    gone = {name: None for name in before or {} if name not in condition}
    return {**gone, **condition}
