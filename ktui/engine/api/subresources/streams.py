"""A pod's streams: which container is meant, whether it has something to say, and whose node to ask.

In: a stored pod and the options of a log, exec, attach or port-forward. Out: the node's agent and the options
with the container filled in, or the error kube-apiserver and the kubelet would give.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

from ktui.client.base import ExecOptions, ExecSession, LogOptions
from ktui.client.node import NodeAgent
from ktui.engine.api.documents import metadata_of
from ktui.kube.data import section
from ktui.kube.errors import Cause, bad_request, invalid, unavailable
from ktui.kube.resource import Object, Resource

DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
_LOG_OPTIONS = Resource("", "v1", "pods/log", "PodLogOptions", True)
_KINDS = ("containers", "initContainers", "ephemeralContainers")


class PodStreams:
    """Answers through the agents of the nodes that are up."""

    def __init__(self) -> None:
        self.agents: dict[str, NodeAgent] = {}

    @asynccontextmanager
    async def logs(self, pod: Object, options: LogOptions) -> AsyncGenerator[AsyncIterator[bytes]]:
        """Chunks of a container's log; nothing yet for a pod without a node."""
        check_log_options(_name(pod), options)
        container = chosen_container(pod, options.container)
        if not _node_of(pod):
            yield _nothing()
            return
        check_has_logs(pod, container, previous=options.previous)
        async with self._agent(pod).logs(pod, replace(options, container=container)) as chunks:
            yield chunks

    async def exec(self, pod: Object, options: ExecOptions) -> ExecSession:
        """Run a command in a container, or attach to it when there is none."""
        if not _node_of(pod):
            raise bad_request(f"pod {_name(pod)} does not have a host assigned")
        phase = section(pod, "status").get("phase")
        if phase in ("Succeeded", "Failed"):
            raise bad_request(f"cannot exec into a container in a completed pod; current phase is {phase}")
        chosen = replace(options, container=chosen_container(pod, options.container))
        agent = self._agent(pod)
        return await (agent.exec(pod, chosen) if options.command else agent.attach(pod, chosen))

    async def dial(self, pod: Object, port: int) -> tuple[object, object]:
        """A connection to a port of a running pod."""
        self.check_forwards(pod)
        return await self.connect(pod, port)

    async def connect(self, pod: Object, port: int) -> tuple[object, object]:
        """A connection to a port of a pod, as long as its node has it."""
        return await self._agent(pod).dial(pod, port)

    def check_forwards(self, pod: Object) -> None:
        """Refuse a pod that is not running."""
        if not _node_of(pod):
            raise bad_request(f"pod {_name(pod)} does not have a host assigned")
        phase = section(pod, "status").get("phase")
        if phase != "Running":
            raise bad_request(f"unable to forward port because pod is not running. Current status={phase}")

    def _agent(self, pod: Object) -> NodeAgent:
        return self.agent(_node_of(pod))

    def agent(self, node: str) -> NodeAgent:
        """The agent of a node that is up."""
        agent = self.agents.get(node)
        if agent is None:
            raise unavailable(f'node "{node}" does not answer: its kubelet is not running')
        return agent


def check_log_options(pod: str, options: LogOptions) -> None:
    """Refuse amounts that mean nothing, and two answers to one question."""
    causes: list[Cause] = []
    if options.tail_lines is not None and options.tail_lines < 0:
        causes.append(_out_of_range("tailLines", options.tail_lines, "must be greater than or equal to 0"))
    if options.limit_bytes is not None and options.limit_bytes < 1:
        causes.append(_out_of_range("limitBytes", options.limit_bytes, "must be greater than 0"))
    if options.since_seconds is not None and options.since_time:
        why = "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified"
        causes.append(Cause("", "FieldValueForbidden", why))
    elif options.since_seconds is not None and options.since_seconds < 1:
        causes.append(_out_of_range("sinceSeconds", options.since_seconds, "must be greater than 0"))
    if causes:
        raise invalid(_LOG_OPTIONS, pod, causes)


def _out_of_range(field: str, value: int, why: str) -> Cause:
    return Cause(field, "FieldValueInvalid", f"Invalid value: {value}: {why}")


def chosen_container(pod: Object, asked: str) -> str:
    """The container a request is about: as asked, the only one, or the one the pod names as its default."""
    names = {kind: _names(section(pod, "spec").get(kind)) for kind in _KINDS}
    everything = [name for kind in _KINDS for name in names[kind]]
    if asked:
        if asked not in everything:
            raise bad_request(f"container {asked} is not valid for pod {_name(pod)}")
        return asked
    if len(names["containers"]) == 1:
        return names["containers"][0]
    annotations: Mapping[str, str] = metadata_of(pod).get("annotations") or {}
    if annotations.get(DEFAULT_CONTAINER) in everything:
        return annotations[DEFAULT_CONTAINER]
    message = f"a container name must be specified for pod {_name(pod)}"
    if names["containers"]:
        message += f", choose one of: [{' '.join(names['containers'])}]"
    if names["initContainers"]:
        message += f" or one of the init containers: [{' '.join(names['initContainers'])}]"
    raise bad_request(message)


def check_has_logs(pod: Object, container: str, *, previous: bool) -> None:
    """Refuse, as the kubelet does, when there is nothing that could have logged."""
    found = _status_of(pod, container)
    where = f'container "{container}" in pod "{_name(pod)}"'
    state = section(found or {}, "state")
    has_ended = "terminated" in section(found or {}, "lastState")
    if previous:
        if not has_ended:
            raise bad_request(f"previous terminated {where} not found")
        return
    if "running" in state or "terminated" in state or has_ended:
        return
    waiting = section(state, "waiting")
    match waiting.get("reason"):
        case "ErrImagePull":
            raise bad_request(f"{where} is waiting to start: image can't be pulled")
        case "ImagePullBackOff":
            raise bad_request(f"{where} is waiting to start: trying and failing to pull image")
        case None | "":
            raise bad_request(
                f"{where} is waiting to start - no logs yet" if found else f"{where} is not available"
            )
        case reason:
            raise bad_request(f"{where} is waiting to start: {reason}")


def _status_of(pod: Object, container: str) -> Object | None:
    status = section(pod, "status")
    for kind in ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"):
        statuses: list[Object] = status.get(kind) or []
        for found in statuses:
            if found.get("name") == container:
                return found
    return None


def _node_of(pod: Object) -> str:
    return section(pod, "spec").get("nodeName") or ""


def _names(containers: list[Object] | None) -> list[str]:
    return [str(container.get("name")) for container in containers or ()]


def _name(pod: Object) -> str:
    return metadata_of(pod).get("name") or ""


async def _nothing() -> AsyncIterator[bytes]:
    for chunk in ():
        yield chunk
