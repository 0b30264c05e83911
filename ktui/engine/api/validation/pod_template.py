"""Rules for the pod template of a workload."""

from __future__ import annotations

from ktui.kube.errors import Cause
from ktui.kube.resource import Object


def check_template(template: Object, path: str, *, restart_always: bool = False) -> list[Cause]:
    return []
