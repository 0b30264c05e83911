"""What objects use of a ResourceQuota, and which quotas they fall under. Pure functions on plain objects.

Admission charges new objects with it, the controller recounts with it, so both come to the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, TypeAlias

from ktui.kube.clock import parse_time
from ktui.kube.data import items, mapping, section, string, strings
from ktui.kube.kinds import PODS
from ktui.kube.qos import BEST_EFFORT, qos_class
from ktui.kube.quantity import Quantity, parse_quantity
from ktui.kube.resource import Object, Resource

Amounts: TypeAlias = dict[str, Quantity]

ONE: Final = Quantity.of(1)
ZERO: Final = Quantity(0)
PLAIN_COUNTS: Final = (
    "configmaps",
    "persistentvolumeclaims",
    "pods",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "services",
)
"""Kinds that quotas may count by their bare name."""
_REQUIRED: Final = ("cpu", "limits.cpu", "limits.memory", "memory", "requests.cpu", "requests.memory")
_BARE: Final = ("cpu", "memory", "ephemeral-storage")


def amounts(quantities: Mapping[str, str]) -> Amounts:
    """A list of quantities, read."""
    return {name: parse_quantity(quantity) for name, quantity in quantities.items()}


def added(one: Mapping[str, Quantity], other: Mapping[str, Quantity]) -> Amounts:
    """The sum of each resource."""
    return {
        name: one.get(name, ZERO) + other.get(name, ZERO)
        for name in (*one, *(o for o in other if o not in one))
    }


def greatest(one: Mapping[str, Quantity], other: Mapping[str, Quantity]) -> Amounts:
    """The larger of each resource."""
    return {name: max(one.get(name, ZERO), other.get(name, ZERO)) for name in {**one, **other}}


def pod_amounts(spec: Object, which: str) -> Amounts:
    """A pod's `requests` or `limits`: containers and sidecars together, or what an init container needs at most."""
    total: Amounts = {}
    for container in items(spec, "containers"):
        total = added(total, amounts(mapping(section(container, "resources"), which)))
    sidecars: Amounts = {}
    most: Amounts = {}
    for container in items(spec, "initContainers"):
        own = amounts(mapping(section(container, "resources"), which))
        if container.get("restartPolicy") == "Always":
            sidecars = added(sidecars, own)
            most = greatest(most, sidecars)
        else:
            most = greatest(most, added(sidecars, own))
    total = greatest(added(total, sidecars), most)
    for_pod = amounts(mapping(section(spec, "resources"), which))
    overhead = amounts(mapping(spec, "overhead"))
    if which == "limits":
        overhead = {name: amount for name, amount in overhead.items() if name in total}
    return added({**total, **for_pod}, overhead)


def pod_usage(pod: Object) -> Amounts:
    """What a pod uses of each resource a quota may name."""
    spec = section(pod, "spec")
    used: Amounts = {}
    for name, amount in pod_amounts(spec, "requests").items():
        used[f"requests.{name}"] = amount
        if name in _BARE or name.startswith("hugepages-"):
            used[name] = amount
    for name, amount in pod_amounts(spec, "limits").items():
        if "/" not in name or "kubernetes.io/" in name:
            used[f"limits.{name}"] = amount
    return {**used, "pods": ONE}


def usage_of(resource: Resource, obj: Object) -> Amounts:
    """What an object uses, counted by itself and by what it asks for."""
    used: Amounts = {f"count/{resource.key}": ONE}
    if resource.key == PODS.key:
        return {**used, **pod_usage(obj)}
    if resource.key in PLAIN_COUNTS:
        used[resource.key] = ONE
    if resource.key == "services":
        spec = section(obj, "spec")
        kind = string(spec, "type")
        if kind == "LoadBalancer":
            used["services.loadbalancers"] = ONE
        if kind == "NodePort" or (
            kind == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is not False
        ):
            used["services.nodeports"] = Quantity.of(len(items(spec, "ports")))
    if resource.key == "persistentvolumeclaims":
        asked = amounts(mapping(section(obj, "spec", "resources"), "requests")).get("storage", ZERO)
        used["requests.storage"] = asked
        if storage_class := string(section(obj, "spec"), "storageClassName"):
            prefix = f"{storage_class}.storageclass.storage.k8s.io/"
            used |= {f"{prefix}requests.storage": asked, f"{prefix}persistentvolumeclaims": ONE}
    return used


def counts(resource: Resource, obj: Object, now: datetime) -> bool:
    """Whether an object still uses anything: pods that have ended or should be gone do not."""
    if resource.key != PODS.key:
        return True
    if string(section(obj, "status"), "phase") in ("Succeeded", "Failed"):
        return False
    metadata = section(obj, "metadata")
    deleted = metadata.get("deletionTimestamp")
    if not deleted or metadata.get("deletionGracePeriodSeconds") is None:
        return True
    return now <= parse_time(deleted)


def is_under(quota: Object, resource: Resource, obj: Object) -> bool:
    """Whether an object falls under a quota's scopes; scoped quotas are about pods only."""
    spec = section(quota, "spec")
    wanted = [{"scopeName": scope, "operator": "Exists"} for scope in strings(spec, "scopes")]
    wanted += items(section(spec, "scopeSelector"), "matchExpressions")
    if not wanted:
        return True
    return resource.key == PODS.key and all(_matches(each, obj) for each in wanted)


def _matches(requirement: Object, pod: Object) -> bool:
    scope = string(requirement, "scopeName")
    if scope == "PriorityClass":
        return _has_class(requirement, string(section(pod, "spec"), "priorityClassName"))
    check = SCOPES.get(scope)
    return check is not None and check(pod)


def _has_class(requirement: Object, name: str) -> bool:
    values = strings(requirement, "values")
    match string(requirement, "operator"):
        case "In":
            return name in values
        case "NotIn":
            return name not in values
        case "DoesNotExist":
            return not name
        case _:
            return bool(name)


def _is_terminating(pod: Object) -> bool:
    seconds = section(pod, "spec").get("activeDeadlineSeconds")
    return seconds is not None and seconds >= 0


def _is_best_effort(pod: Object) -> bool:
    return qos_class(pod) == BEST_EFFORT


def _crosses_namespaces(pod: Object) -> bool:
    affinity = section(pod, "spec", "affinity")
    for kind in ("podAffinity", "podAntiAffinity"):
        rules = section(affinity, kind)
        terms = items(rules, "requiredDuringSchedulingIgnoredDuringExecution") + [
            section(each, "podAffinityTerm")
            for each in items(rules, "preferredDuringSchedulingIgnoredDuringExecution")
        ]
        if any(term.get("namespaces") or term.get("namespaceSelector") is not None for term in terms):
            return True
    return False


SCOPES: Final[Mapping[str, Callable[[Object], bool]]] = {
    "BestEffort": _is_best_effort,
    "CrossNamespacePodAffinity": _crosses_namespaces,
    "NotBestEffort": lambda pod: not _is_best_effort(pod),
    "NotTerminating": lambda pod: not _is_terminating(pod),
    "Terminating": _is_terminating,
}


def missing(pod: Object, hard: Iterable[str]) -> dict[str, list[str]]:
    """Compute resources a quota limits that containers don't say anything of: resource -> containers."""
    spec = section(pod, "spec")
    required = sorted(set(hard) & set(_REQUIRED))
    found: dict[str, list[str]] = {}
    for_pod = section(spec, "resources")
    for container in [*items(spec, "containers"), *items(spec, "initContainers")]:
        resources = section(container, "resources")
        for name in required:
            which, _, plain = name.rpartition(".")
            named = mapping(resources, which or "requests")
            if plain not in named and plain not in mapping(for_pod, which or "requests"):
                found.setdefault(name, []).append(string(container, "name"))
    return found


def exceeding(
    hard: Mapping[str, Quantity], used: Mapping[str, Quantity], requested: Mapping[str, Quantity]
) -> list[str]:
    """The resources of which there is not enough left, in order."""
    return sorted(
        name
        for name, amount in requested.items()
        if name in hard and amount and used.get(name, ZERO) + amount > hard[name]
    )


def listed(quantities: Mapping[str, Quantity], names: Sequence[str]) -> str:
    """`pods=1,requests.cpu=2` as errors print amounts."""
    return ",".join(f"{name}={quantities.get(name, ZERO)}" for name in names)


def printed(quantities: Mapping[str, Quantity]) -> dict[str, str]:
    """Amounts as the API carries them."""
    return {name: str(amount) for name, amount in quantities.items()}
