"""Rules for pods: creation, and the few changes an update may make."""

from __future__ import annotations

from ktui.engine.api.validation.metadata import check_metadata, check_metadata_update
from ktui.kube.errors import Cause
from ktui.kube.resource import Object


def validate_pod(pod: Object) -> list[Cause]:
    return check_metadata(pod, namespaced=True)


def validate_pod_update(new: Object, old: Object) -> list[Cause]:
    return check_metadata_update(new, old)
