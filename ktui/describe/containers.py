"""Containers of a pod or of a pod template: image, ports, command, state, resources, probes, environment."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from ktui.describe.generic import go_value
from ktui.describe.text import NONE, Text
from ktui.kube.quantity import bytes_of, canonical, cpu_millis
from ktui.kube.resource import Object

FieldResolver = Callable[[str], str]
"""Gives the value of a pod's field path, or ""."""


def write_containers(
    out: Text,
    title: str,
    containers: Sequence[Object],
    statuses: Sequence[Object] = (),
    resolve: FieldResolver | None = None,
    *,
    indent: str = "",
) -> None:
    """`indent` is two spaces inside a template, where kubectl moves only the names."""
    by_name = {status.get("name"): status for status in statuses}
    out.line(f"{indent}{title}:{'' if containers else f' {NONE}'}")
    for container in containers:
        status = by_name.get(container.get("name"))
        _write_basics(out, container, status, " " if indent else "")
        _write_lines(out, "Command", container.get("command"))
        _write_lines(out, "Args", container.get("args"))
        if status is not None:
            _write_state(out, status)
        write_resources(out, container.get("resources"), 2)
        for kind in ("liveness", "readiness", "startup"):
            probe: Object | None = container.get(f"{kind}Probe")
            if probe is not None:
                out.field(kind.capitalize(), probe_text(probe), 2)
        _write_env_from(out, container.get("envFrom") or ())
        _write_env(out, container, resolve)
        _write_mounts(out, container)


def write_resources(out: Text, resources: Object | None, level: int) -> None:
    """Limits and requests."""
    for kind in ("limits", "requests"):
        amounts: Mapping[str, str] = (resources or {}).get(kind) or {}
        if amounts:
            out.line(f"{kind.capitalize()}:", level)
        for name, quantity in sorted(amounts.items()):
            out.field(name, canonical(quantity), level + 1)


def probe_text(probe: Object) -> str:
    """A probe in one line: what it does and its timing."""
    timing = (
        f"delay={probe.get('initialDelaySeconds', 0)}s timeout={probe.get('timeoutSeconds', 0)}s"
        f" period={probe.get('periodSeconds', 0)}s #success={probe.get('successThreshold', 0)}"
        f" #failure={probe.get('failureThreshold', 0)}"
    )
    if "exec" in probe:
        command: Object = probe["exec"] or {}
        return f"exec {go_value(command.get('command') or [])} {timing}"
    if "httpGet" in probe:
        get: Object = probe["httpGet"] or {}
        path = get.get("path") or ""
        lead = "" if path.startswith("/") or not path else "/"
        scheme = str(get.get("scheme") or "").lower()
        url = f"{scheme}{':' if scheme else ''}//{get.get('host') or ''}:{get.get('port')}{lead}{path}"
        return f"http-get {url} {timing}"
    if "tcpSocket" in probe:
        socket: Object = probe["tcpSocket"] or {}
        return f"tcp-socket {socket.get('host') or ''}:{socket.get('port')} {timing}"
    if "grpc" in probe:
        grpc: Object = probe["grpc"] or {}
        return f"grpc <pod>:{grpc.get('port')} {grpc.get('service') or ''} {timing}"
    return f"unknown {timing}"


def _write_basics(out: Text, container: Object, status: Object | None, indent: str) -> None:
    out.line(f"{indent}{container.get('name')}:", 1)
    if status is not None:
        out.field("Container ID", status.get("containerID") or "", 2)
    out.field("Image", container.get("image") or "", 2)
    if status is not None:
        out.field("Image ID", status.get("imageID") or "", 2)
    ports: Sequence[Object] = container.get("ports") or ()
    for title, field in (("Port", "containerPort"), ("Host Port", "hostPort")):
        text = ", ".join(_port(port, field) for port in ports)
        out.field(f"{title}s" if len(ports) > 1 else title, text or NONE, 2)
    _write_seccomp(out, container.get("securityContext"))


def _port(port: Object, field: str) -> str:
    name = f" ({port['name']})" if port.get("name") else ""
    return f"{port.get(field) or 0}/{port.get('protocol') or 'TCP'}{name}"


def _write_seccomp(out: Text, context: Object | None) -> None:
    profile: Object | None = (context or {}).get("seccompProfile")
    if profile is not None:
        out.field("SeccompProfile", profile.get("type") or "", 2)
        if profile.get("type") == "Localhost":
            out.field("LocalhostProfile", profile.get("localhostProfile") or "", 3)


def _write_lines(out: Text, title: str, words: Sequence[str] | None) -> None:
    if words:
        out.line(f"{title}:", 2)
    for word in words or ():
        for part in word.split("\n"):
            out.line(part, 3)


def _write_state(out: Text, status: Object) -> None:
    _write_one_state(out, "State", status.get("state") or {})
    last: Object = status.get("lastState") or {}
    if last.get("terminated"):
        _write_one_state(out, "Last State", last)
    out.field("Ready", bool(status.get("ready")), 2)
    out.field("Restart Count", status.get("restartCount") or 0, 2)


def _write_one_state(out: Text, title: str, state: Object) -> None:
    if (running := state.get("running")) is not None:
        out.field(title, "Running", 2)
        out.field("Started", out.time(running.get("startedAt")), 3)
    elif (ended := state.get("terminated")) is not None:
        out.field(title, "Terminated", 2)
        for label, value in (("Reason", ended.get("reason")), ("Message", ended.get("message"))):
            if value:
                out.field(label, value, 3)
        out.field("Exit Code", ended.get("exitCode") or 0, 3)
        if ended.get("signal"):
            out.field("Signal", ended["signal"], 3)
        out.field("Started", out.time(ended.get("startedAt")), 3)
        out.field("Finished", out.time(ended.get("finishedAt")), 3)
    else:
        waiting: Object = state.get("waiting") or {}
        out.field(title, "Waiting", 2)
        if waiting.get("reason"):
            out.field("Reason", waiting["reason"], 3)


def _write_env_from(out: Text, sources: Sequence[Object]) -> None:
    if sources:
        out.line("Environment Variables from:", 2)
    for source in sources:
        kind = "ConfigMap" if source.get("configMapRef") else "Secret"
        ref: Object = source.get("configMapRef") or source.get("secretRef") or {}
        prefix = f" with prefix '{source['prefix']}'" if source.get("prefix") else ""
        out.row(ref.get("name") or "", f"{kind}{prefix}", f"Optional: {_flag(ref.get('optional'))}", level=3)


def _write_env(out: Text, container: Object, resolve: FieldResolver | None) -> None:
    variables: Sequence[Object] = container.get("env") or ()
    out.line("Environment:" if variables else f"Environment:\t{NONE}", 2)
    for variable in variables:
        source: Object | None = variable.get("valueFrom")
        if not source:
            first, *others = str(variable.get("value") or "").split("\n")
            out.field(str(variable.get("name")), first, 3)
            for other in others:
                out.row("", other, level=3)
        else:
            text = _from(source, container, resolve)
            if text:
                out.field(str(variable.get("name")), text, 3)


def _from(source: Object, container: Object, resolve: FieldResolver | None) -> str:
    if ref := source.get("fieldRef"):
        path = ref.get("fieldPath") or ""
        value = resolve(path) if resolve is not None else ""
        return f"{value} ({ref.get('apiVersion') or 'v1'}:{path})"
    if ref := source.get("resourceFieldRef"):
        resource = ref.get("resource") or ""
        value = resource_field(container, resource, ref.get("divisor"))
        if value == "0" and resource in ("limits.cpu", "limits.memory"):
            value = "node allocatable"
        return f"{value} ({resource})"
    for field, what in (("secretKeyRef", "in secret"), ("configMapKeyRef", "of config map")):
        if ref := source.get(field):
            target = f"<set to the key '{ref.get('key')}' {what} '{ref.get('name')}'>"
            return f"{target}\tOptional: {_flag(ref.get('optional'))}"
    return ""


def resource_field(container: Object, resource: str, divisor: str | None) -> str:
    """A container's own limit or request in units of the divisor, rounded up."""
    kind, _, name = resource.partition(".")
    resources: Object = container.get("resources") or {}
    amounts: Mapping[str, str] = resources.get(kind) or {}
    if name == "cpu":
        value, unit = cpu_millis(amounts.get(name)), cpu_millis(divisor) or 1000
    else:
        value, unit = bytes_of(amounts.get(name)), bytes_of(divisor) or 1
    return str(-(-value // unit))


def _write_mounts(out: Text, container: Object) -> None:
    mounts: Sequence[Object] = container.get("volumeMounts") or ()
    out.line("Mounts:" if mounts else f"Mounts:\t{NONE}", 2)
    for mount in sorted(mounts, key=lambda mount: str(mount.get("mountPath"))):
        flags = ["ro" if mount.get("readOnly") else "rw"]
        if mount.get("subPath"):
            flags.append(f"path={json.dumps(mount['subPath'], ensure_ascii=False)}")
        out.line(f"{mount.get('mountPath')} from {mount.get('name')} ({','.join(flags)})", 3)
    devices: Sequence[Object] = container.get("volumeDevices") or ()
    if devices:
        out.line("Devices:" if mounts else f"Devices:\t{NONE}", 2)
    for device in sorted(devices, key=lambda device: str(device.get("devicePath"))):
        out.line(f"{device.get('devicePath')} from {device.get('name')}", 3)


def _flag(value: object) -> str:
    return _FLAGS[bool(value)]


_FLAGS: Final = ("false", "true")
