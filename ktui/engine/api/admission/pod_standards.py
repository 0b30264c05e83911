"""The Pod Security Standards: what a pod may not ask for at the levels baseline and restricted.

Pure functions from a pod's metadata and spec to violations, each with Kubernetes' reason and detail. Checks of
one level come in the order of their names, those of baseline before those only restricted has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from ktui.kube.data import items, section, string, strings
from ktui.kube.resource import Object


class Violation(NamedTuple):
    """What a check found."""

    reason: str
    detail: str

    def __str__(self) -> str:
        return f"{self.reason} ({self.detail})" if self.detail else self.reason


Check: TypeAlias = Callable[[Object, Object], Violation | None]
"""(metadata, spec) -> what is wrong, or None."""

_CAPABILITIES: Final = frozenset(
    [
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    ]
)
_SYSCTLS: Final = frozenset(
    [
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ping_group_range",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_rmem",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.tcp_wmem",
    ]
)
_SELINUX_TYPES: Final = ("", "container_t", "container_init_t", "container_kvm_t", "container_engine_t")
_VOLUMES: Final = frozenset(
    [
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "name",
        "persistentVolumeClaim",
        "projected",
        "secret",
    ]
)
_APPARMOR: Final = "container.apparmor.security.beta.kubernetes.io/"
_FINE_SECCOMP: Final = ("RuntimeDefault", "Localhost")


def containers(spec: Object) -> list[Object]:
    """All containers of a pod: init, ordinary and ephemeral ones."""
    return [*items(spec, "initContainers"), *items(spec, "containers"), *items(spec, "ephemeralContainers")]


def _context(holder: Object) -> Object:
    return section(holder, "securityContext")


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _named(found: Sequence[Object]) -> str:
    """`container "a"` or `containers "a", "b"`."""
    return f"container{'s' if len(found) > 1 else ''} {_quoted(string(each, 'name') for each in found)}"


def _is_windows(spec: Object) -> bool:
    return section(spec, "os").get("name") == "windows"


def _where(is_pod: bool, found: Sequence[Object], joined: str = " and ") -> str:
    return joined.join([*(["pod"] if is_pod else []), *([_named(found)] if found else [])])


# Baseline


def app_armor(metadata: Object, spec: Object) -> Violation | None:
    holders = [("pod", spec), *((_named([each]), each) for each in containers(spec))]
    bad = [
        f'{name} must not set AppArmor profile type to "Unconfined"'
        for name, holder in holders
        if section(_context(holder), "appArmorProfile").get("type") == "Unconfined"
    ]
    annotations: dict[str, str] = metadata.get("annotations") or {}
    for key, value in sorted(annotations.items()):
        fine = value in ("", "runtime/default") or value.startswith("localhost/")
        if key.startswith(_APPARMOR) and not fine:
            bad.append(f'annotation {key}="{value}"')
    reason = "forbidden AppArmor profiles" if len(bad) > 1 else "forbidden AppArmor profile"
    return Violation(reason, ", ".join(bad)) if bad else None


def _added(container: Object) -> list[str]:
    return strings(section(_context(container), "capabilities"), "add")


def capabilities_baseline(metadata: Object, spec: Object) -> Violation | None:
    bad = [each for each in containers(spec) if set(_added(each)) - _CAPABILITIES]
    names = sorted({name for each in bad for name in _added(each)} - _CAPABILITIES)
    if not bad:
        return None
    return Violation(
        "non-default capabilities",
        f"{_named(bad)} must not include {_quoted(names)} in securityContext.capabilities.add",
    )


def host_namespaces(metadata: Object, spec: Object) -> Violation | None:
    used = [f"{name}=true" for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name)]
    return Violation("host namespaces", ", ".join(used)) if used else None


def host_path_volumes(metadata: Object, spec: Object) -> Violation | None:
    used = [string(volume, "name") for volume in items(spec, "volumes") if volume.get("hostPath")]
    if not used:
        return None
    return Violation("hostPath volumes", f"volume{'s' if len(used) > 1 else ''} {_quoted(used)}")


def host_ports(metadata: Object, spec: Object) -> Violation | None:
    bad = [each for each in containers(spec) if any(port.get("hostPort") for port in items(each, "ports"))]
    ports = sorted({int(p["hostPort"]) for each in bad for p in items(each, "ports") if p.get("hostPort")})
    if not bad:
        return None
    verb = "use" if len(bad) > 1 else "uses"
    noun = "hostPorts" if len(ports) > 1 else "hostPort"
    return Violation("hostPort", f"{_named(bad)} {verb} {noun} {', '.join(map(str, ports))}")


def _hosts(container: Object) -> list[str]:
    handlers = [section(container, name) for name in ("livenessProbe", "readinessProbe", "startupProbe")]
    handlers += [section(container, "lifecycle", name) for name in ("postStart", "preStop")]
    found = [section(each, kind).get("host") for each in handlers for kind in ("httpGet", "tcpSocket")]
    return [host for host in found if host]


def host_probes(metadata: Object, spec: Object) -> Violation | None:
    bad = [each for each in containers(spec) if _hosts(each)]
    hosts = sorted({host for each in bad for host in _hosts(each)})
    if not bad:
        return None
    verb, noun = "use" if len(bad) > 1 else "uses", "hosts" if len(hosts) > 1 else "host"
    return Violation(
        "probe or lifecycle host", f"{_named(bad)} {verb} probe or lifecycle {noun} {_quoted(hosts)}"
    )


def privileged(metadata: Object, spec: Object) -> Violation | None:
    bad = [each for each in containers(spec) if _context(each).get("privileged")]
    if not bad:
        return None
    return Violation("privileged", f"{_named(bad)} must not set securityContext.privileged=true")


def proc_mount(metadata: Object, spec: Object) -> Violation | None:
    bad = [each for each in containers(spec) if _context(each).get("procMount") not in (None, "", "Default")]
    kinds = sorted({str(_context(each)["procMount"]) for each in bad})
    if not bad:
        return None
    return Violation("procMount", f"{_named(bad)} must not set securityContext.procMount to {_quoted(kinds)}")


def se_linux(metadata: Object, spec: Object) -> Violation | None:
    def options(holder: Object) -> Object:
        return section(_context(holder), "seLinuxOptions")

    def is_bad(holder: Object) -> bool:
        found = options(holder)
        return bool(found.get("user") or found.get("role") or string(found, "type") not in _SELINUX_TYPES)

    bad = [each for each in containers(spec) if is_bad(each)]
    if not is_bad(spec) and not bad:
        return None
    all_options = [options(each) for each in ([spec] if is_bad(spec) else []) + bad]
    types = sorted({string(found, "type") for found in all_options} - set(_SELINUX_TYPES))
    problems = [f"type{'s' if len(types) > 1 else ''} {_quoted(types)}"] if types else []
    problems += [
        f"{name} may not be set" for name in ("user", "role") if any(found.get(name) for found in all_options)
    ]
    verb = "sets" if not is_bad(spec) and len(bad) == 1 else "set"
    where = _where(is_bad(spec), bad)
    return Violation(
        "seLinuxOptions", f"{where} {verb} forbidden securityContext.seLinuxOptions: {'; '.join(problems)}"
    )


def _seccomp(holder: Object) -> str:
    return string(section(_context(holder), "seccompProfile"), "type")


def seccomp_baseline(metadata: Object, spec: Object) -> Violation | None:
    return _bad_seccomp(spec)


def _bad_seccomp(spec: Object) -> Violation | None:
    bad = [each for each in containers(spec) if _seccomp(each) not in ("", *_FINE_SECCOMP)]
    of_pod = _seccomp(spec) not in ("", *_FINE_SECCOMP)
    if not bad and not of_pod:
        return None
    kinds = sorted({_seccomp(each) for each in bad} | ({_seccomp(spec)} if of_pod else set()))
    text = f"{_where(of_pod, bad)} must not set securityContext.seccompProfile.type to {_quoted(kinds)}"
    return Violation("seccompProfile", text)


def sysctls(metadata: Object, spec: Object) -> Violation | None:
    names = [string(each, "name") for each in items(_context(spec), "sysctls")]
    bad = sorted(set(names) - _SYSCTLS)
    return Violation("forbidden sysctls", ", ".join(bad)) if bad else None


def windows_host_process(metadata: Object, spec: Object) -> Violation | None:
    def is_bad(holder: Object) -> bool:
        return bool(section(_context(holder), "windowsOptions").get("hostProcess"))

    bad = [each for each in containers(spec) if is_bad(each)]
    if not bad and not is_bad(spec):
        return None
    where = _where(is_bad(spec), bad)
    return Violation("hostProcess", f"{where} must not set securityContext.windowsOptions.hostProcess=true")


# Restricted


def privilege_escalation(metadata: Object, spec: Object) -> Violation | None:
    bad = [each for each in containers(spec) if _context(each).get("allowPrivilegeEscalation") is not False]
    if not bad or _is_windows(spec):
        return None
    return Violation(
        "allowPrivilegeEscalation != false",
        f"{_named(bad)} must set securityContext.allowPrivilegeEscalation=false",
    )


def capabilities_restricted(metadata: Object, spec: Object) -> Violation | None:
    if _is_windows(spec):
        return None
    kept = [
        each
        for each in containers(spec)
        if "ALL" not in strings(section(_context(each), "capabilities"), "drop")
    ]
    adding = [each for each in containers(spec) if set(_added(each)) - {"NET_BIND_SERVICE"}]
    names = sorted({name for each in adding for name in _added(each)} - {"NET_BIND_SERVICE"})
    problems: list[str] = []
    if kept:
        problems.append(f'{_named(kept)} must set securityContext.capabilities.drop=["ALL"]')
    if adding:
        problems.append(
            f"{_named(adding)} must not include {_quoted(names)} in securityContext.capabilities.add"
        )
    return Violation("unrestricted capabilities", "; ".join(problems)) if problems else None


def restricted_volumes(metadata: Object, spec: Object) -> Violation | None:
    bad = {
        string(volume, "name"): sorted(set(volume) - _VOLUMES) or ["unknown"]
        for volume in items(spec, "volumes")
        if set(volume) - _VOLUMES
    }
    if not bad:
        return None
    kinds = sorted({kind for found in bad.values() for kind in found})
    many = len(bad) > 1
    text = (
        f"volume{'s' if many else ''} {_quoted(bad)} {'use' if many else 'uses'} restricted volume "
        f"type{'s' if len(kinds) > 1 else ''} {_quoted(kinds)}"
    )
    return Violation("restricted volume types", text)


def run_as_non_root(metadata: Object, spec: Object) -> Violation | None:
    of_pod = _context(spec).get("runAsNonRoot")
    said: list[tuple[Object, Any]] = [(each, _context(each).get("runAsNonRoot")) for each in containers(spec)]
    explicit = [each for each, value in said if value is False]
    silent = [each for each, value in said if value is None]
    if explicit or (of_pod is False and silent):
        where = _where(of_pod is False and bool(silent), explicit)
        return Violation("runAsNonRoot != true", f"{where} must not set securityContext.runAsNonRoot=false")
    if silent and of_pod is not True:
        text = f"pod or {_named(silent)} must set securityContext.runAsNonRoot=true"
        return Violation("runAsNonRoot != true", text)
    return None


def run_as_user(metadata: Object, spec: Object) -> Violation | None:
    bad = [each for each in containers(spec) if _context(each).get("runAsUser") == 0]
    of_pod = _context(spec).get("runAsUser") == 0
    if not bad and not of_pod:
        return None
    return Violation("runAsUser=0", f"{_where(of_pod, bad)} must not set runAsUser=0")


def seccomp_restricted(metadata: Object, spec: Object) -> Violation | None:
    if _is_windows(spec):
        return None
    if bad := _bad_seccomp(spec):
        return bad
    silent = [each for each in containers(spec) if not _seccomp(each)]
    if _seccomp(spec) or not silent:
        return None
    text = f'pod or {_named(silent)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
    return Violation("seccompProfile", text)


BASELINE: Final[Sequence[Check]] = (
    app_armor,
    capabilities_baseline,
    host_namespaces,
    host_path_volumes,
    host_ports,
    host_probes,
    privileged,
    proc_mount,
    se_linux,
    seccomp_baseline,
    sysctls,
    windows_host_process,
)
_OVERRIDDEN: Final = (capabilities_baseline, host_path_volumes, seccomp_baseline)
RESTRICTED: Final[Sequence[Check]] = (
    *(check for check in BASELINE if check not in _OVERRIDDEN),
    privilege_escalation,
    capabilities_restricted,
    restricted_volumes,
    run_as_non_root,
    run_as_user,
    seccomp_restricted,
)
LEVELS: Final[dict[str, Sequence[Check]]] = {
    "privileged": (),
    "baseline": BASELINE,
    "restricted": RESTRICTED,
}


def violations(level: str, metadata: Object, spec: Object) -> str:
    """Everything a pod does against a level, as messages list it; empty if it may be."""
    found = [check(metadata, spec) for check in LEVELS[level]]
    return ", ".join(str(violation) for violation in found if violation is not None)
