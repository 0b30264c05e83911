"""Rules for containers: what all have in common, and what init and ephemeral containers may not have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ktui.engine.api.validation.compute import check_container_resources
from ktui.engine.api.validation.environment import check_environment
from ktui.engine.api.validation.fields import (
    duplicate,
    each_invalid,
    forbidden,
    invalid,
    not_found,
    required,
    too_many,
    unsupported,
)
from ktui.engine.api.validation.mounts import check_mounts
from ktui.engine.api.validation.probes import check_lifecycle, check_probes
from ktui.engine.api.validation.security import check_container_security
from ktui.kube import names
from ktui.kube.data import items, section, string
from ktui.kube.errors import Cause
from ktui.kube.resource import Object

_PROTOCOLS: Final = ("SCTP", "TCP", "UDP")
_PULL_POLICIES: Final = ("Always", "IfNotPresent", "Never")
_MESSAGE_POLICIES: Final = ("File", "FallbackToLogsOnError")
_RESTART_POLICIES: Final = ("Always", "Never", "OnFailure")
_RESTART_ACTIONS = ("Restart", "RestartAllContainers")
_NOT_FOR_INIT: Final = ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe")
_NOT_FOR_EPHEMERAL: Final = (
    "ports",
    "resources",
    "resizePolicy",
    "restartPolicy",
    "restartPolicyRules",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "lifecycle",
)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a container is checked against."""

    volumes: Mapping[str, Object]
    claims: frozenset[str]
    grace_period: int | None
    restart_policy: str
    host_users: bool
    os: str
    is_pod: bool
    """A pod itself, not a template."""


def check_containers(spec: Object, path: str, around: Surroundings) -> list[Cause]:
    """`containers`, `initContainers` and `ephemeralContainers` of a pod spec."""
    containers = items(spec, "containers")
    if not containers:
        causes = [required(f"{path}.containers")]
    else:
        causes = _regular(containers, f"{path}.containers", around)
    taken = {string(container, "name") for container in containers}
    causes += _init(items(spec, "initContainers"), f"{path}.initContainers", taken, around)
    taken |= {string(container, "name") for container in items(spec, "initContainers")}
    causes += _ephemeral(items(spec, "ephemeralContainers"), f"{path}.ephemeralContainers", taken, around)
    return causes


def _regular(containers: list[Object], path: str, around: Surroundings) -> list[Cause]:
    causes: list[Cause] = []
    taken: set[str] = set()
    for index, container in enumerate(containers):
        at = f"{path}[{index}]"
        causes += _common(container, at, around)
        name = string(container, "name")
        if name in taken:
            causes.append(duplicate(f"{at}.name", name))
        taken.add(name)
        causes += check_lifecycle(container, at, around.grace_period, around.os)
        causes += check_probes(container, at, around.grace_period)
        causes += _restart(container, at)
    return causes + host_port_conflicts(containers, path)


def _init(containers: list[Object], path: str, others: set[str], around: Surroundings) -> list[Cause]:
    causes: list[Cause] = []
    taken = set(others)
    for index, container in enumerate(containers):
        at = f"{path}[{index}]"
        causes += _common(container, at, around) + _restart(container, at)
        name = string(container, "name")
        if name in taken:
            causes.append(duplicate(f"{at}.name", name))
        taken.add(name)
        causes += host_port_conflicts([container], path)
        if container.get("restartPolicy") == "Always":
            causes += check_lifecycle(container, at, around.grace_period, around.os)
            causes += check_probes(container, at, around.grace_period)
        else:
            why = "may not be set for init containers without restartPolicy=Always"
            causes += [forbidden(f"{at}.{field}", why) for field in _NOT_FOR_INIT if field in container]
    return causes


def _ephemeral(containers: list[Object], path: str, others: set[str], around: Surroundings) -> list[Cause]:
    causes: list[Cause] = []
    taken = set(others)
    why = "cannot be set for an Ephemeral Container"
    for index, container in enumerate(containers):
        at = f"{path}[{index}]"
        causes += _common(container, at, around)
        name, target = string(container, "name"), string(container, "targetContainerName")
        if name in taken:
            causes.append(duplicate(f"{at}.name", name))
        taken.add(name)
        if target and target not in others:
            causes.append(not_found(f"{at}.targetContainerName", target))
        causes += [forbidden(f"{at}.{field}", why) for field in _NOT_FOR_EPHEMERAL if container.get(field)]
        for position, mount in enumerate(items(container, "volumeMounts")):
            causes += [
                forbidden(f"{at}.volumeMounts[{position}].{field}", why)
                for field in ("subPath", "subPathExpr")
                if mount.get(field)
            ]
    return causes


def _common(container: Object, at: str, around: Surroundings) -> list[Cause]:
    name, image = string(container, "name"), string(container, "image")
    causes = each_invalid(f"{at}.name", name, names.dns_label(name)) if name else [required(f"{at}.name")]
    if not image:
        causes.append(required(f"{at}.image"))
    elif around.is_pod and image.strip() != image:
        causes.append(invalid(f"{at}.image", image, "must not have leading or trailing whitespace"))
    causes += _choice(container, at, "terminationMessagePolicy", _MESSAGE_POLICIES)
    causes += _ports(items(container, "ports"), f"{at}.ports")
    causes += check_environment(container, at)
    causes += check_mounts(container, at, around.volumes)
    causes += _choice(container, at, "imagePullPolicy", _PULL_POLICIES)
    causes += check_container_resources(container, at, around.claims)
    causes += _resize(items(container, "resizePolicy"), f"{at}.resizePolicy", around.restart_policy)
    return causes + check_container_security(container, at, host_users=around.host_users)


def _choice(container: Object, at: str, field: str, supported: tuple[str, ...]) -> list[Cause]:
    value = string(container, field)
    if not value:
        return [required(f"{at}.{field}")]
    return [] if value in supported else [unsupported(f"{at}.{field}", value, supported)]


def _ports(ports: list[Object], path: str) -> list[Cause]:
    causes: list[Cause] = []
    taken: set[str] = set()
    for index, port in enumerate(ports):
        at = f"{path}[{index}]"
        name, protocol = string(port, "name"), string(port, "protocol")
        if name:
            problems = names.port_name(name)
            causes += each_invalid(f"{at}.name", name, problems)
            if not problems and name in taken:
                causes.append(duplicate(f"{at}.name", name))
            taken.add(name)
        number: int = port.get("containerPort") or 0
        if not number:
            causes.append(required(f"{at}.containerPort"))
        else:
            causes += each_invalid(f"{at}.containerPort", number, names.port_number(number))
        host: int = port.get("hostPort") or 0
        if host:
            causes += each_invalid(f"{at}.hostPort", host, names.port_number(host))
        if not protocol:
            causes.append(required(f"{at}.protocol"))
        elif protocol not in _PROTOCOLS:
            causes.append(unsupported(f"{at}.protocol", protocol, _PROTOCOLS))
    return causes


def host_port_conflicts(containers: list[Object], path: str) -> list[Cause]:
    """No two containers that run at the same time may take the same port of the node."""
    causes: list[Cause] = []
    taken: set[tuple[Any, ...]] = set()
    for index, container in enumerate(containers):
        for position, port in enumerate(items(container, "ports")):
            if not port.get("hostPort"):
                continue
            key = (string(port, "protocol"), string(port, "hostIP"), port["hostPort"])
            if key in taken:
                at = f"{path}[{index}].ports[{position}].hostPort"
                causes.append(duplicate(at, "/".join(str(part) for part in key)))
            taken.add(key)
    return causes


def _resize(policies: list[Object], path: str, restart_policy: str) -> list[Cause]:
    causes: list[Cause] = []
    seen: set[str] = set()
    for index, policy in enumerate(policies):
        resource, restart = string(policy, "resourceName"), string(policy, "restartPolicy")
        if resource in seen:
            causes.append(duplicate(f"{path}[{index}]", resource))
        seen.add(resource)
        for value, supported in (
            (resource, ("cpu", "memory")),
            (restart, ("NotRequired", "RestartContainer")),
        ):
            if not value:
                causes.append(required(path))
            elif value not in supported:
                causes.append(unsupported(path, value, supported))
        if restart_policy == "Never" and restart != "NotRequired":
            why = "must be 'NotRequired' when pod `restartPolicy` is 'Never'"
            causes.append(invalid(path, restart, why))
    return causes


def _restart(container: Object, at: str) -> list[Cause]:
    policy, rules = container.get("restartPolicy"), items(container, "restartPolicyRules")
    causes: list[Cause] = []
    if policy is None:
        if rules:
            why = "must specify restartPolicy when restart rules are used"
            causes.append(required(f"{at}.restartPolicy", why))
    elif policy not in _RESTART_POLICIES:
        causes.append(unsupported(f"{at}.restartPolicy", policy, _RESTART_POLICIES))
    if len(rules) > 20:
        causes.append(too_many(f"{at}.restartPolicyRules", len(rules), 20))
    for index, rule in enumerate(rules):
        path = f"{at}.restartPolicyRules[{index}]"
        if rule.get("action") not in _RESTART_ACTIONS:
            causes.append(unsupported(f"{path}.action", string(rule, "action"), _RESTART_ACTIONS))
        codes = section(rule, "exitCodes")
        if not codes:
            causes.append(required(f"{path}.exitCodes", "must be specified"))
            continue
        if codes.get("operator") not in ("In", "NotIn"):
            operator = string(codes, "operator")
            causes.append(unsupported(f"{path}.exitCodes.operator", operator, ("In", "NotIn")))
        values: list[int] = codes.get("values") or []
        if len(values) > 255:
            causes.append(too_many(f"{path}.exitCodes.values", len(values), 255))
    return causes
