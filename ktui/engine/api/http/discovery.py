"""Discovery documents: the resources served, in the aggregated form and in the older ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ktui.kube.resource import Object, Resource


def _groups(resources: Iterable[Resource]) -> dict[str, dict[str, list[Resource]]]:
    """Group -> version -> resources, in the order declared."""
    groups: dict[str, dict[str, list[Resource]]] = {}
    for resource in resources:
        groups.setdefault(resource.group, {}).setdefault(resource.version, []).append(resource)
    return groups


def aggregated(resources: Sequence[Resource], *, core: bool) -> Object:
    """`APIGroupDiscoveryList` (apidiscovery.k8s.io/v2) of the core group, or of all others."""
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
                        "freshness": "Current",
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
        described["subresources"] = [
            {"subresource": name, "responseKind": kind, "verbs": ["get", "patch", "update"]}
            for name in resource.subresources
        ]
    return described


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
        listed.extend(
            {
                "name": f"{resource.plural}/{subresource}",
                "singularName": "",
                "namespaced": resource.namespaced,
                "kind": resource.kind,
                "verbs": ["get", "patch", "update"],
            }
            for subresource in resource.subresources
        )
    group_version = f"{group_name}/{version}" if group_name else version
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": group_version,
        "resources": listed,
    }
