"""NamespaceLifecycle: nothing is created in a namespace that is missing or going, and three never go."""

from __future__ import annotations

from typing import Final

from ktui.engine.api.admission.base import Attributes, View
from ktui.engine.api.documents import metadata_of
from ktui.kube.errors import Cause, forbidden, not_found
from ktui.kube.kinds import NAMESPACES
from ktui.kube.resource import Object

IMMORTAL: Final = frozenset({"default", "kube-system", "kube-public"})


class NamespaceLifecycle:
    """Runs first, so that later plugins can count on the namespace."""

    def __init__(self, view: View) -> None:
        self._view = view

    async def admit(self, request: Attributes, obj: Object, old: Object | None) -> Object:
        if request.operation != "CREATE" or not request.namespace or not request.resource.namespaced:
            return obj
        namespace = self._view.lookup(NAMESPACES.key, "", request.namespace)
        if namespace is None:
            raise not_found(NAMESPACES, request.namespace)
        status: Object = namespace.get("status") or {}
        if status.get("phase") == "Terminating" or metadata_of(namespace).get("deletionTimestamp"):
            raise _terminating(request)
        return obj

    async def validate(self, request: Attributes, obj: Object | None, old: Object | None) -> None:
        if request.is_about(NAMESPACES, "DELETE") and request.name in IMMORTAL:
            raise forbidden(NAMESPACES, request.name, "this namespace may not be deleted")


def _terminating(request: Attributes) -> Exception:
    namespace = request.namespace
    error = forbidden(
        request.resource,
        request.name,
        f"unable to create new content in namespace {namespace} because it is being terminated",
    )
    cause = Cause("metadata.namespace", "NamespaceTerminating", f"namespace {namespace} is being terminated")
    error.status["details"] = {**error.details, "causes": [cause.to_object()]}
    return error
