"""ImageLocality: prefers nodes that have the pod's (large) images already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ktui.engine.scheduler.framework import MAX_SCORE
from ktui.engine.scheduler.nodeinfo import NodeInfo
from ktui.engine.scheduler.podinfo import PodInfo
from ktui.engine.scheduler.snapshot import Snapshot

_MEGABYTE: Final = 1024 * 1024
_SMALL: Final = 23 * _MEGABYTE
_LARGE: Final = 1000 * _MEGABYTE
"""Below and above these sizes (the latter a container) the size makes no difference."""


class ImageLocality:
    """Weighs an image by the share of nodes that have it, so that one lucky node doesn't attract everything."""

    name = "ImageLocality"
    weight = 1

    def score(self, pod: PodInfo, nodes: Sequence[NodeInfo], snapshot: Snapshot) -> Sequence[int] | None:
        containers = (*(pod.spec.initContainers or ()), *pod.spec.containers)
        images = [_tagged(container.image or "") for container in containers]
        spread = {
            image: sum(image in node.images for node in snapshot.nodes.values()) / len(snapshot.nodes)
            for image in images
        }
        if not any(spread.values()):
            return None
        most = _LARGE * len(images)
        scores: list[int] = []
        for node in nodes:
            present = sum(int(node.images.get(image, 0) * spread[image]) for image in images)
            scores.append(MAX_SCORE * (min(max(present, _SMALL), most) - _SMALL) // (most - _SMALL))
        return scores


def _tagged(image: str) -> str:
    """The image name as nodes report it: with a tag."""
    return image if image.rfind(":") > image.rfind("/") else f"{image}:latest"
