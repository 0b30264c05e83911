"""ResourceQuota: how much of each resource the objects of a namespace may use together."""

from __future__ import annotations

from typing import Final

from ktui.engine.api.declaration import Declaration
from ktui.engine.api.resources.columns import AGE, NAME, text
from ktui.engine.api.resources.strategy import keep_status, status_and_metadata, without_status
from ktui.engine.api.validation.compute import check_amount
from ktui.engine.api.validation.fields import each_invalid, immutable, invalid, required, unsupported
from ktui.engine.api.validation.metadata import check_metadata, check_metadata_update
from ktui.kube import names
from ktui.kube.data import items, mapping, section, string, strings
from ktui.kube.errors import Cause
from ktui.kube.kinds import RESOURCE_QUOTAS
from ktui.kube.quantity import parse_quantity
from ktui.kube.quota import PLAIN_COUNTS
from ktui.kube.resource import Object

_COMPUTE: Final = ("cpu", "ephemeral-storage", "memory")
_STANDARD: Final = frozenset(
    [
        *_COMPUTE,
        *PLAIN_COUNTS,
        *(f"{which}.{name}" for which in ("requests", "limits") for name in _COMPUTE),
        "requests.storage",
        "services.loadbalancers",
        "services.nodeports",
    ]
)
_SCOPES: Final = (
    "BestEffort",
    "CrossNamespacePodAffinity",
    "NotBestEffort",
    "NotTerminating",
    "PriorityClass",
    "Terminating",
    "VolumeAttributesClass",
)
_OPPOSITES: Final = (("BestEffort", "NotBestEffort"), ("Terminating", "NotTerminating"))
_OPERATORS: Final = ("DoesNotExist", "Exists", "In", "NotIn")
_POD_RESOURCES: Final = frozenset([*_STANDARD, "count/pods"]) - {
    "configmaps",
    "persistentvolumeclaims",
    "replicationcontrollers",
    "requests.storage",
    "resourcequotas",
    "secrets",
    "services",
    "services.loadbalancers",
    "services.nodeports",
}


def validate(quota: Object) -> list[Cause]:
    spec = section(quota, "spec")
    causes = check_metadata(quota, namespaced=True)
    for field, amounts in (
        ("spec.hard", mapping(spec, "hard")),
        ("status.hard", mapping(section(quota, "status"), "hard")),
        ("status.used", mapping(section(quota, "status"), "used")),
    ):
        for name, amount in amounts.items():
            at = f"{field}[{name}]"
            causes += _name(name, at)
            causes += check_amount(name, amount, at)
            if _is_whole(name) and parse_quantity(amount).millis % 1000:
                causes.append(invalid(at, amount, "must be an integer"))
    return causes + _scopes(spec)


def _is_whole(name: str) -> bool:
    return name in PLAIN_COUNTS or name.startswith(("count/", "services."))


def _name(name: str, path: str) -> list[Cause]:
    causes = each_invalid(path, name, names.qualified_name(name))
    if "/" not in name and name not in _STANDARD and "hugepages-" not in name:
        causes.append(invalid(path, name, "must be a standard resource for quota"))
    return causes


def _scopes(spec: Object) -> list[Cause]:
    causes: list[Cause] = []
    scopes, hard = strings(spec, "scopes"), mapping(spec, "hard")
    for scope in scopes:
        causes += _scope(scope, hard, "spec.scopes")
    named = [*scopes]
    selector = section(spec, "scopeSelector")
    for index, requirement in enumerate(items(selector, "matchExpressions")):
        at = f"spec.scopeSelector.matchExpressions[{index}]"
        scope, operator = string(requirement, "scopeName"), string(requirement, "operator")
        causes += _scope(scope, hard, f"{at}.scopeName")
        named.append(scope)
        if operator not in _OPERATORS:
            causes.append(unsupported(f"{at}.operator", operator, _OPERATORS))
        elif scope not in ("PriorityClass", "VolumeAttributesClass") and operator != "Exists":
            why = "must be 'Exist' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"
            causes.append(invalid(f"{at}.operator", operator, why))
        if operator in ("In", "NotIn") and not strings(requirement, "values"):
            why = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
            causes.append(required(f"{at}.values", why))
        if operator in ("Exists", "DoesNotExist") and strings(requirement, "values"):
            why = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
            causes.append(invalid(f"{at}.values", strings(requirement, "values"), why))
    causes += [
        invalid("spec.scopes", sorted(named), "conflicting scopes")
        for one, other in _OPPOSITES
        if one in named and other in named
    ]
    return causes


def _scope(scope: str, hard: dict[str, str], path: str) -> list[Cause]:
    if scope not in _SCOPES:
        return [invalid(path, scope, "unsupported scope")]
    outside = [
        name
        for name in hard
        if not (name == "pods" or name == "count/pods")
        and (scope == "BestEffort" or (name not in _POD_RESOURCES and not name.startswith("requests.")))
    ]
    return [invalid(path, scope, "unsupported scope applied to resource")] if outside else []


def validate_update(new: Object, old: Object) -> list[Cause]:
    after, before = section(new, "spec").get("scopes"), section(old, "spec").get("scopes")
    same = sorted(after or ()) == sorted(before or ())
    return check_metadata_update(new, old) + ([] if same else immutable("spec.scopes", after, before))


def _used(quota: Object, *, limits: bool) -> str:
    """`pods: 1/10, requests.cpu: 500m/2`."""
    status = section(quota, "status")
    hard, used = mapping(status, "hard"), mapping(status, "used")
    return ", ".join(
        f"{name}: {used.get(name, '0')}/{hard[name]}"
        for name in sorted(hard)
        if name.startswith("limits.") == limits
    )


DECLARATIONS = (
    Declaration(
        resource=RESOURCE_QUOTAS,
        schema="io.k8s.api.core.v1.ResourceQuota",
        returns_deleted=True,
        columns=(
            NAME,
            text("Request", lambda quota: _used(quota, limits=False), "What is used of each amount."),
            text("Limit", lambda quota: _used(quota, limits=True), "What is used of limits."),
            AGE,
        ),
        prepare_create=without_status,
        prepare_update=keep_status,
        prepare_status=status_and_metadata,
        validate_create=validate,
        validate_update=validate_update,
        has_status=True,
    ),
)
