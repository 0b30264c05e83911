"""Rules for Ingress and IngressClass: hosts, paths, backends, TLS, and the reference to parameters."""

from __future__ import annotations

import re
from typing import Any, Final

from ktui.engine.api.validation.addresses import check_ip, check_port
from ktui.engine.api.validation.fields import (
    each_invalid,
    forbidden,
    immutable,
    invalid,
    one_of,
    required,
    too_long,
    unsupported,
)
from ktui.engine.api.validation.metadata import check_metadata, check_metadata_update
from ktui.engine.api.validation.services import check_host_name
from ktui.kube import names
from ktui.kube.data import items, mapping, section, string, strings
from ktui.kube.errors import Cause
from ktui.kube.resource import Object

CLASS_ANNOTATION: Final = "kubernetes.io/ingress.class"
_PATH_TYPES: Final = ("Exact", "ImplementationSpecific", "Prefix")
_IN_PATHS: Final = ("//", "/./", "/../", "%2f", "%2F")
_PATH_ENDS: Final = ("/..", "/.")
_LONGEST_CONTROLLER: Final = 250
_WILDCARD: Final = rf"\*\.{names.SUBDOMAIN}"
_ACCEPTED_PATH: Final = "[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+"


def validate_ingress(ingress: Object) -> list[Cause]:
    spec = section(ingress, "spec")
    causes = check_metadata(ingress, namespaced=True)
    rules, backend = items(spec, "rules"), spec.get("defaultBackend")
    if not rules and backend is None:
        causes.append(invalid("spec", rules or None, "either `defaultBackend` or `rules` must be specified"))
    if backend is not None:
        causes += _backend(backend, "spec.defaultBackend")
    for index, rule in enumerate(rules):
        causes += _rule(rule, f"spec.rules[{index}]")
    for index, entry in enumerate(items(spec, "tls")):
        causes += _tls(entry, f"spec.tls[{index}]")
    name = spec.get("ingressClassName")
    if name is not None:
        causes += each_invalid("spec.ingressClassName", name, names.dns_subdomain(name))
    return causes


def validate_new_ingress(ingress: Object) -> list[Cause]:
    """What only a new Ingress is asked: that its class and the annotation from before classes agree."""
    named = section(ingress, "spec").get("ingressClassName")
    annotated = mapping(section(ingress, "metadata"), "annotations").get(CLASS_ANNOTATION)
    if named is None or annotated is None or named == annotated:
        return []
    why = "must match `ingressClassName` when both are specified"
    return [invalid(f"annotations.{CLASS_ANNOTATION}", annotated, why)]


def _host(path: str, host: str) -> list[Cause]:
    if "*" not in host:
        return each_invalid(path, host, names.dns_subdomain(host))
    problems = [names.too_long(253)] if len(host) > 253 else []
    if not re.fullmatch(_WILDCARD, host, re.ASCII):
        rule = (
            "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must "
            "consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character"
        )
        problems.append(names.mismatch(rule, _WILDCARD, "*.example.com"))
    return each_invalid(path, host, problems)


def _rule(rule: Object, at: str) -> list[Cause]:
    host, http = string(rule, "host"), rule.get("http")
    causes: list[Cause] = []
    if host:
        if not names.ip_address(host):
            causes.append(invalid(f"{at}.host", host, "must be a DNS name, not an IP address"))
        causes += _host(f"{at}.host", host)
    if http is None:
        return causes
    paths = items(http, "paths")
    if not paths:
        causes.append(required(f"{at}.http.paths"))
    for index, path in enumerate(paths):
        causes += _path(path, f"{at}.http.paths[{index}]")
    return causes


def _path(path: Object, at: str) -> list[Cause]:
    kind, text = path.get("pathType"), string(path, "path")
    if kind is None:
        return [required(f"{at}.pathType", "pathType must be specified")]
    causes: list[Cause] = []
    if kind in ("Exact", "Prefix"):
        if not text.startswith("/"):
            causes.append(invalid(f"{at}.path", text, "must be an absolute path"))
        causes += [
            invalid(f"{at}.path", text, f"must not contain '{part}'") for part in _IN_PATHS if part in text
        ]
        causes += [
            invalid(f"{at}.path", text, f"cannot end with '{end}'")
            for end in _PATH_ENDS
            if text.endswith(end)
        ]
    elif kind == "ImplementationSpecific":
        if text and not text.startswith("/"):
            causes.append(invalid(f"{at}.path", text, "must be an absolute path"))
    else:
        causes.append(unsupported(f"{at}.pathType", kind, _PATH_TYPES))
    return causes + _backend(section(path, "backend"), f"{at}.backend")


def _backend(backend: Object, at: str) -> list[Cause]:
    resource, service = backend.get("resource"), backend.get("service")
    if resource is not None and service is not None:
        return [invalid(at, "", "cannot set both resource and service backends")]
    if resource is not None:
        return _reference(resource, f"{at}.resource")
    if service is None:
        return [invalid(at, "", "resource or service backend is required")]
    name = string(service, "name")
    here = f"{at}.service.name"
    causes = each_invalid(here, name, names.dns_label(name)) if name else [required(here)]
    port = section(service, "port")
    if port.get("name") and port.get("number"):
        causes.append(invalid(at, "", "cannot set both port name & port number"))
    elif port.get("name"):
        causes += each_invalid(f"{at}.service.port.name", port["name"], names.port_name(port["name"]))
    elif port.get("number"):
        causes += check_port(f"{at}.service.port.number", port["number"])
    else:
        causes.append(required(at, "port name or number is required"))
    return causes


def _reference(reference: Object, at: str) -> list[Cause]:
    group = reference.get("apiGroup")
    causes: list[Cause] = []
    if group is not None:
        causes += each_invalid(f"{at}.apiGroup", group, names.dns_subdomain(group))
    for field in ("kind", "name"):
        value = string(reference, field)
        here = f"{at}.{field}"
        causes += each_invalid(here, value, names.path_segment(value)) if value else [required(here)]
    return causes


def _tls(entry: Object, at: str) -> list[Cause]:
    causes: list[Cause] = []
    for index, host in enumerate(strings(entry, "hosts")):
        causes += _host(f"{at}.hosts[{index}]", host)
    secret = string(entry, "secretName")
    if secret:
        causes += each_invalid(f"{at}.secretName", secret, names.dns_subdomain(secret))
    return causes


def validate_ingress_status(ingress: Object, old: Object) -> list[Cause]:
    causes: list[Cause] = []
    for index, entry in enumerate(items(section(ingress, "status", "loadBalancer"), "ingress")):
        at = f"status.loadBalancer.ingress[{index}]"
        if entry.get("ip"):
            causes += check_ip(f"{at}.ip", entry["ip"])
        causes += check_host_name(f"{at}.hostname", string(entry, "hostname"))
    return causes


def validate_class(ingress_class: Object) -> list[Cause]:
    spec = section(ingress_class, "spec")
    causes = check_metadata(ingress_class, namespaced=False)
    controller = string(spec, "controller")
    if not controller:
        causes.append(required("spec.controller"))
    else:
        if len(controller) > _LONGEST_CONTROLLER:
            causes.append(too_long("spec.controller", _LONGEST_CONTROLLER))
        causes += _prefixed_path(controller, "spec.controller")
    parameters = spec.get("parameters")
    return causes if parameters is None else causes + _parameters(parameters, "spec.parameters")


def validate_class_update(new: Object, old: Object) -> list[Cause]:
    after, before = (section(found, "spec").get("controller") for found in (new, old))
    return check_metadata_update(new, old) + immutable("spec.controller", after, before)


def _prefixed_path(text: str, at: str) -> list[Cause]:
    domain, slash, path = text.partition("/")
    if not (domain and slash and path):
        return [invalid(at, text, 'must be a domain-prefixed path (such as "acme.io/foo")')]
    causes = each_invalid(at, domain, names.dns_subdomain(domain))
    if not re.fullmatch(_ACCEPTED_PATH, path, re.ASCII):
        causes.append(invalid(at, path, names.mismatch("Invalid path", _ACCEPTED_PATH)))
    return causes


def _parameters(parameters: Any, at: str) -> list[Cause]:
    causes = _reference(parameters, at)
    scope, namespace = parameters.get("scope"), parameters.get("namespace")
    if scope is None:
        return [*causes, required(f"{at}.scope")]
    causes += one_of(f"{at}.scope", scope, ("Cluster", "Namespace"))
    here = f"{at}.namespace"
    if scope == "Namespace":
        if namespace is None:
            causes.append(required(here, "`parameters.scope` is set to 'Namespace'"))
        else:
            causes += each_invalid(here, namespace, names.dns_label(namespace))
    elif scope == "Cluster" and namespace is not None:
        causes.append(forbidden(here, "`parameters.scope` is set to 'Cluster'"))
    return causes
