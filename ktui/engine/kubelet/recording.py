"""Events about pods and their containers, through whatever recorder the engine hands in."""

from __future__ import annotations

from typing import Any, Literal, Protocol

from lightkube.models.core_v1 import Pod

from ktui.engine.kubelet import pod as pods

EventKind = Literal["Normal", "Warning"]


class Recorder(Protocol):
    """Records Events without blocking (`ktui.client.events.EventRecorder`)."""

    def event(
        self, obj: Any, kind: EventKind, reason: str, message: str, *, field_path: str = ""
    ) -> None: ...


class PodEvents:
    """The events of one pod; a container's name puts its field path on the event."""

    def __init__(self, recorder: Recorder | None, pod: Pod) -> None:
        self._recorder = recorder
        self.pod = pod

    def normal(self, reason: str, message: str, container: str = "") -> None:
        self._record("Normal", reason, message, container)

    def warning(self, reason: str, message: str, container: str = "") -> None:
        self._record("Warning", reason, message, container)

    def _record(self, kind: EventKind, reason: str, message: str, container: str) -> None:
        if self._recorder is None:
            return
        path = pods.field_path(self.pod, container) if container else ""
        metadata = pods.meta(self.pod)
        involved = {
            "apiVersion": "v1",
            "kind": "Pod",
            "namespace": metadata.namespace,
            "name": metadata.name,
            "uid": metadata.uid,
            "resourceVersion": metadata.resourceVersion,
        }
        self._recorder.event(involved, kind, reason, message, field_path=path)
