"""Which operations the resources served have, free of any version of OpenAPI.

One table of operations feeds both documents: path, method, action, parameters, what goes in and what comes out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ktui.kube.resource import GroupVersionKind, Resource

_META = "io.k8s.apimachinery.pkg.apis.meta.v1"
STATUS, DELETE_OPTIONS, PATCH = f"{_META}.Status", f"{_META}.DeleteOptions", f"{_META}.Patch"
_SCALE = "io.k8s.api.autoscaling.v1.Scale"
_SCALE_KIND = GroupVersionKind("autoscaling", "v1", "Scale")
_STREAMS = ("exec", "attach", "portforward", "log")
_PROXIED = ("get", "put", "post", "delete", "options", "head", "patch")
_OTHER_BODIES = {
    "binding": (GroupVersionKind("", "v1", "Binding"), "io.k8s.api.core.v1.Binding"),
    "eviction": (GroupVersionKind("policy", "v1", "Eviction"), "io.k8s.api.policy.v1.Eviction"),
    "token": (
        GroupVersionKind("authentication.k8s.io", "v1", "TokenRequest"),
        "io.k8s.api.authentication.v1.TokenRequest",
    ),
}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter."""

    name: str
    type: str
    description: str


DRY_RUN = Parameter("dryRun", "string", "All: go through every stage, but keep nothing.")
MANAGER = Parameter("fieldManager", "string", "Who or what makes the change, as managed fields will say.")
VALIDATION = Parameter(
    "fieldValidation", "string", "What to do about unknown and duplicate fields: Ignore, Warn or Strict."
)
FORCE = Parameter("force", "boolean", "Take fields from other managers; for apply only.")
LIST_PARAMETERS = (
    Parameter("allowWatchBookmarks", "boolean", "Send bookmarks in a watch."),
    Parameter("continue", "string", "Where to go on, as the previous page said."),
    Parameter("fieldSelector", "string", "Restrict to objects by their fields."),
    Parameter("labelSelector", "string", "Restrict to objects by their labels."),
    Parameter("limit", "integer", "The most objects to give at once."),
    Parameter("resourceVersion", "string", "From which version on."),
    Parameter("resourceVersionMatch", "string", "How resourceVersion is meant: Exact or NotOlderThan."),
    Parameter("sendInitialEvents", "boolean", "Begin a watch with what exists, ended by a bookmark."),
    Parameter("timeoutSeconds", "integer", "How long the call may last."),
    Parameter("watch", "boolean", "Go on with changes."),
)
DELETE_PARAMETERS = (
    DRY_RUN,
    Parameter("gracePeriodSeconds", "integer", "How long the object has to end; 0: at once."),
    Parameter("orphanDependents", "boolean", "Deprecated: leave dependents alone."),
    Parameter("propagationPolicy", "string", "What becomes of dependents: Orphan, Background or Foreground."),
)
WRITE_PARAMETERS = (DRY_RUN, MANAGER, VALIDATION)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation."""

    path: str
    method: str
    action: str
    kind: GroupVersionKind
    id: str
    parameters: tuple[Parameter, ...] = ()
    body: str = ""
    """The definition of what goes in."""
    answer: str = ""
    """The definition of what comes out; "" for a stream of text."""

    @property
    def path_parameters(self) -> tuple[str, ...]:
        return tuple(name for name in ("namespace", "name", "path") if f"{{{name}}}" in self.path)


def operations(resource: Resource, definition: str, list_definition: str) -> Iterator[Operation]:
    """Every operation of a resource and of its subresources."""
    base = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
    inside = f"{base}/namespaces/{{namespace}}" if resource.namespaced else base
    collection, kind, verbs = f"{inside}/{resource.plural}", resource.gvk, resource.verbs
    item = f"{collection}/{{name}}"
    scope = "Namespaced" if resource.namespaced else ""
    group = resource.group.split(".")[0].capitalize() or "Core"
    suffix = f"{group}{resource.version.capitalize()}{scope}{resource.kind}"

    if "list" in verbs:
        yield Operation(
            collection, "get", "list", kind, f"list{suffix}", LIST_PARAMETERS, answer=list_definition
        )
        if resource.namespaced:
            yield Operation(
                f"{base}/{resource.plural}",
                "get",
                "list",
                kind,
                f"list{suffix.replace(scope, '')}ForAllNamespaces",
                LIST_PARAMETERS,
                answer=list_definition,
            )
    if "create" in verbs:
        yield Operation(
            collection, "post", "post", kind, f"create{suffix}", WRITE_PARAMETERS, definition, definition
        )
    if "deletecollection" in verbs:
        yield Operation(
            collection,
            "delete",
            "deletecollection",
            kind,
            f"delete{suffix}Collection",
            (*DELETE_PARAMETERS, *LIST_PARAMETERS[1:7]),
            DELETE_OPTIONS,
            STATUS,
        )
    if "get" in verbs:
        yield Operation(item, "get", "get", kind, f"read{suffix}", answer=definition)
    yield from _changes(item, verbs, kind, definition, suffix)
    if "delete" in verbs:
        yield Operation(
            item, "delete", "delete", kind, f"delete{suffix}", DELETE_PARAMETERS, DELETE_OPTIONS, STATUS
        )
    for subresource in resource.subresources:
        yield from _subresource(f"{item}/{subresource}", subresource, kind, definition, suffix)


def _changes(
    path: str, verbs: tuple[str, ...], kind: GroupVersionKind, definition: str, suffix: str
) -> Iterator[Operation]:
    if "update" in verbs:
        yield Operation(
            path, "put", "put", kind, f"replace{suffix}", WRITE_PARAMETERS, definition, definition
        )
    if "patch" in verbs:
        yield Operation(
            path, "patch", "patch", kind, f"patch{suffix}", (*WRITE_PARAMETERS, FORCE), PATCH, definition
        )


def _subresource(
    path: str, name: str, kind: GroupVersionKind, definition: str, suffix: str
) -> Iterator[Operation]:
    suffix += name.capitalize()
    if name in _STREAMS:
        yield Operation(path, "get", "get" if name == "log" else "connect", kind, f"connectGet{suffix}")
        if name != "log":
            yield Operation(path, "post", "connect", kind, f"connectPost{suffix}")
        return
    if name == "proxy":
        for where, more in ((path, ""), (f"{path}/{{path}}", "WithPath")):
            for method in _PROXIED:
                operation = f"connect{method.capitalize()}{suffix}{more}"
                yield Operation(where, method, "connect", kind, operation)
        return
    if name in _OTHER_BODIES:
        other, body = _OTHER_BODIES[name]
        yield Operation(path, "post", "post", other, f"create{suffix}", WRITE_PARAMETERS, body, body)
        return
    if name == "scale":
        kind, definition = _SCALE_KIND, _SCALE
    verbs = ("update",) if name == "finalize" else ("update", "patch")
    if name != "finalize":
        yield Operation(path, "get", "get", kind, f"read{suffix}", answer=definition)
    yield from _changes(path, verbs, kind, definition, suffix)
