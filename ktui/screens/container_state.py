"""How one container of a pod does, in the few facts and the words that a log or a shell needs."""

from __future__ import annotations

from dataclasses import dataclass

from ktui.kube.resource import Object

_LISTS = (
    ("initContainers", "initContainerStatuses"),
    ("containers", "containerStatuses"),
    ("ephemeralContainers", "ephemeralContainerStatuses"),
)
_BY_MEANING = ("containers", "ephemeralContainers", "initContainers")
_DEFAULT = "kubectl.kubernetes.io/default-container"


@dataclass(frozen=True, slots=True)
class ContainerNow:
    """A container's state as the pod's status tells it."""

    run: int = 0
    """Its restart count: which run this is."""
    running: bool = False
    ended: bool = False
    reason: str = ""
    message: str = ""
    exit_code: int | None = None
    before: str = ""
    """How the run before ended."""
    gone: bool = False

    @property
    def has_log(self) -> bool:
        """Something has run: the run now, or (waiting for the next one) the one before."""
        return self.running or self.ended or bool(self.before)


def container_names(pod: Object) -> list[str]:
    """Every container of a pod, those that people mean first: the default one, the pod's own, then ephemeral ones,
    sidecars and other init containers."""
    spec: Object = pod.get("spec") or {}
    annotations: Object = (pod.get("metadata") or {}).get("annotations") or {}
    names = [str(container["name"]) for kind in _BY_MEANING for container in spec.get(kind) or ()]
    return sorted(names, key=lambda name: name != annotations.get(_DEFAULT))


def container_now(pod: Object, name: str) -> ContainerNow:
    """The state of one container."""
    status: Object = pod.get("status") or {}
    for _, statuses in _LISTS:
        for known in status.get(statuses) or ():
            if known.get("name") == name:
                return _state_of(known)
    reason = (
        "Evicted"
        if status.get("reason") == "Evicted"
        else ""
        if status.get("phase") != "Pending"
        else "Pending"
    )
    return ContainerNow(reason=reason, message=_unscheduled(status))


def explain(now: ContainerNow) -> str:
    """The state in words: `is waiting: ImagePullBackOff: …`, `ended: Error, exit code 1`, `is running`."""
    if now.gone:
        return "is gone"
    if now.running:
        return "is running" + (f" (the run before {now.before})" if now.before else "")
    if now.ended:
        return f"ended: {_ending(now.reason, now.exit_code)}"
    reason = now.reason or "not started yet"
    text = f"is waiting: {reason}" + (f": {now.message}" if now.message else "")
    return text + (f" (the run before {now.before})" if now.before else "")


def _state_of(status: Object) -> ContainerNow:
    state: Object = status.get("state") or {}
    run = int(status.get("restartCount") or 0)
    last: Object = (status.get("lastState") or {}).get("terminated") or {}
    before = f"ended: {_ending(last.get('reason') or '', last.get('exitCode'))}" if last else ""
    if "running" in state:
        return ContainerNow(run, running=True, before=before)
    ended: Object | None = state.get("terminated")
    if ended is not None:
        return ContainerNow(
            run, ended=True, reason=ended.get("reason") or "", message=ended.get("message") or "",
            exit_code=ended.get("exitCode"), before=before,
        )  # fmt: skip
    waiting: Object = state.get("waiting") or {}
    return ContainerNow(
        run, reason=waiting.get("reason") or "", message=waiting.get("message") or "", before=before
    )


def _ending(reason: str, code: int | None) -> str:
    return (
        ", ".join(part for part in (reason, "" if code is None else f"exit code {code}") if part) or "unknown"
    )


def _unscheduled(status: Object) -> str:
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return str(condition.get("message") or condition.get("reason") or "")
    return str(status.get("message") or "")
