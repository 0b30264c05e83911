"""Ingresses and their classes: which host and path leads to which endpoints."""

from __future__ import annotations

from collections.abc import Sequence

from ktui.describe.fields import metadata_of, write_annotations, write_events, write_labels
from ktui.describe.related import Related
from ktui.describe.services import ready_endpoints
from ktui.describe.text import NONE, Text
from ktui.kube.data import items, section, string, strings
from ktui.kube.resource import Object


def describe_ingress(out: Text, obj: Object, related: Related) -> None:
    """Write an Ingress; `related.services` and `related.slices` are those of its backends."""
    metadata, spec = metadata_of(obj), section(obj, "spec")
    out.field("Name", metadata.get("name") or "")
    write_labels(out, "Labels", metadata.get("labels"))
    out.field("Namespace", metadata.get("namespace") or "")
    out.field("Address", _addresses(obj))
    named = spec.get("ingressClassName")
    out.field("Ingress Class", NONE if named is None else named)
    fallback = spec.get("defaultBackend")
    default = "<default>" if fallback is None else _backend(fallback, related)
    out.field("Default backend", default)
    if entries := items(spec, "tls"):
        _write_tls(out, entries)
    out.line("Rules:")
    out.row("Host", "Path", "Backends", level=1)
    out.row("----", "----", "--------", level=1)
    rules = [rule for rule in items(spec, "rules") if rule.get("http") is not None]
    for rule in rules:
        out.row(string(rule, "host") or "*", "", level=1)
        for path in items(section(rule, "http"), "paths"):
            backend = _backend(section(path, "backend"), related)
            out.row("", f"{string(path, 'path')} ", backend, level=2)
    if not rules:
        out.row("*", "*", default, level=1)
    write_annotations(out, "Annotations", metadata.get("annotations"))
    write_events(out, related.events)


def _addresses(obj: Object) -> str:
    entries = items(section(obj, "status", "loadBalancer"), "ingress")
    return ",".join(sorted({string(entry, "ip") or string(entry, "hostname") for entry in entries} - {""}))


def _write_tls(out: Text, entries: Sequence[Object]) -> None:
    out.line("TLS:")
    for entry in entries:
        hosts, secret = ",".join(strings(entry, "hosts")), string(entry, "secretName")
        out.line(f"{secret} terminates {hosts}" if secret else f"SNI routes {hosts}", level=1)


def _backend(backend: Object, related: Related) -> str:
    if backend.get("service") is not None:
        return _service_backend(section(backend, "service"), related)
    if resource := section(backend, "resource"):
        group = resource.get("apiGroup")
        shown = NONE if group is None else group
        return f"APIGroup: {shown}, Kind: {string(resource, 'kind')}, Name: {string(resource, 'name')}"
    return ""


def _service_backend(wanted: Object, related: Related) -> str:
    """`web:80 (10.1.0.1:8080)`."""
    name, port = string(wanted, "name"), section(wanted, "port")
    shown = f"{name}:{port.get('number') or string(port, 'name')}"
    service = (related.services or {}).get(name)
    if service is None:
        return shown
    if isinstance(service, str):
        return f"{shown} (<error: {service}>)"
    slices = (related.slices or {}).get(name, ())
    return f"{shown} ({ready_endpoints(slices, _port_name(service, port))})"


def _port_name(service: Object, wanted: Object) -> str:
    """The name of the service's port that a backend means."""
    number, name = wanted.get("number"), string(wanted, "name")
    return next(
        (
            string(port, "name")
            for port in items(section(service, "spec"), "ports")
            if (number and port.get("port") == number) or (name and port.get("name") == name)
        ),
        "",
    )


def describe_ingress_class(out: Text, obj: Object, related: Related) -> None:
    """Write an IngressClass."""
    metadata, spec = metadata_of(obj), section(obj, "spec")
    out.field("Name", metadata.get("name") or "")
    write_labels(out, "Labels", metadata.get("labels"))
    write_annotations(out, "Annotations", metadata.get("annotations"))
    out.field("Controller", string(spec, "controller"))
    if parameters := section(spec, "parameters"):
        out.line("Parameters:")
        if parameters.get("apiGroup") is not None:
            out.field("APIGroup", parameters["apiGroup"], level=1)
        out.field("Kind", string(parameters, "kind"), level=1)
        out.field("Name", string(parameters, "name"), level=1)
    write_events(out, related.events)
