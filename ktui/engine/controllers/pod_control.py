"""Creating and deleting pods from a template in the name of an owner, with the events Kubernetes records."""

from __future__ import annotations

from typing import Any

from lightkube.models.core_v1 import Pod, PodTemplateSpec

from ktui.client.base import Client, DeleteOptions
from ktui.client.events import EventRecorder
from ktui.engine.controllers.objects import name_of, namespace_of, plain, uid_of
from ktui.engine.controllers.ownership import controller_reference
from ktui.kube.errors import StatusError
from ktui.kube.kinds import PODS
from ktui.kube.resource import Object, Resource


def pod_from_template(template: PodTemplateSpec, owner: Any, resource: Resource) -> Object:
    """The pod to create: the template's labels, annotations, finalizers and spec, controlled by `owner`."""
    of_template: Object = plain(template)
    metadata: Object = of_template.get("metadata") or {}
    kept = {name: metadata[name] for name in ("labels", "annotations", "finalizers") if metadata.get(name)}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": pods_prefix(name_of(owner)),
            "namespace": namespace_of(owner),
            **kept,
            "ownerReferences": [plain(controller_reference(owner, resource))],
        },
        "spec": of_template.get("spec"),
    }


def pods_prefix(owner_name: str) -> str:
    """`web-` of `web`; the name alone when the dash would make it too long for a pod's name."""
    return f"{owner_name}-" if len(owner_name) < 253 else owner_name


def is_namespace_terminating(error: BaseException) -> bool:
    """A creation refused because the namespace is going: not worth a retry, nor an event."""
    return isinstance(error, StatusError) and any(
        cause.reason == "NamespaceTerminating" for cause in error.causes
    )


class PodControl:
    """Writes pods for one controller."""

    def __init__(self, client: Client, recorder: EventRecorder) -> None:
        self._client = client
        self._recorder = recorder

    async def create(self, pod: Object, owner: Any) -> None:
        """Create `pod`; raises what the API raises, after an event about it."""
        try:
            created = await self._client.create(PODS, pod, namespace_of(owner))
        except StatusError as error:
            if not is_namespace_terminating(error):
                self._recorder.event(owner, "Warning", "FailedCreate", f"Error creating: {error}")
            raise
        self._recorder.event(
            owner, "Normal", "SuccessfulCreate", f"Created pod: {created['metadata']['name']}"
        )

    async def delete(self, pod: Pod, owner: Any) -> None:
        """Delete exactly this pod (its UID); one that is gone already is fine but raises NotFound."""
        name = name_of(pod)
        try:
            await self._client.delete(PODS, name, namespace_of(pod), options=DeleteOptions(uid=uid_of(pod)))
        except StatusError as error:
            if not error.is_not_found:
                self._recorder.event(owner, "Warning", "FailedDelete", f"Error deleting: {error}")
            raise
        self._recorder.event(owner, "Normal", "SuccessfulDelete", f"Deleted pod: {name}")
