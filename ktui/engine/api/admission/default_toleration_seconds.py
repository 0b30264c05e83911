"""DefaultTolerationSeconds: a pod stays five minutes on a node that is not ready or unreachable."""

from __future__ import annotations

from typing import Any, Final

from ktui.engine.api.admission.base import Attributes, Mutating, View
from ktui.kube.kinds import PODS
from ktui.kube.resource import Object

SECONDS: Final = 300
_TAINTS: Final = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


class DefaultTolerationSeconds(Mutating):
    """Adds the two tolerations a pod does not have."""

    def __init__(self, view: View) -> None:
        del view

    async def admit(self, request: Attributes, obj: Object, old: Object | None) -> Object:
        if not request.is_about(PODS, "CREATE", "UPDATE"):
            return obj
        spec: Object = obj.get("spec") or {}
        tolerations: list[Object] = spec.get("tolerations") or []
        added: list[dict[str, Any]] = [
            {"key": taint, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": SECONDS}
            for taint in _TAINTS
            if not any(_tolerates(toleration, taint) for toleration in tolerations)
        ]
        return {**obj, "spec": {**spec, "tolerations": [*tolerations, *added]}} if added else obj


def _tolerates(toleration: Object, taint: str) -> bool:
    return toleration.get("key") in (None, "", taint) and toleration.get("effect") in (None, "", "NoExecute")
