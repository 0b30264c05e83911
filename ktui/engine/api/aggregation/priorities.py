"""In which order discovery lists groups and their versions: the higher their priority, the earlier.

In: the priorities that APIServices say, and Kubernetes' own for groups that have none yet. Out: resources in order.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from ktui.kube.resource import Resource

Priority = tuple[int, int]
"""Of the group, and of the version within it."""

OWN: Final = "apiregistration.k8s.io"
"""The group of APIServices themselves, which has none and comes first."""
DEFINED: Final[Priority] = (1000, 100)
"""Of groups that CustomResourceDefinitions bring."""
_GROUPS: Final[Mapping[str, int]] = {
    OWN: 20001,
    "": 18000,
    "apps": 17800,
    "events.k8s.io": 17750,
    "authentication.k8s.io": 17700,
    "authorization.k8s.io": 17600,
    "autoscaling": 17500,
    "batch": 17400,
    "certificates.k8s.io": 17300,
    "networking.k8s.io": 17200,
    "policy": 17100,
    "rbac.authorization.k8s.io": 17000,
    "storage.k8s.io": 16800,
    "apiextensions.k8s.io": 16700,
    "admissionregistration.k8s.io": 16700,
    "scheduling.k8s.io": 16600,
    "coordination.k8s.io": 16500,
    "node.k8s.io": 16300,
    "discovery.k8s.io": 16200,
    "resource.k8s.io": 16200,
    "flowcontrol.apiserver.k8s.io": 16100,
    "storagemigration.k8s.io": 15800,
    "metrics.k8s.io": 100,
    "ktui.dev": 100,
}
_VERSIONS: Final[Mapping[tuple[str, str], int]] = {
    ("", "v1"): 1,
    ("autoscaling", "v2"): 30,
    ("coordination.k8s.io", "v1beta1"): 13,
    ("flowcontrol.apiserver.k8s.io", "v1"): 21,
    ("resource.k8s.io", "v1"): 21,
    ("metrics.k8s.io", "v1beta1"): 100,
}
_MATURITY: Final = re.compile(r"v(\d+)(?:(alpha|beta)(\d+))?")


def built_in(group: str, version: str) -> Priority | None:
    """The priorities of a group version that comes with the server."""
    found = _GROUPS.get(group)
    if found is None:
        return None
    beta = 9 if "beta" in version else 1 if "alpha" in version else 15
    return found, _VERSIONS.get((group, version), beta)


def in_order(resources: Iterable[Resource], said: Mapping[tuple[str, str], Priority]) -> list[Resource]:
    """The resources by group and version; those of one version as they came."""
    found = list(resources)
    places = {(each.group, each.version) for each in found}
    of = {place: said.get(place) or built_in(*place) or DEFINED for place in places}
    groups: dict[str, int] = {}
    for (group, _), (priority, _) in of.items():
        groups[group] = max(groups.get(group, 0), priority)

    def rank(resource: Resource) -> tuple[int, str, int, tuple[int, int, int]]:
        version = of[resource.group, resource.version][1]
        return -groups[resource.group], resource.group, -version, _maturity(resource.version)

    return sorted(found, key=rank)


def _maturity(version: str) -> tuple[int, int, int]:
    """Stable before beta before alpha, then the newer first."""
    match = _MATURITY.fullmatch(version)
    if match is None:
        return 3, 0, 0
    major, level, minor = match.groups()
    return {None: 0, "beta": 1, "alpha": 2}[level], -int(major), -int(minor or 0)
