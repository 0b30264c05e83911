"""Rules for probes and lifecycle hooks: exactly one action, numbers that make sense."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from ktui.engine.api.validation.fields import (
    each_invalid,
    forbidden,
    invalid,
    non_negative,
    required,
    unsupported,
)
from ktui.kube import names
from ktui.kube.data import items, string
from ktui.kube.errors import Cause
from ktui.kube.resource import Object

_NUMBERS: Final = (
    "initialDelaySeconds",
    "timeoutSeconds",
    "periodSeconds",
    "successThreshold",
    "failureThreshold",
)
_SCHEMES: Final = ("HTTP", "HTTPS")
_SIGNALS: Final = [
    "SIGABRT",
    "SIGALRM",
    "SIGBUS",
    "SIGCHLD",
    "SIGCLD",
    "SIGCONT",
    "SIGFPE",
    "SIGHUP",
    "SIGILL",
    "SIGINT",
    "SIGIO",
    "SIGIOT",
    "SIGKILL",
    "SIGPIPE",
    "SIGPOLL",
    "SIGPROF",
    "SIGPWR",
    "SIGQUIT",
    "SIGRTMAX",
    "SIGRTMIN",
    "SIGSEGV",
    "SIGSTKFLT",
    "SIGSTOP",
    "SIGSYS",
    "SIGTERM",
    "SIGTRAP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGUSR1",
    "SIGUSR2",
    "SIGVTALRM",
    "SIGWINCH",
    "SIGXCPU",
    "SIGXFSZ",
]
STOP_SIGNALS: Final = tuple(
    sorted(_SIGNALS + [f"SIGRTMIN+{n}" for n in range(1, 16)] + [f"SIGRTMAX-{n}" for n in range(1, 15)])
)


def check_probes(container: Object, path: str, grace_period: int | None) -> list[Cause]:
    """The three probes of a container."""
    causes: list[Cause] = []
    for field in ("livenessProbe", "readinessProbe", "startupProbe"):
        if field in container:
            probe: Object = container[field]
            at = f"{path}.{field}"
            causes += _probe(probe, at, grace_period)
            if field != "readinessProbe" and probe.get("successThreshold") != 1:
                causes.append(
                    invalid(f"{at}.successThreshold", probe.get("successThreshold") or 0, "must be 1")
                )
            if field == "readinessProbe" and "terminationGracePeriodSeconds" in probe:
                causes.append(
                    invalid(
                        f"{at}.terminationGracePeriodSeconds",
                        probe["terminationGracePeriodSeconds"],
                        "must not be set for readinessProbes",
                    )
                )
    return causes


def _probe(probe: Object, path: str, grace_period: int | None) -> list[Cause]:
    causes = check_handler(probe, path, ("exec", "httpGet", "tcpSocket", "grpc"), grace_period)
    for field in _NUMBERS:
        causes += non_negative(f"{path}.{field}", probe.get(field))
    own_grace = probe.get("terminationGracePeriodSeconds")
    if own_grace is not None and own_grace <= 0:
        causes.append(invalid(f"{path}.terminationGracePeriodSeconds", own_grace, "must be greater than 0"))
    return causes


def check_lifecycle(container: Object, path: str, grace_period: int | None, os: str) -> list[Cause]:
    """postStart, preStop and stopSignal."""
    lifecycle: Object | None = container.get("lifecycle")
    if not lifecycle:
        return []
    causes: list[Cause] = []
    for hook in ("postStart", "preStop"):
        if hook in lifecycle:
            actions = ("exec", "httpGet", "tcpSocket", "sleep")
            causes += check_handler(lifecycle[hook], f"{path}.lifecycle.{hook}", actions, grace_period)
    signal = lifecycle.get("stopSignal")
    if signal:
        at = f"{path}.lifecycle.stopSignal"
        if not os:
            causes.append(forbidden(at, "may not be set for containers with empty `spec.os.name`"))
        elif os == "windows" and signal not in ("SIGKILL", "SIGTERM"):
            causes.append(unsupported(at, signal, ("SIGKILL", "SIGTERM")))
        elif os == "linux" and signal not in STOP_SIGNALS:
            causes.append(unsupported(at, signal, STOP_SIGNALS))
    return causes


def check_handler(
    handler: Object, path: str, actions: tuple[str, ...], grace_period: int | None
) -> list[Cause]:
    """Exactly one action, and that one sound."""
    found = [action for action in actions if action in handler]
    if not found:
        return [required(path, "must specify a handler type")]
    first, *others = found
    if first == "sleep":
        causes = _sleep(handler["sleep"], f"{path}.sleep", grace_period)
    else:
        causes = _ACTIONS[first](handler[first], f"{path}.{first}")
    return causes + [forbidden(f"{path}.{a}", "may not specify more than 1 handler type") for a in others]


def _exec(action: Object, path: str) -> list[Cause]:
    return [] if action.get("command") else [required(f"{path}.command")]


def _http(action: Object, path: str) -> list[Cause]:
    causes = [] if action.get("path") else [required(f"{path}.path")]
    causes += check_port(action.get("port", 0), f"{path}.port")
    scheme = string(action, "scheme")
    if scheme not in _SCHEMES:
        causes.append(unsupported(f"{path}.scheme", scheme, _SCHEMES))
    for header in items(action, "httpHeaders"):
        name = string(header, "name")
        causes += each_invalid(f"{path}.httpHeaders", name, names.http_header_name(name))
    return causes


def _port(action: Object, path: str) -> list[Cause]:
    return check_port(action.get("port", 0), f"{path}.port")


def _sleep(action: Object, path: str, grace_period: int | None) -> list[Cause]:
    seconds: int = action.get("seconds") or 0
    if grace_period is None or 0 <= seconds <= grace_period:
        return []
    why = f"must be non-negative and less than terminationGracePeriodSeconds ({grace_period})"
    return [invalid(path, seconds, why)]


_ACTIONS: Final[dict[str, Callable[[Object, str], list[Cause]]]] = {
    "exec": _exec,
    "httpGet": _http,
    "tcpSocket": _port,
    "grpc": _port,
}


def check_port(port: Any, path: str) -> list[Cause]:
    """A port number, or the name of a port."""
    problems = names.port_name(port) if isinstance(port, str) else names.port_number(port)
    return each_invalid(path, port, problems)
