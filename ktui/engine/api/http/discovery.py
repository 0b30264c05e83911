"""Discovery documents: the resources served, in the aggregated form and in the older ones."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

from ktui.kube.resource import GroupVersionKind, Object, Resource


def _groups(resources: Iterable[Resource]) -> dict[str, dict[str, list[Resource]]]:
    """Group -> version -> resources, in the order declared."""
    groups: dict[str, dict[str, list[Resource]]] = {}
    for resource in resources:
        groups.setdefault(resource.group, {}).setdefault(resource.version, []).append(resource)
    return groups


def aggregated(
    resources: Sequence[Resource], *, core: bool, stale: Container[tuple[str, str]] = ()
) -> Object:
    """`APIGroupDiscoveryList` (apidiscovery.k8s.io/v2) of the core group, or of all others. `stale` are group
    versions whose server can't be reached."""
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": [
            {
                "metadata": {"name": group} if group else {},
                "versions": [
                    {
                        "version": version,
                        "resources": [_described(resource) for resource in members],
                        "freshness": "Stale" if (group, version) in stale else "Current",
                    }
                    for version, members in versions.items()
                ],
            }
            for group, versions in _groups(resources).items()
            if (group == "") == core
        ],
    }


def _described(resource: Resource) -> Object:
    kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    described: Object = {
        "resource": resource.plural,
        "responseKind": kind,
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        described["shortNames"] = list(resource.short_names)
    if resource.categories:
        described["categories"] = list(resource.categories)
    if resource.subresources:
        described["subresources"] = [_described_part(resource, name) for name in resource.subresources]
    return described


def _described_part(resource: Resource, name: str) -> Object:
    kind, verbs = _part(resource, name)
    answer = {"group": kind.group, "version": kind.version, "kind": kind.kind}
    return {"subresource": name, "responseKind": answer, "verbs": list(verbs)}


_CHANGES = ("get", "patch", "update")
_STREAM = ("create", "get")
_PARTS: dict[str, tuple[GroupVersionKind | None, tuple[str, ...]]] = {
    "attach": (GroupVersionKind("", "v1", "PodAttachOptions"), _STREAM),
    "binding": (GroupVersionKind("", "v1", "Binding"), ("create",)),
    "eviction": (GroupVersionKind("policy", "v1", "Eviction"), ("create",)),
    "exec": (GroupVersionKind("", "v1", "PodExecOptions"), _STREAM),
    "finalize": (None, ("update",)),
    "log": (None, ("get",)),
    "portforward": (GroupVersionKind("", "v1", "PodPortForwardOptions"), _STREAM),
    "scale": (GroupVersionKind("autoscaling", "v1", "Scale"), _CHANGES),
    "token": (GroupVersionKind("authentication.k8s.io", "v1", "TokenRequest"), ("create",)),
}


def _part(resource: Resource, name: str) -> tuple[GroupVersionKind, tuple[str, ...]]:
    """What a subresource is made of, and what can be done to it."""
    if name == "proxy":
        options = GroupVersionKind("", "v1", f"{resource.kind}ProxyOptions")
        return options, ("create", "delete", "get", "patch", "update")
    kind, verbs = _PARTS.get(name, (None, _CHANGES))
    return kind or resource.gvk, verbs


def versions() -> Object:
    """`APIVersions` of `/api`."""
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}


def group_list(resources: Sequence[Resource]) -> Object:
    """`APIGroupList` of `/apis`."""
    named = [group for group in _groups(resources) if group]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(resources, name) for name in named]}


def group(resources: Sequence[Resource], name: str) -> Object | None:
    """`APIGroup` of `/apis/<group>`."""
    if not name or name not in _groups(resources):
        return None
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(resources, name)}


def _group(resources: Sequence[Resource], name: str) -> Object:
    served = [
        {"groupVersion": f"{name}/{version}", "version": version} for version in _groups(resources)[name]
    ]
    return {"name": name, "versions": served, "preferredVersion": served[0]}


def resource_list(resources: Sequence[Resource], group_name: str, version: str) -> Object | None:
    """`APIResourceList` of `/api/v1` or `/apis/<group>/<version>`."""
    members = _groups(resources).get(group_name, {}).get(version)
    if members is None:
        return None
    listed: list[Object] = []
    for resource in members:
        entry: Object = {
            "name": resource.plural,
            "singularName": resource.singular,
            "namespaced": resource.namespaced,
            "kind": resource.kind,
            "verbs": list(resource.verbs),
        }
        if resource.short_names:
            entry["shortNames"] = list(resource.short_names)
        if resource.categories:
            entry["categories"] = list(resource.categories)
        listed.append(entry)
        listed.extend(_listed_part(resource, name) for name in resource.subresources)
    group_version = f"{group_name}/{version}" if group_name else version
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": group_version,
        "resources": listed,
    }


def _listed_part(resource: Resource, name: str) -> Object:
    kind, verbs = _part(resource, name)
    entry: Object = {
        "name": f"{resource.plural}/{name}",
        "singularName": "",
        "namespaced": resource.namespaced,
        "kind": kind.kind,
        "verbs": list(verbs),
    }
    if (kind.group, kind.version) != (resource.group, resource.version):
        entry |= {"group": kind.group, "version": kind.version}
    return entry
