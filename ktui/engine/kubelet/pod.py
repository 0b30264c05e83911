"""Reading a Pod without tripping over optional fields, and the small questions the kubelet asks of one.

Every other module of the room goes through these, so that defaults the API server would have filled in
(restartPolicy Always, grace 30 s) hold for static and half-filled pods as well. Pure functions.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, cast

from lightkube.models.core_v1 import Container, EphemeralContainer, Pod, PodSpec, PodStatus
from lightkube.models.meta_v1 import ObjectMeta

from ktui.kube.resource import ObjectKey

DEFAULT_GRACE_SECONDS = 30
KILLED_EXIT_CODE = 137
RESTART_ALL = "RestartAllContainers"


def meta(pod: Pod) -> ObjectMeta:
    return pod.metadata or ObjectMeta()


def spec(pod: Pod) -> PodSpec:
    return pod.spec or PodSpec(containers=[])


def status(pod: Pod) -> PodStatus:
    return pod.status or PodStatus()


def uid(pod: Pod) -> str:
    return meta(pod).uid or ""


def key(pod: Pod) -> ObjectKey:
    return ObjectKey(meta(pod).namespace or "", meta(pod).name or "")


def labels_of(pod: Pod) -> dict[str, str]:
    return cast(dict[str, str], meta(pod).labels or {})


def annotations_of(pod: Pod) -> dict[str, str]:
    return cast(dict[str, str], meta(pod).annotations or {})


def full_name(pod: Pod) -> str:
    """`name_namespace(uid)`, as the kubelet names a pod in its messages."""
    return f"{meta(pod).name}_{meta(pod).namespace}({uid(pod)})"


def is_deleting(pod: Pod) -> bool:
    return meta(pod).deletionTimestamp is not None


def is_terminal(pod: Pod) -> bool:
    """The pod reached an end it never leaves."""
    return status(pod).phase in ("Succeeded", "Failed")


def grace_seconds(pod: Pod) -> int:
    """How long its containers may take to stop: the deletion's grace, else the spec's."""
    deletion = meta(pod).deletionGracePeriodSeconds
    if is_deleting(pod) and deletion is not None:
        return deletion
    configured = spec(pod).terminationGracePeriodSeconds
    return DEFAULT_GRACE_SECONDS if configured is None else configured


def restart_policy(pod: Pod) -> str:
    return spec(pod).restartPolicy or "Always"


def init_containers(pod: Pod) -> Sequence[Container]:
    return spec(pod).initContainers or ()


def containers(pod: Pod) -> Sequence[Container]:
    return spec(pod).containers


def ephemeral_containers(pod: Pod) -> Sequence[Container]:
    """The ephemeral containers as plain containers (their fields are a container's plus a target)."""
    return [as_container(container) for container in spec(pod).ephemeralContainers or ()]


def target_container(pod: Pod, name: str) -> str:
    """The container whose processes an ephemeral container is to see, "" for none."""
    for container in spec(pod).ephemeralContainers or ():
        if container.name == name:
            return container.targetContainerName or ""
    return ""


def as_container(ephemeral: EphemeralContainer) -> Container:
    fields: dict[str, Any] = {
        name: getattr(ephemeral, name) for name in _CONTAINER_FIELDS if hasattr(ephemeral, name)
    }
    return Container(**fields)


_CONTAINER_FIELDS = tuple(Container.__annotations__)


def all_containers(pod: Pod) -> Iterator[Container]:
    yield from init_containers(pod)
    yield from containers(pod)
    yield from ephemeral_containers(pod)


def find_container(pod: Pod, name: str) -> Container | None:
    return next((c for c in all_containers(pod) if c.name == name), None)


def is_sidecar(container: Container) -> bool:
    """An init container that keeps running beside the others."""
    return container.restartPolicy == "Always"


def running_since(pod: Pod, name: str) -> datetime | None:
    """When the container that runs now was started, as the pod's status tells."""
    told = status(pod)
    for group in (told.containerStatuses, told.initContainerStatuses, told.ephemeralContainerStatuses):
        for container in group or ():
            if container.name == name and container.state and container.state.running:
                return container.state.running.startedAt
    return None


def field_path(pod: Pod, name: str) -> str:
    """Where a container stands in the spec, as events' `involvedObject.fieldPath` names it."""
    if any(c.name == name for c in init_containers(pod)):
        return f"spec.initContainers{{{name}}}"
    if any(c.name == name for c in containers(pod)):
        return f"spec.containers{{{name}}}"
    return f"spec.ephemeralContainers{{{name}}}"


def requests(container: Container) -> dict[str, str]:
    found = container.resources.requests if container.resources else None
    return cast(dict[str, str], found or {})


def limits(container: Container) -> dict[str, str]:
    found = container.resources.limits if container.resources else None
    return cast(dict[str, str], found or {})


def should_restart(pod: Pod, container: Container, exit_code: int) -> bool:
    """Whether a container that ended with `exit_code` is to run again: its own rules, its own policy, then
    the pod's."""
    if restart_rule(container, exit_code) in ("Restart", RESTART_ALL):
        return True
    policy = container.restartPolicy or restart_policy(pod)
    return policy == "Always" or (policy == "OnFailure" and exit_code != 0)


def restart_rule(container: Container, exit_code: int) -> str:
    """What the container's first rule for `exit_code` says, "" without one."""
    for rule in container.restartPolicyRules or ():
        if rule.exitCodes is not None:
            values = rule.exitCodes.values or []
            if (exit_code in values) == (rule.exitCodes.operator == "In"):
                return rule.action
    return ""


def may_restart_all(pod: Pod) -> bool:
    """An end of one of its containers can start all of them anew."""
    return any(
        rule.action == RESTART_ALL
        for container in (*init_containers(pod), *containers(pod))
        for rule in container.restartPolicyRules or ()
    )


def should_restart_init(pod: Pod, container: Container, exit_code: int = 0) -> bool:
    """Whether a failed init container is tried again; without an exit code it was killed or never ran."""
    return should_restart(pod, container, exit_code or KILLED_EXIT_CODE)


def node_selector(pod: Pod) -> dict[str, str]:
    return cast(dict[str, str], spec(pod).nodeSelector or {})
