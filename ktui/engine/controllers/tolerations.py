"""Taints and tolerations on a node that pods run on already (effect NoExecute): pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lightkube.models.core_v1 import Node, Taint, Toleration

from ktui.kube.tolerations import tolerates


def no_execute_taints(node: Node | None) -> list[Taint]:
    taints: Sequence[Taint] = (node.spec.taints if node and node.spec else None) or ()
    return [taint for taint in taints if taint.effect == "NoExecute"]


def seconds_tolerated(
    taints: Iterable[Taint], tolerations: Sequence[Toleration]
) -> tuple[bool, float | None]:
    """(all taints are tolerated, for how many seconds); None: for ever."""
    limits: list[float] = []
    for taint in taints:
        matching = [each for each in tolerations if tolerates([each], taint)]
        if not matching:
            return False, 0.0
        limits += [max(each.tolerationSeconds, 0) for each in matching if each.tolerationSeconds is not None]
    return True, min(limits, default=None)
