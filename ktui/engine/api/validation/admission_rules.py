"""Rules for what webhooks and admission policies match: operations and resources, selectors, conditions in CEL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ktui.engine.api.cel import programs as cel
from ktui.engine.api.cel.checking import check
from ktui.engine.api.cel.types import BOOL, NULL, Type, fits
from ktui.engine.api.validation.fields import (
    duplicate,
    each_invalid,
    invalid,
    one_of,
    required,
    too_many,
)
from ktui.engine.api.validation.selectors import check_label_selector
from ktui.kube import names
from ktui.kube.data import items, string, strings
from ktui.kube.errors import Cause
from ktui.kube.resource import Object

FAILURE_POLICIES: Final = ("Fail", "Ignore")
MATCH_POLICIES: Final = ("Equivalent", "Exact")
_OPERATIONS: Final = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
_SCOPES: Final = ("*", "Cluster", "Namespaced")
_MOST_CONDITIONS: Final = 64


def default_rule(rule: Object) -> Object:
    return rule if rule.get("scope") else {**rule, "scope": "*"}


def check_rule(rule: Object, path: str) -> list[Cause]:
    """`RuleWithOperations`."""
    operations = strings(rule, "operations")
    causes = _wildcard(operations, f"{path}.operations", "operations")
    for index, operation in enumerate(operations):
        causes += one_of(f"{path}.operations[{index}]", operation, _OPERATIONS)
    causes += _wildcard(strings(rule, "apiGroups"), f"{path}.apiGroups", "API groups")
    versions = strings(rule, "apiVersions")
    causes += _wildcard(versions, f"{path}.apiVersions", "API versions")
    causes += [required(f"{path}.apiVersions[{i}]") for i, version in enumerate(versions) if not version]
    causes += _resources(strings(rule, "resources"), f"{path}.resources")
    return causes + one_of(f"{path}.scope", rule.get("scope"), _SCOPES)


def _wildcard(values: Sequence[str], path: str, what: str) -> list[Cause]:
    """At least one, and `*` alone."""
    if not values:
        return [required(path)]
    if len(values) > 1 and "*" in values:
        return [invalid(path, values, f"if '*' is present, must not specify other {what}")]
    return []


def _resources(resources: Sequence[str], path: str) -> list[Cause]:
    causes: list[Cause] = [] if resources else [required(path)]
    all_of_resource: set[str] = set()
    of_all_resources: set[str] = set()
    for index, name in enumerate(resources):
        if not name:
            causes.append(required(f"{path}[{index}]"))
            continue
        resource, slash, subresource = name.partition("/")
        if not slash:
            continue
        if resource in all_of_resource:
            why = f"if '{resource}/*' is present, must not specify {name}"
            causes.append(invalid(f"{path}[{index}]", name, why))
        if subresource in of_all_resources:
            why = f"if '*/{subresource}' is present, must not specify {name}"
            causes.append(invalid(f"{path}[{index}]", name, why))
        if subresource == "*":
            all_of_resource.add(resource)
        if resource == "*":
            of_all_resources.add(subresource)
    if len(resources) > 1 and "*/*" in resources:
        causes.append(invalid(path, resources, "if '*/*' is present, must not specify other resources"))
    if "*" in resources and any(name and name != "*" and "/" not in name for name in resources):
        why = "if '*' is present, must not specify other resources without subresources"
        causes.append(invalid(path, resources, why))
    return causes


def default_match(match: Object) -> Object:
    """`MatchResources` as Kubernetes fills it in."""
    filled: Object = {
        **match,
        "matchPolicy": match.get("matchPolicy") or "Equivalent",
        "namespaceSelector": match.get("namespaceSelector") or {},
        "objectSelector": match.get("objectSelector") or {},
    }
    for field in ("resourceRules", "excludeResourceRules"):
        if match.get(field):
            filled[field] = [default_rule(rule) for rule in items(match, field)]
    return filled


def check_match(match: Object, path: str) -> list[Cause]:
    """`MatchResources`."""
    causes = one_of(f"{path}.matchPolicy", match.get("matchPolicy"), MATCH_POLICIES)
    for field in ("namespaceSelector", "objectSelector"):
        causes += check_label_selector(match.get(field), f"{path}.{field}")
    for field in ("resourceRules", "excludeResourceRules"):
        for index, rule in enumerate(items(match, field)):
            at = f"{path}.{field}[{index}]"
            seen: set[str] = set()
            for position, name in enumerate(strings(rule, "resourceNames")):
                where = f"{at}.resourceNames[{position}]"
                causes += each_invalid(where, name, names.path_segment(name))
                causes += [duplicate(where, name)] if name in seen else []
                seen.add(name)
            causes += check_rule(rule, at)
    return causes


def check_conditions(conditions: Sequence[Object], path: str, types: Mapping[str, Type]) -> list[Cause]:
    """`matchConditions`; `types` are what they can name."""
    most = _MOST_CONDITIONS
    causes = [too_many(path, len(conditions), most)] if len(conditions) > most else []
    seen: set[str] = set()
    for index, condition in enumerate(conditions):
        at = f"{path}[{index}]"
        expression = string(condition, "expression").strip()
        if expression:
            causes += check_expression(expression, f"{at}.expression", types)
        else:
            causes.append(required(f"{at}.expression"))
        name = string(condition, "name")
        if not name:
            causes.append(required(f"{at}.name"))
        else:
            causes += each_invalid(f"{at}.name", name, names.qualified_name(name))
            causes += [duplicate(f"{at}.name", name)] if name in seen else []
        seen.add(name)
    return causes


def check_expression(
    expression: str, path: str, types: Mapping[str, Type], results: Sequence[Type] = (BOOL,)
) -> list[Cause]:
    """That CEL can read it, that it names only what there is, and gives a value of one of these types."""
    try:
        cel.compiled(expression)
    except cel.CelError as error:
        return [invalid(path, expression, str(error))]
    checked = check(expression, types)
    if checked.problems:
        return [invalid(path, expression, f"compilation failed: {checked}")]
    if any(fits(checked.type, each) for each in results):
        return []
    named = ["null_type" if each == NULL else str(each) for each in results]
    wanted = named[0] if len(named) == 1 else f"one of [{' '.join(named)}]"
    return [invalid(path, expression, f"must evaluate to {wanted}")]
