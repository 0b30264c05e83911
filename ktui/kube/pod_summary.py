"""A pod in three words, as `kubectl get pods` sums it up: how many containers are ready, its status, its restarts."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from ktui.kube.age import age
from ktui.kube.data import section, string
from ktui.kube.resource import Object


class PodSummary(NamedTuple):
    """The READY, STATUS and RESTARTS of a pod."""

    ready: int
    total: int
    status: str
    restarts: int
    last_restart: str
    """When a container last ended before it was started again, "" if none was."""

    def restarts_text(self, now: datetime) -> str:
        """`3 (5m ago)`."""
        if not self.restarts or not self.last_restart:
            return str(self.restarts)
        return f"{self.restarts} ({age(self.last_restart, now)} ago)"


def summarize(pod: Object) -> PodSummary:
    """Sum up a pod (JSON data) as Kubernetes' printer does."""
    spec: Object = pod.get("spec") or {}
    status: Object = pod.get("status") or {}
    metadata: Object = pod.get("metadata") or {}
    phase: str = status.get("phase") or ""
    reason: str = status.get("reason") or phase
    conditions: list[Object] = status.get("conditions") or []
    if any(c.get("type") == "PodScheduled" and c.get("reason") == "SchedulingGated" for c in conditions):
        reason = "SchedulingGated"

    init_containers: list[Object] = spec.get("initContainers") or []
    sidecars = {c.get("name") for c in init_containers if c.get("restartPolicy") == "Always"}
    total = len(spec.get("containers") or ()) + len(sidecars)
    init = _init(status.get("initContainerStatuses") or [], sidecars, len(init_containers))
    ready, restarts, last_restart = init.ready, init.restarts, init.last_restart
    if init.reason:
        reason = init.reason
    if not init.reason or _is_true(conditions, "Initialized"):
        restarts, last_restart = init.sidecar_restarts, init.sidecar_last_restart
        running = False
        statuses: list[Object] = status.get("containerStatuses") or []
        for container in reversed(statuses):
            restarts += container.get("restartCount") or 0
            last_restart = max(last_restart, _last_finish(container))
            state: Object = container.get("state") or {}
            if waiting := string(section(state, "waiting"), "reason"):
                reason = waiting
            elif "terminated" in state:
                reason = _ended(state["terminated"])
            elif container.get("ready") and "running" in state:
                running = True
                ready += 1
        if reason == "Completed" and running:
            reason = "Running" if _is_true(conditions, "Ready") else "NotReady"

    if metadata.get("deletionTimestamp"):
        if status.get("reason") == "NodeLost":
            reason = "Unknown"
        elif phase not in ("Succeeded", "Failed"):
            reason = "Terminating"
    return PodSummary(ready, total, reason, restarts, last_restart)


class _Init(NamedTuple):
    reason: str
    ready: int
    restarts: int
    last_restart: str
    sidecar_restarts: int
    sidecar_last_restart: str


def _init(statuses: list[Object], sidecars: set[Any], containers: int) -> _Init:
    """Go through the init containers up to the first that is not done; its state is the pod's."""
    reason, last_restart, sidecar_last_restart = "", "", ""
    ready = restarts = sidecar_restarts = 0
    for index, container in enumerate(statuses):
        count, finish = container.get("restartCount") or 0, _last_finish(container)
        restarts, last_restart = restarts + count, max(last_restart, finish)
        sidecar = container.get("name") in sidecars
        if sidecar:
            sidecar_restarts += count
            sidecar_last_restart = max(sidecar_last_restart, finish)
        state: Object = container.get("state") or {}
        terminated: Object | None = state.get("terminated")
        if terminated is not None and not terminated.get("exitCode"):
            continue
        if sidecar and container.get("started"):
            ready += 1 if container.get("ready") else 0
            continue
        waiting = string(section(state, "waiting"), "reason")
        if terminated is not None:
            reason = f"Init:{_ended(terminated)}"
        elif waiting and waiting != "PodInitializing":
            reason = f"Init:{waiting}"
        else:
            reason = f"Init:{index}/{containers}"
        break
    return _Init(reason, ready, restarts, last_restart, sidecar_restarts, sidecar_last_restart)


def _ended(terminated: Object) -> str:
    if terminated.get("reason"):
        return str(terminated["reason"])
    if terminated.get("signal"):
        return f"Signal:{terminated['signal']}"
    return f"ExitCode:{terminated.get('exitCode') or 0}"


def _last_finish(container: Object) -> str:
    return string(section(container, "lastState", "terminated"), "finishedAt")


def _is_true(conditions: list[Object], kind: str) -> bool:
    return any(c.get("type") == kind and c.get("status") == "True" for c in conditions)
