"""Rules for a pod's spec, alone or in a template: puts the rules for its parts together."""

from __future__ import annotations

from typing import Final

from ktui.engine.api.seen import Seen
from ktui.engine.api.validation.compute import check_overhead, check_pod_resources
from ktui.engine.api.validation.containers import Surroundings, check_containers
from ktui.engine.api.validation.dns import check_dns, check_host_names
from ktui.engine.api.validation.fields import (
    between,
    duplicate,
    each_invalid,
    forbidden,
    invalid,
    not_found,
    required,
    unsupported,
)
from ktui.engine.api.validation.metadata import check_labels
from ktui.engine.api.validation.scheduling import (
    check_affinity,
    check_gates,
    check_spread,
    check_tolerations,
)
from ktui.engine.api.validation.security import check_host_users, check_pod_security
from ktui.engine.api.validation.volumes import check_volumes
from ktui.kube import names
from ktui.kube.data import items, mapping, section, string
from ktui.kube.errors import Cause
from ktui.kube.resource import Object

_RESTART_POLICIES: Final = ("Always", "OnFailure", "Never")
_PREEMPTION: Final = ("PreemptLowerPriority", "Never")
_CONTAINER_LISTS: Final = ("initContainers", "containers", "ephemeralContainers")


_sound: Final = Seen[bool]()
"""Specs without an error."""


def check_pod_spec(spec: Object, path: str, *, is_pod: bool, pod_name: str = "") -> list[Cause]:
    """Every error of a pod spec."""
    claiming = any("ephemeral" in volume for volume in items(spec, "volumes"))
    form = _sound.form(spec, is_pod, pod_name if claiming else "")
    if _sound.get(form):
        return []
    causes = _errors(spec, path, is_pod=is_pod, pod_name=pod_name)
    if not causes:
        _sound.keep(form, True)
    return causes


def _errors(spec: Object, path: str, *, is_pod: bool, pod_name: str) -> list[Cause]:
    causes: list[Cause] = []
    grace = spec.get("terminationGracePeriodSeconds")
    if grace is None:
        causes.append(required(f"{path}.terminationGracePeriodSeconds"))
    volumes = check_volumes(spec, path, pod_name)
    causes += volumes.causes
    causes += _claims(items(spec, "resourceClaims"), f"{path}.resourceClaims")
    around = Surroundings(
        volumes=volumes.sound,
        claims=frozenset(string(claim, "name") for claim in items(spec, "resourceClaims")),
        grace_period=grace,
        restart_policy=string(spec, "restartPolicy"),
        host_users=spec.get("hostUsers") is not False,
        os=string(section(spec, "os"), "name"),
        is_pod=is_pod,
    )
    causes += check_containers(spec, path, around)
    causes += check_pod_resources(spec, path)
    causes += _host_ports(spec, path, is_pod=is_pod)
    causes += _restart_policy(spec, path)
    causes += check_labels(mapping(spec, "nodeSelector"), f"{path}.nodeSelector")
    causes += check_pod_security(spec, path)
    causes += check_affinity(section(spec, "affinity"), f"{path}.affinity")
    causes += check_dns(spec, path)
    causes += check_gates(spec, path)
    causes += check_spread(items(spec, "topologySpreadConstraints"), f"{path}.topologySpreadConstraints")
    causes += check_host_users(spec, path)
    causes += check_host_names(spec, path)
    causes += _names(spec, path)
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None:
        causes += between(f"{path}.activeDeadlineSeconds", deadline, 1, 2**31 - 1)
    causes += check_tolerations(items(spec, "tolerations"), f"{path}.tolerations")
    preemption = spec.get("preemptionPolicy")
    if preemption is not None and preemption not in _PREEMPTION:
        causes.append(unsupported(f"{path}.preemptionPolicy", preemption, _PREEMPTION))
    if "overhead" in spec:
        causes += check_overhead(spec["overhead"], f"{path}.overhead")
    return causes + _os(spec, path) + _file_keys(spec, path)


def _restart_policy(spec: Object, path: str) -> list[Cause]:
    policy = string(spec, "restartPolicy")
    at = f"{path}.restartPolicy"
    if not policy:
        return [required(at)]
    return [] if policy in _RESTART_POLICIES else [unsupported(at, policy, _RESTART_POLICIES)]


def _names(spec: Object, path: str) -> list[Cause]:
    """Names of the objects a spec refers to."""
    causes: list[Cause] = []
    for field in ("serviceAccountName", "nodeName", "priorityClassName", "runtimeClassName"):
        name = string(spec, field)
        if name:
            causes += each_invalid(f"{path}.{field}", name, names.dns_subdomain(name))
    return causes


def _host_ports(spec: Object, path: str, *, is_pod: bool) -> list[Cause]:
    """On the host's network a container's port is the host's port; a template may leave it to the default."""
    if not spec.get("hostNetwork"):
        return []
    causes: list[Cause] = []
    for index, container in enumerate(items(spec, "containers")):
        for position, port in enumerate(items(container, "ports")):
            host: int = port.get("hostPort") or 0
            if (is_pod or host) and host != (port.get("containerPort") or 0):
                at = f"{path}.containers[{index}].ports[{position}].hostPort"
                why = "must match `containerPort` when `hostNetwork` is true"
                causes.append(invalid(at, host, why))
    return causes


def _claims(claims: list[Object], path: str) -> list[Cause]:
    causes: list[Cause] = []
    taken: set[str] = set()
    for index, claim in enumerate(claims):
        at = f"{path}[{index}]"
        name = string(claim, "name")
        if not name:
            causes.append(required(f"{at}.name"))
        elif name in taken:
            causes.append(duplicate(f"{at}.name", name))
        else:
            causes += each_invalid(f"{at}.name", name, names.dns_label(name))
        taken.add(name)
        given = [field for field in ("resourceClaimName", "resourceClaimTemplateName") if field in claim]
        if len(given) > 1:
            why = "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"
            causes.append(invalid(at, claim, why))
        if not given:
            why = "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"
            causes.append(invalid(at, claim, why))
        for field in given:
            causes += each_invalid(f"{at}.{field}", claim[field], names.dns_subdomain(claim[field]))
    return causes


def _os(spec: Object, path: str) -> list[Cause]:
    if "os" not in spec:
        return []
    name = string(section(spec, "os"), "name")
    if not name:
        return [required(f"{path}.os.name")]
    if name not in ("linux", "windows"):
        return [unsupported(f"{path}.os", name, ("linux", "windows"))]
    if name == "windows":
        return []
    why = "windows options cannot be set for a linux pod"
    causes: list[Cause] = []
    if "windowsOptions" in section(spec, "securityContext"):
        causes.append(forbidden(f"{path}.securityContext.windowsOptions", why))
    for kind in _CONTAINER_LISTS:
        for index, container in enumerate(items(spec, kind)):
            if "windowsOptions" in section(container, "securityContext"):
                causes.append(forbidden(f"{path}.{kind}[{index}].securityContext.windowsOptions", why))
    return causes


def _file_keys(spec: Object, path: str) -> list[Cause]:
    """Variables read from files need an emptyDir."""
    volumes = {string(volume, "name"): volume for volume in items(spec, "volumes")}
    causes: list[Cause] = []
    for kind in _CONTAINER_LISTS:
        for index, container in enumerate(items(spec, kind)):
            for position, variable in enumerate(items(container, "env")):
                reference = section(variable, "valueFrom", "fileKeyRef")
                if not reference:
                    continue
                at = f"{path}.{kind}[{index}].env[{position}].valueFrom.fileKeyRef.volumeName"
                name = string(reference, "volumeName")
                if name not in volumes:
                    causes.append(not_found(at, name))
                elif "emptyDir" not in volumes[name]:
                    causes.append(invalid(at, name, "referenced volume must be of type emptyDir"))
    return causes
