"""Which taints a pod puts up with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lightkube.models.core_v1 import Taint, Toleration


def tolerates(tolerations: Sequence[Toleration], taint: Taint) -> bool:
    """Whether any of the tolerations matches the taint."""
    return any(_matches(toleration, taint) for toleration in tolerations)


def untolerated(
    tolerations: Sequence[Toleration], taints: Iterable[Taint], effects: frozenset[str]
) -> Taint | None:
    """The first taint with one of `effects` that no toleration matches."""
    for taint in taints:
        if taint.effect in effects and not tolerates(tolerations, taint):
            return taint
    return None


def _matches(toleration: Toleration, taint: Taint) -> bool:
    if toleration.effect and toleration.effect != taint.effect:
        return False
    if toleration.key and toleration.key != taint.key:
        return False
    match toleration.operator or "Equal":
        case "Exists":
            return True
        case "Equal":
            return bool(toleration.key) and (toleration.value or "") == (taint.value or "")
        case "Lt" | "Gt" as operator:
            return _compares(operator, toleration.value, taint.value)
        case _:
            return False


def _compares(operator: str, tolerated: str | None, tainted: str | None) -> bool:
    """`Gt`: the taint's number is greater than the toleration's; anything that isn't a number never matches."""
    try:
        limit, value = int(tolerated or ""), int(tainted or "")
    except ValueError:
        return False
    return value > limit if operator == "Gt" else value < limit
