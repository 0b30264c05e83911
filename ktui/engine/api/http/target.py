"""What a URL path of the API is about: a pure function from path to resource, namespace, name, subresource."""

from __future__ import annotations

from dataclasses import dataclass

PROXY = "proxy"
"""The subresource behind which paths are another server's."""
_NAMESPACE_SUBRESOURCES = frozenset(("status", "finalize"))


@dataclass(frozen=True, slots=True)
class Target:
    """One path under `/api/<version>` or `/apis/<group>/<version>`."""

    group: str
    version: str
    plural: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""


def target_of(path: str) -> Target | None:
    """The target of a path, or None if it is no resource's. The path is already unquoted."""
    parts = path.strip("/").split("/")
    match parts:
        case ["api", version, *rest] if rest:
            group = ""
        case ["apis", group, version, *rest] if rest:
            pass
        case _:
            return None
    namespace = ""
    is_inside = len(rest) >= 3 and not (len(rest) == 3 and rest[2] in _NAMESPACE_SUBRESOURCES)
    if rest[0] == "namespaces" and is_inside:
        namespace, rest = rest[1], rest[2:]
        if not namespace:
            return None
    head, beyond = rest[:3], rest[3:]
    if not all(head) or (beyond and head[2] != PROXY):
        return None
    plural, name, subresource = (*head, "", "")[:3]
    return Target(group, version, plural, namespace, name, subresource)
