"""Admin access to devices: claims may ask for devices that others use only in namespaces that say so.

In: new claims and templates, and allocations written to a claim's status. Out: 422 outside of such namespaces.
"""

from __future__ import annotations

from typing import Final

from ktui.engine.api.admission.base import Attributes, Validating, View
from ktui.engine.api.validation.fields import forbidden
from ktui.kube.data import items, mapping, section
from ktui.kube.errors import invalid
from ktui.kube.kinds import NAMESPACES, RESOURCE_CLAIM_TEMPLATES, RESOURCE_CLAIMS
from ktui.kube.resource import Object

LABEL: Final = "resource.kubernetes.io/admin-access"


class DeviceAdminAccess(Validating):
    """The plugin; it looks at claims only."""

    def __init__(self, view: View) -> None:
        self._view = view

    async def validate(self, request: Attributes, obj: Object | None, old: Object | None) -> None:
        if obj is None:
            return
        path = ""
        match request.resource.key, request.operation, request.subresource:
            case RESOURCE_CLAIMS.key, "CREATE", "":
                path = _asked(section(obj, "spec"))
            case RESOURCE_CLAIM_TEMPLATES.key, "CREATE", "":
                path = _asked(section(obj, "spec", "spec"))
            case RESOURCE_CLAIMS.key, "UPDATE", "status":
                path = "" if _granted(old or {}) else _granted(obj)
            case _:
                return
        if not path:
            return
        namespace = self._view.lookup(NAMESPACES.key, "", request.namespace) or {}
        if mapping(section(namespace, "metadata"), "labels").get(LABEL) != "true":
            why = f"admin access to devices requires the `{LABEL}: true` label on the containing namespace"
            raise invalid(request.resource, request.name, [forbidden(path, why)])


def _asked(spec: Object) -> str:
    """Where a claim asks for admin access; "" if it does not."""
    for index, request in enumerate(items(section(spec, "devices"), "requests")):
        if section(request, "exactly").get("adminAccess"):
            return f"spec.devices.requests[{index}].adminAccess"
    return ""


def _granted(claim: Object) -> str:
    """Where admin access was allocated to a claim; "" if it was not."""
    results = items(section(claim, "status", "allocation", "devices"), "results")
    for index, result in enumerate(results):
        if result.get("adminAccess"):
            return f"status.allocation.devices.results[{index}].adminAccess"
    return ""
