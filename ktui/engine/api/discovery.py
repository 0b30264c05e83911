"""What discovery says of a declared kind: its verbs and subresources."""

from __future__ import annotations

from dataclasses import replace

from ktui.engine.api.declaration import Declaration
from ktui.kube.kinds import (
    BINDINGS,
    CERTIFICATE_SIGNING_REQUESTS,
    NAMESPACES,
    NODES,
    PODS,
    SERVICE_ACCOUNTS,
    SERVICES,
)
from ktui.kube.resource import Resource

READ_VERBS = ("get", "list", "watch")
ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
_MORE = {
    CERTIFICATE_SIGNING_REQUESTS.key: ("approval",),
    NAMESPACES.key: ("finalize",),
    NODES.key: ("proxy",),
    PODS.key: (
        "attach",
        "binding",
        "ephemeralcontainers",
        "eviction",
        "exec",
        "log",
        "portforward",
        "proxy",
        "resize",
    ),
    SERVICES.key: ("proxy",),
    SERVICE_ACCOUNTS.key: ("token",),
}


def served(declaration: Declaration) -> Resource:
    """The resource with what can be done to it, unless its declaration says so itself."""
    resource = declaration.resource
    verbs = resource.verbs or _verbs(declaration)
    subresources = resource.subresources or _subresources(declaration)
    return replace(resource, verbs=verbs, subresources=subresources)


def _verbs(declaration: Declaration) -> tuple[str, ...]:
    if declaration.resource.key == BINDINGS.key:
        return ("create",)
    if declaration.read_only:
        return (*READ_VERBS, "delete") if declaration.forgettable else READ_VERBS
    if declaration.resource.key == NAMESPACES.key:
        return tuple(verb for verb in ALL_VERBS if verb != "deletecollection")
    return ALL_VERBS


def _subresources(declaration: Declaration) -> tuple[str, ...]:
    found = list(_MORE.get(declaration.resource.key, ()))
    if declaration.scale:
        found.append("scale")
    if declaration.has_status:
        found.append("status")
    return tuple(sorted(found))
