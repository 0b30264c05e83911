"""Which claims a pod uses, and which pods use a claim: by its volumes, and by those made for it alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from lightkube.models.core_v1 import Pod

from ktui.client.informer import Informer
from ktui.engine.controllers.objects import name_of, namespace_of, pod_spec

_BY_CLAIM: Final = "claim"


def claims_of(pod: Pod) -> list[str]:
    """The names of the claims in the pod's namespace that its volumes are."""
    found: list[str] = []
    for volume in pod_spec(pod).volumes or ():
        if volume.persistentVolumeClaim is not None:
            found.append(volume.persistentVolumeClaim.claimName)
        elif volume.ephemeral is not None:
            found.append(f"{name_of(pod)}-{volume.name}")
    return found


def index_by_claim(pods: Informer[Pod]) -> None:
    """Make `pods_of` possible."""
    pods.add_index(_BY_CLAIM, _keys)


def pods_of(pods: Informer[Pod], namespace: str, claim: str) -> list[Pod]:
    return pods.by_index(_BY_CLAIM, f"{namespace}/{claim}")


def _keys(pod: Pod) -> Iterable[str]:
    return [f"{namespace_of(pod)}/{name}" for name in claims_of(pod)]
