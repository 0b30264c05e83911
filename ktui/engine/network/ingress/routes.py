"""Where a request goes: a pure function of Ingresses, as Kubernetes documents their rules.

Hosts: an exact one before a wildcard, a wildcard before rules without a host. Paths: the longest that matches,
an exact one before a prefix of the same length; `ImplementationSpecific` is a prefix here. Of two Ingresses
with the same rule the older one has it (https://kubernetes.io/docs/concepts/services-networking/ingress/).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ktui.kube.data import items, mapping, section, string, strings
from ktui.kube.resource import Object, ObjectKey

log = logging.getLogger(__name__)

CONTROLLER = "ktui.dev/ingress"
"""`spec.controller` of IngressClasses that are served here."""
CLASS_ANNOTATION = "kubernetes.io/ingress.class"
DEFAULT_CLASS_ANNOTATION = "ingressclass.kubernetes.io/is-default-class"
_PREFIXES = ("ingress.ktui.dev/", "nginx.ingress.kubernetes.io/")
"""Whose annotations are understood; ingress-nginx' are what most manifests carry."""
_SIZE = re.compile(r"(\d+)([kmg]?)b?", re.IGNORECASE)
_GROUP = re.compile(r"\$(\d)")
_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}


class Backend(NamedTuple):
    """A port of a Service, by number or name."""

    service: ObjectKey
    port: int | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What an Ingress' annotations ask for."""

    redirects: bool = True
    """`ssl-redirect`: plain HTTP for a host with a certificate is sent to HTTPS."""
    always_redirects: bool = False
    """`force-ssl-redirect`: for every host."""
    body_bytes: int = 0
    """`proxy-body-size`: longer bodies are refused; 0: no limit."""
    connect_seconds: float = 5.0
    """`proxy-connect-timeout`."""
    read_seconds: float = 60.0
    """`proxy-read-timeout`: between two pieces of a response."""
    rewrite: str = ""
    """`rewrite-target`: the path sent to the backend instead; `$1` is what matched the path's first group."""
    is_regex: bool = False
    """`use-regex`, or a rewrite that names groups: paths that are not Exact are regular expressions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One path of an Ingress."""

    ingress: ObjectKey
    backend: Backend | None
    """None for a `resource` backend, which nobody here can serve."""
    options: Options
    path: str = "/"
    pattern: re.Pattern[str] | None = None
    """What the path of a request matches, where the Ingress' paths are regular expressions."""

    def rewritten(self, path: str) -> str:
        """The path that the backend is asked for."""
        template = self.options.rewrite
        match = self.pattern.match(path) if self.pattern is not None else None
        if not template or match is None:
            return template or path
        groups = (path, *match.groups(""))
        return _GROUP.sub(lambda found: groups[n] if (n := int(found[1])) < len(groups) else "", template)


@dataclass(slots=True)
class _Host:
    exact: dict[str, Route] = field(default_factory=dict[str, Route])
    prefixes: dict[str, Route] = field(default_factory=dict[str, Route])
    patterns: list[Route] = field(default_factory=list[Route])
    """The longest first."""
    default: Route | None = None

    def find(self, path: str) -> Route | None:
        if found := self.exact.get(path):
            return found
        for route in self.patterns:
            if route.pattern is not None and route.pattern.match(path):
                return route
        prefix = path.rstrip("/")
        while True:
            if found := self.prefixes.get(prefix):
                return found
            if not prefix:
                return None
            prefix = prefix.rpartition("/")[0]


class Router:
    """Finds the route of a request; built anew when an Ingress changes."""

    def __init__(self, ingresses: Iterable[Object]) -> None:
        self._hosts: dict[str, _Host] = {}
        self.secure_hosts: dict[str, ObjectKey] = {}
        """The Secret of each host with a certificate; "*.x" for wildcards, "" for all others."""
        ordered = sorted(ingresses, key=_age)
        for ingress in ordered:
            self._add(ingress)
        # What no rule of any Ingress is about; first the backends of those that have no rules.
        for ingress in sorted(ordered, key=lambda each: bool(items(section(each, "spec"), "rules"))):
            self._add_default(ingress, "")

    def find(self, host: str, path: str) -> Route | None:
        """The route for a host (lower case, no port) and the path of a URL, without its query."""
        hosts = [found for name in _names(host) if (found := self._hosts.get(name))]
        for each in hosts:
            if route := each.find(path):
                return route
        return next((each.default for each in hosts if each.default), None)

    def secret_of(self, host: str) -> ObjectKey | None:
        """The Secret with the certificate for a host."""
        return next((found for name in _names(host) if (found := self.secure_hosts.get(name))), None)

    def _add(self, ingress: Object) -> None:
        spec, key = section(ingress, "spec"), ObjectKey.of(ingress)
        options = read_options(mapping(section(ingress, "metadata"), "annotations"))
        for tls in items(spec, "tls"):
            if name := string(tls, "secretName"):
                for host in strings(tls, "hosts") or [""]:
                    self.secure_hosts.setdefault(host.lower(), ObjectKey(key.namespace, name))
        rules = items(spec, "rules")
        for rule in rules:
            host = self._hosts.setdefault(string(rule, "host").lower(), _Host())
            for path in items(section(rule, "http"), "paths"):
                self._add_path(host, path, key, options)
        for rule in rules:
            if name := string(rule, "host").lower():
                self._add_default(ingress, name)

    def _add_default(self, ingress: Object, host: str) -> None:
        if backend := section(ingress, "spec").get("defaultBackend"):
            key = ObjectKey.of(ingress)
            options = read_options(mapping(section(ingress, "metadata"), "annotations"))
            found = self._hosts.setdefault(host, _Host())
            found.default = found.default or Route(
                ingress=key, backend=_backend(key, backend), options=options
            )

    def _add_path(self, host: _Host, path: Object, key: ObjectKey, options: Options) -> None:
        text = string(path, "path") or "/"
        route = Route(
            ingress=key, backend=_backend(key, section(path, "backend")), options=options, path=text
        )
        if path.get("pathType") == "Exact":
            host.exact.setdefault(text, route)
        elif options.is_regex:
            _add_pattern(host, route)
        else:
            host.prefixes.setdefault(text.rstrip("/"), route)


def _add_pattern(host: _Host, route: Route) -> None:
    """As ingress-nginx: at the path's start, whatever its case, the longest expression first."""
    try:
        pattern = re.compile(route.path, re.IGNORECASE)
    except re.error as error:
        log.warning("Ingress %s: path %s is no regular expression: %s", route.ingress, route.path, error)
        return
    if all(other.path != route.path for other in host.patterns):
        host.patterns.append(replace(route, pattern=pattern))
        host.patterns.sort(key=lambda each: -len(each.path))


def is_ours(ingress: Object, classes: Iterable[Object]) -> bool:
    """Whether an Ingress is served here: by its class, or without one where ours is the default or there is none."""
    known = {string(section(each, "metadata"), "name"): each for each in classes}
    annotations = mapping(section(ingress, "metadata"), "annotations")
    name = string(section(ingress, "spec"), "ingressClassName") or annotations.get(CLASS_ANNOTATION, "")
    if name:
        return name in known and _is_served(known[name])
    return not known or any(_is_served(each) and _is_default(each) for each in known.values())


def _is_served(ingress_class: Object) -> bool:
    return section(ingress_class, "spec").get("controller") == CONTROLLER


def _is_default(ingress_class: Object) -> bool:
    annotations = mapping(section(ingress_class, "metadata"), "annotations")
    return annotations.get(DEFAULT_CLASS_ANNOTATION) == "true"


def read_options(annotations: Mapping[str, str]) -> Options:
    """The options that annotations name; what can't be read has no effect."""

    def value(name: str) -> str:
        return next((annotations[p + name] for p in _PREFIXES if p + name in annotations), "")

    default = Options()
    rewrite = value("rewrite-target")
    return Options(
        redirects=value("ssl-redirect") != "false",
        always_redirects=value("force-ssl-redirect") == "true",
        body_bytes=_bytes(value("proxy-body-size")),
        connect_seconds=_seconds(value("proxy-connect-timeout"), default.connect_seconds),
        read_seconds=_seconds(value("proxy-read-timeout"), default.read_seconds),
        rewrite=rewrite,
        is_regex=value("use-regex") == "true" or bool(_GROUP.search(rewrite)),
    )


def _bytes(text: str) -> int:
    match = _SIZE.fullmatch(text.strip())
    return int(match[1]) * _UNITS[match[2].lower()] if match else 0


def _seconds(text: str, default: float) -> float:
    try:
        return float(text.strip().removesuffix("s")) or default
    except ValueError:
        return default


def _backend(ingress: ObjectKey, backend: Object) -> Backend | None:
    service = section(backend, "service")
    name, port = string(service, "name"), section(service, "port")
    if not name:
        return None
    return Backend(ObjectKey(ingress.namespace, name), port.get("number") or string(port, "name"))


def _names(host: str) -> tuple[str, ...]:
    """The names that rules for a host may carry, the most special first. A wildcard stands for one label."""
    _, dot, rest = host.partition(".")
    return (host, f"*.{rest}", "") if dot and rest else (host, "")


def _age(ingress: Object) -> tuple[str, str, str]:
    metadata = section(ingress, "metadata")
    return string(metadata, "creationTimestamp"), string(metadata, "namespace"), string(metadata, "name")
