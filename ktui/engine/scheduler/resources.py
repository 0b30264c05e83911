"""How much a pod asks for and a node has, as plain numbers the filters can compare.

CPU in thousandths of a core, everything else in units (bytes, pieces). A pod's request is what it needs at
its hungriest moment: its containers and sidecars together, or an init container with the sidecars that
started before it, whichever is more, plus the runtime class's overhead.
"""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
# (lightkube-models types maps as a bare dict)

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from lightkube.models.core_v1 import Container, PodSpec

from ktui.kube.quantity import bytes_of, cpu_millis

Amounts: TypeAlias = dict[str, int]
"""Resource name to amount. Immutable by convention, except inside `NodeInfo`."""

CPU: Final = "cpu"
MEMORY: Final = "memory"
STORAGE: Final = "ephemeral-storage"
PODS: Final = "pods"

DEFAULT_CPU: Final = 100
DEFAULT_MEMORY: Final = 200 * 1024 * 1024
"""What scoring assumes of a container that requests nothing, so that idle-looking pods spread too."""

_NATIVE: Final = (CPU, MEMORY, STORAGE)


def amounts(quantities: Mapping[str, str] | None) -> Amounts:
    """Parse a resource list (`requests`, `allocatable`)."""
    return {name: amount(name, quantity) for name, quantity in (quantities or {}).items()}


def amount(name: str, quantity: str) -> int:
    """One quantity: rounded up to a thousandth of a core for cpu, to a unit for anything else."""
    return cpu_millis(quantity) if name == CPU else bytes_of(quantity)


def pod_requests(spec: PodSpec) -> Amounts:
    """What the pod as a whole requests, cpu, memory and storage first, zero amounts left out."""
    return _ordered(_total(spec, {}))


def scoring_requests(spec: PodSpec) -> Amounts:
    """CPU and memory as scoring sees them: defaults stand in where a container requests nothing."""
    total = _total(spec, {CPU: DEFAULT_CPU, MEMORY: DEFAULT_MEMORY})
    return {CPU: total.get(CPU, 0), MEMORY: total.get(MEMORY, 0)}


def _total(spec: PodSpec, defaults: Amounts) -> Amounts:
    total = _sum(_container(container, defaults) for container in spec.containers)
    sidecars: Amounts = {}
    peak: Amounts = {}
    for container in spec.initContainers or ():
        wanted = _container(container, defaults)
        if container.restartPolicy == "Always":
            total = _sum((total, wanted))
            sidecars = _sum((sidecars, wanted))
            wanted = sidecars
        else:
            wanted = _sum((wanted, sidecars))
        peak = _largest(peak, wanted)
    total = _largest(total, peak)
    if spec.resources is not None and spec.resources.requests:
        total = {**total, **amounts(spec.resources.requests)}
    return _sum((total, amounts(spec.overhead))) if spec.overhead else total


def _container(container: Container, defaults: Amounts) -> Amounts:
    resources = container.resources
    requests = amounts(resources.requests) if resources is not None else {}
    return {**defaults, **requests} if defaults else requests


def _sum(parts: Iterable[Amounts]) -> Amounts:
    total: Amounts = {}
    for part in parts:
        for name, value in part.items():
            total[name] = total.get(name, 0) + value
    return total


def _largest(one: Amounts, other: Amounts) -> Amounts:
    return {name: max(one.get(name, 0), other.get(name, 0)) for name in {**one, **other}}


def _ordered(total: Amounts) -> Amounts:
    names = [name for name in _NATIVE if name in total]
    names += sorted(name for name in total if name not in _NATIVE)
    return {name: total[name] for name in names if total[name] > 0}
