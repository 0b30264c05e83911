"""Roles and bindings (rbac.authorization.k8s.io/v1): what may be done, and who may do it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ktui.engine.api.declaration import Cell, Column, Declaration
from ktui.engine.api.resources.columns import AGE, NAME, text
from ktui.engine.api.validation.fields import each_invalid, invalid, one_of, required, unsupported
from ktui.engine.api.validation.metadata import check_metadata, check_metadata_update
from ktui.engine.api.validation.selectors import check_label_selector
from ktui.kube import names
from ktui.kube.data import items, section, string, strings
from ktui.kube.errors import Cause
from ktui.kube.kinds import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES
from ktui.kube.resource import Object, Resource

GROUP: Final = ROLES.group
_SUBJECT_KINDS: Final = ("ServiceAccount", "User", "Group")


def default_binding(binding: Object) -> Object:
    """The API groups a client may leave out."""
    reference = section(binding, "roleRef")
    changed = binding
    if not reference.get("apiGroup"):
        changed = {**changed, "roleRef": {**reference, "apiGroup": GROUP}}
    subjects = items(binding, "subjects")
    filled = [_with_group(subject) for subject in subjects]
    return {**changed, "subjects": filled} if filled != subjects else changed


def _with_group(subject: Object) -> Object:
    is_person = subject.get("kind") in ("User", "Group")
    return {**subject, "apiGroup": GROUP} if is_person and not subject.get("apiGroup") else subject


def _validate_role(role: Object, *, namespaced: bool) -> list[Cause]:
    causes = check_metadata(role, namespaced=namespaced, name_rule=names.path_segment)
    for index, rule in enumerate(items(role, "rules")):
        causes += _rule(rule, f"rules[{index}]", namespaced=namespaced)
    return causes


def validate_role(role: Object) -> list[Cause]:
    return _validate_role(role, namespaced=True)


def validate_cluster_role(role: Object) -> list[Cause]:
    causes = _validate_role(role, namespaced=False)
    aggregation: Object | None = role.get("aggregationRule")
    if aggregation is not None:
        path = "aggregationRule.clusterRoleSelectors"
        selectors = items(aggregation, "clusterRoleSelectors")
        if not selectors:
            causes.append(
                required(path, "at least one clusterRoleSelector required if aggregationRule is non-nil")
            )
        for index, selector in enumerate(selectors):
            causes += check_label_selector(selector, f"{path}[{index}]")
    return causes


def _rule(rule: Object, path: str, *, namespaced: bool) -> list[Cause]:
    causes: list[Cause] = []
    if not strings(rule, "verbs"):
        causes.append(required(f"{path}.verbs", "verbs must contain at least one value"))
    urls = strings(rule, "nonResourceURLs")
    groups, resources = strings(rule, "apiGroups"), strings(rule, "resources")
    resource_names = strings(rule, "resourceNames")
    if urls:
        where = f"{path}.nonResourceURLs"
        if namespaced:
            causes.append(invalid(where, urls, "namespaced rules cannot apply to non-resource URLs"))
        if groups or resources or resource_names:
            why = "rules cannot apply to both regular resources and non-resource URLs"
            causes.append(invalid(where, urls, why))
        return causes
    if not groups:
        causes.append(required(f"{path}.apiGroups", "resource rules must supply at least one api group"))
    if not resources:
        causes.append(required(f"{path}.resources", "resource rules must supply at least one resource"))
    return causes


def _validate_binding(binding: Object, *, namespaced: bool) -> list[Cause]:
    causes = check_metadata(binding, namespaced=namespaced, name_rule=names.path_segment)
    reference = section(binding, "roleRef")
    kinds = ("Role", "ClusterRole") if namespaced else ("ClusterRole",)
    causes += one_of("roleRef.apiGroup", string(reference, "apiGroup"), (GROUP,))
    causes += one_of("roleRef.kind", string(reference, "kind"), kinds)
    role = string(reference, "name")
    if not role:
        causes.append(required("roleRef.name"))
    causes += each_invalid("roleRef.name", role, names.path_segment(role))
    for index, subject in enumerate(items(binding, "subjects")):
        causes += _subject(subject, f"subjects[{index}]", namespaced=namespaced)
    return causes


def validate_role_binding(binding: Object) -> list[Cause]:
    return _validate_binding(binding, namespaced=True)


def validate_cluster_role_binding(binding: Object) -> list[Cause]:
    return _validate_binding(binding, namespaced=False)


def _subject(subject: Object, path: str, *, namespaced: bool) -> list[Cause]:
    causes: list[Cause] = []
    name, group, kind = string(subject, "name"), string(subject, "apiGroup"), string(subject, "kind")
    if not name:
        causes.append(required(f"{path}.name"))
    if kind == "ServiceAccount":
        if name:
            causes += each_invalid(f"{path}.name", name, names.dns_subdomain(name))
        if group:
            causes.append(unsupported(f"{path}.apiGroup", group, ("",)))
        if not namespaced and not subject.get("namespace"):
            causes.append(required(f"{path}.namespace"))
    elif kind in _SUBJECT_KINDS:
        if not name:
            causes.append(invalid(f"{path}.name", name, f"{kind.lower()} name cannot be empty"))
        causes += one_of(f"{path}.apiGroup", group, (GROUP,))
    else:
        causes.append(unsupported(f"{path}.kind", kind, _SUBJECT_KINDS))
    return causes


def validate_binding_update(new: Object, old: Object) -> list[Cause]:
    causes = check_metadata_update(new, old)
    reference = section(new, "roleRef")
    if reference != section(old, "roleRef"):
        fields = (("APIGroup", "apiGroup"), ("Kind", "kind"), ("Name", "name"))
        shown = {go: string(reference, field) for go, field in fields}
        causes.append(invalid("roleRef", shown, "cannot change roleRef"))
    return causes


def _created(role: Object) -> Cell:
    return string(section(role, "metadata"), "creationTimestamp")


def _role_of(binding: Object) -> Cell:
    reference = section(binding, "roleRef")
    return f"{string(reference, 'kind')}/{string(reference, 'name')}"


def _subjects(kind: str) -> Callable[[Object], Cell]:
    def cell(binding: Object) -> Cell:
        found = [subject for subject in items(binding, "subjects") if subject.get("kind") == kind]
        return ", ".join(
            f"{string(subject, 'namespace')}/{string(subject, 'name')}"
            if kind == "ServiceAccount"
            else string(subject, "name")
            for subject in found
        )

    return cell


_ROLE_COLUMNS: Final = (
    NAME,
    Column(name="Created At", read=_created, type="date", description="When the role was created."),
)
_BINDING_COLUMNS: Final = (
    NAME,
    text("Role", _role_of, "Kind and name of the role that is granted."),
    AGE,
    text("Users", _subjects("User"), "Users it is granted to.", priority=1),
    text("Groups", _subjects("Group"), "Groups it is granted to.", priority=1),
    text("ServiceAccounts", _subjects("ServiceAccount"), "ServiceAccounts it is granted to.", priority=1),
)


def _role(resource: Resource, validate: Callable[[Object], list[Cause]]) -> Declaration:
    return Declaration(
        resource=resource,
        schema=f"io.k8s.api.rbac.v1.{resource.kind}",
        creates_on_update=True,
        columns=_ROLE_COLUMNS,
        validate_create=validate,
        validate_update=check_metadata_update,
    )


def _binding(resource: Resource, validate: Callable[[Object], list[Cause]]) -> Declaration:
    return Declaration(
        resource=resource,
        schema=f"io.k8s.api.rbac.v1.{resource.kind}",
        creates_on_update=True,
        columns=_BINDING_COLUMNS,
        default=default_binding,
        validate_create=validate,
        validate_update=validate_binding_update,
    )


DECLARATIONS = (
    _binding(CLUSTER_ROLE_BINDINGS, validate_cluster_role_binding),
    _role(CLUSTER_ROLES, validate_cluster_role),
    _binding(ROLE_BINDINGS, validate_role_binding),
    _role(ROLES, validate_role),
)
