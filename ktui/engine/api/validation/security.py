"""Rules for security contexts of pods and containers."""

from __future__ import annotations

import re
from typing import Any, Final

from ktui.engine.api.validation.fields import (
    duplicate,
    each_invalid,
    forbidden,
    invalid,
    required,
    too_long,
    unsupported,
)
from ktui.engine.api.validation.paths import descending
from ktui.kube import names
from ktui.kube.data import items, section, string, strings
from ktui.kube.errors import Cause
from ktui.kube.resource import Object

_LARGEST_ID: Final = 2**31 - 1
_PROFILES: Final = ("Localhost", "RuntimeDefault", "Unconfined")
_SYSCTL: Final = r"^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"
_IPC_SYSCTLS: Final = ("kernel.shm", "kernel.msg", "fs.mqueue.", "kernel.sem")


def check_container_security(container: Object, path: str, *, host_users: bool) -> list[Cause]:
    context = section(container, "securityContext")
    if not context:
        return []
    at = f"{path}.securityContext"
    causes = _ids(context, at, ("runAsUser", "runAsGroup"))
    mount = string(context, "procMount")
    if mount:
        if mount not in ("Default", "Unmasked"):
            causes.append(unsupported(f"{at}.procMount", mount, ("Default", "Unmasked")))
        if host_users and mount == "Unmasked":
            causes.append(invalid(f"{at}.procMount", mount, "`hostUsers` must be false to use `Unmasked`"))
    causes += _seccomp(context, at)
    if context.get("allowPrivilegeEscalation") is False:
        if context.get("privileged"):
            causes.append(
                invalid(
                    at, context, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
                )
            )
        if "CAP_SYS_ADMIN" in strings(section(context, "capabilities"), "add"):
            causes.append(
                invalid(
                    at,
                    context,
                    "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN",
                )
            )
    return causes + _app_armor(context, at) + _windows(context, at)


def check_pod_security(spec: Object, path: str) -> list[Cause]:
    context = section(spec, "securityContext")
    at = f"{path}.securityContext"
    causes = _ids(context, at, ("fsGroup", "runAsUser", "runAsGroup"))
    groups: list[int] = context.get("supplementalGroups") or []
    for index, group in enumerate(groups):
        causes += _id(group, f"{at}.supplementalGroups[{index}]")
    if spec.get("shareProcessNamespace") and spec.get("hostPID"):
        causes.append(
            invalid(
                f"{at}.shareProcessNamespace",
                True,
                "ShareProcessNamespace and HostPID cannot both be enabled",
            )
        )
    causes += _sysctls(spec, f"{at}.sysctls")
    for field, supported in (
        ("fsGroupChangePolicy", ("Always", "OnRootMismatch")),
        ("supplementalGroupsPolicy", ("Merge", "Strict")),
        ("seLinuxChangePolicy", ("MountOption", "Recursive")),
    ):
        if field in context and context[field] not in supported:
            causes.append(unsupported(f"{at}.{field}", context[field], supported))
    return causes + _seccomp(context, at) + _app_armor(context, at) + _windows(context, at)


def check_host_users(spec: Object, path: str) -> list[Cause]:
    """A user namespace of its own excludes the host's other namespaces."""
    if spec.get("hostUsers") is not False:
        return []
    why = "when `hostUsers` is false"
    causes = [
        forbidden(f"{path}.{shown}", why)
        for field, shown in (("hostNetwork", "hostNetwork"), ("hostPID", "HostPID"), ("hostIPC", "HostIPC"))
        if spec.get(field)
    ]
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        for index, container in enumerate(items(spec, kind)):
            if container.get("volumeDevices"):
                causes.append(forbidden(f"{path}.{kind}[{index}].volumeDevices", why))
    return causes


def _ids(context: Object, path: str, fields: tuple[str, ...]) -> list[Cause]:
    return [c for field in fields if field in context for c in _id(context[field], f"{path}.{field}")]


def _id(value: Any, path: str) -> list[Cause]:
    return [] if 0 <= value <= _LARGEST_ID else [invalid(path, value, names.not_between(0, _LARGEST_ID))]


def _seccomp(context: Object, path: str) -> list[Cause]:
    profile: Object | None = context.get("seccompProfile")
    if profile is None:
        return []
    at = f"{path}.seccompProfile"
    kind = string(profile, "type")
    causes: list[Cause] = []
    if not kind:
        causes.append(required(f"{at}.type", "type is required when seccompProfile is set"))
    elif kind not in _PROFILES:
        causes.append(unsupported(f"{at}.type", kind, _PROFILES))
    if kind == "Localhost":
        if "localhostProfile" not in profile:
            causes.append(required(f"{at}.localhostProfile", "must be set when seccomp type is Localhost"))
        else:
            causes += descending(profile["localhostProfile"], f"{at}.localhostProfile")
    elif "localhostProfile" in profile:
        causes.append(
            invalid(f"{at}.localhostProfile", profile, "can only be set when seccomp type is Localhost")
        )
    return causes


def _app_armor(context: Object, path: str) -> list[Cause]:
    profile: Object | None = context.get("appArmorProfile")
    if profile is None:
        return []
    at = f"{path}.appArmorProfile"
    kind, local = string(profile, "type"), profile.get("localhostProfile")
    where = f"{at}.localhostProfile"
    if kind == "Localhost":
        if not local:
            return [required(where, "must be set when AppArmor type is Localhost")]
        causes: list[Cause] = []
        if local.strip() != local:
            causes.append(invalid(where, local, "must not be padded with whitespace"))
        if len(local) > 4095:
            causes.append(too_long(where, 4095))
        return causes
    if not kind:
        return [required(f"{at}.type", "type is required when appArmorProfile is set")]
    if kind not in _PROFILES:
        return [unsupported(f"{at}.type", kind, _PROFILES)]
    if local is not None:
        return [invalid(where, local, "can only be set when AppArmor type is Localhost")]
    return []


def _sysctls(spec: Object, path: str) -> list[Cause]:
    causes: list[Cause] = []
    seen: set[str] = set()
    for index, sysctl in enumerate(items(section(spec, "securityContext"), "sysctls")):
        at = f"{path}[{index}].name"
        name = string(sysctl, "name")
        if not name:
            causes.append(required(at))
        elif len(name) > 253 or not re.fullmatch(_SYSCTL[1:-1], name, re.ASCII):
            causes.append(invalid(at, name, f"must have at most 253 characters and match regex {_SYSCTL}"))
        elif name in seen:
            causes.append(duplicate(at, name))
        seen.add(name)
        dotted = name.replace("/", ".")
        if spec.get("hostNetwork") and dotted.startswith("net."):
            causes.append(invalid(at, name, "may not be specified when 'hostNetwork' is true"))
        if spec.get("hostIPC") and dotted.startswith(_IPC_SYSCTLS):
            causes.append(invalid(at, name, "may not be specified when 'hostIPC' is true"))
    return causes


def _windows(context: Object, path: str) -> list[Cause]:
    options = section(context, "windowsOptions")
    at = f"{path}.windowsOptions"
    causes: list[Cause] = []
    if "gmsaCredentialSpecName" in options:
        name = options["gmsaCredentialSpecName"]
        causes += each_invalid(f"{at}.gmsaCredentialSpecName", name, names.dns_subdomain(name))
    if options.get("gmsaCredentialSpec") == "":
        causes.append(invalid(f"{at}.gmsaCredentialSpec", "", "gmsaCredentialSpec cannot be an empty string"))
    if options.get("runAsUserName") == "":
        causes.append(invalid(f"{at}.runAsUserName", "", "runAsUserName cannot be an empty string"))
    return causes
