"""Rules for FlowSchemas and PriorityLevelConfigurations, in the words of Kubernetes."""

from __future__ import annotations

import math
from typing import Final

from ktui.engine.api.validation.fields import (
    duplicate,
    each_invalid,
    forbidden,
    invalid,
    required,
    unsupported,
)
from ktui.engine.api.validation.metadata import check_metadata
from ktui.kube import names
from ktui.kube.data import items, section, string, strings
from ktui.kube.errors import Cause
from ktui.kube.resource import Object

EXEMPT: Final = "exempt"
_LARGEST_PRECEDENCE: Final = 10_000
_METHODS: Final = ("ByNamespace", "ByUser")
_VERBS: Final = (
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "proxy",
    "update",
    "watch",
)
_SUBJECTS: Final = {"Group": "group", "ServiceAccount": "serviceAccount", "User": "user"}
"""The kinds of subjects and the field that each has."""
_MOST_QUEUES: Final = 10_000_000
_MOST_BITS: Final = 60
_NON_NEGATIVE: Final = "must be a non-negative integer"


def validate_flow_schema(schema: Object) -> list[Cause]:
    spec, name = section(schema, "spec"), string(section(schema, "metadata"), "name")
    causes = check_metadata(schema, namespaced=False)
    precedence: int = spec.get("matchingPrecedence") or 0
    path = "spec.matchingPrecedence"
    if precedence <= 0:
        causes.append(invalid(path, precedence, "must be a positive value"))
    if precedence > _LARGEST_PRECEDENCE:
        causes.append(invalid(path, precedence, f"must not be greater than {_LARGEST_PRECEDENCE}"))
    if precedence == 1 and name != EXEMPT:
        why = "only the schema named 'exempt' may have matchingPrecedence 1"
        causes.append(invalid(path, precedence, why))
    method: Object | None = spec.get("distinguisherMethod")
    if method is not None and method.get("type") not in _METHODS:
        causes.append(unsupported("spec.distinguisherMethod.type", method, _METHODS))
    level = string(section(spec, "priorityLevelConfiguration"), "name")
    path = "spec.priorityLevelConfiguration.name"
    if level:
        causes += each_invalid(path, level, names.dns_subdomain(level))
    else:
        causes.append(required(path, "must reference a priority level"))
    for index, rules in enumerate(items(spec, "rules")):
        causes += _rules(rules, f"spec.rules[{index}]")
    return causes


def _rules(rules: Object, at: str) -> list[Cause]:
    subjects = items(rules, "subjects")
    of_resources, of_paths = items(rules, "resourceRules"), items(rules, "nonResourceRules")
    causes: list[Cause] = []
    for index, subject in enumerate(subjects):
        causes += _subject(subject, f"{at}.subjects[{index}]")
    if not subjects:
        causes.append(required(f"{at}.subjects", "subjects must contain at least one value"))
    if not of_resources and not of_paths:
        why = "at least one of resourceRules and nonResourceRules has to be non-empty"
        causes.append(required(at, why))
    for index, rule in enumerate(of_resources):
        causes += _resource_rule(rule, f"{at}.resourceRules[{index}]")
    for index, rule in enumerate(of_paths):
        causes += _path_rule(rule, f"{at}.nonResourceRules[{index}]")
    return causes


def _subject(subject: Object, at: str) -> list[Cause]:
    kind = string(subject, "kind")
    field = _SUBJECTS.get(kind)
    if field is None:
        return [unsupported(f"{at}.kind", kind, sorted(_SUBJECTS))]
    found: Object | None = subject.get(field)
    if found is None:
        causes = [required(f"{at}.{field}", f"{field} is required when subject kind is '{kind}'")]
    else:
        causes = _named(kind, found, f"{at}.{field}")
    for other, name in _SUBJECTS.items():
        if name != field and subject.get(name) is not None:
            why = f"{name} is forbidden when subject kind is not '{other}'"
            causes.append(forbidden(f"{at}.{name}", why))
    return causes


def _named(kind: str, subject: Object, at: str) -> list[Cause]:
    name, namespace = string(subject, "name"), string(subject, "namespace")
    causes = [] if name else [required(f"{at}.name")]
    if kind != "ServiceAccount":
        return causes
    if name and name != "*":
        causes += each_invalid(f"{at}.name", name, names.dns_subdomain(name))
    if not namespace:
        return [*causes, required(f"{at}.namespace", "must specify namespace for service account")]
    return causes + each_invalid(f"{at}.namespace", namespace, names.dns_label(namespace))


def _all_or_some(rule: Object, field: str, at: str, none: str, others: str) -> list[Cause]:
    """A list with something in it, and `*` only on its own."""
    found = strings(rule, field)
    if not found:
        return [required(f"{at}.{field}", none)]
    if "*" in found and len(found) > 1:
        return [invalid(f"{at}.{field}", found, f"if '*' is present, must not specify other {others}")]
    return []


def _verbs(rule: Object, at: str) -> list[Cause]:
    causes = _all_or_some(rule, "verbs", at, "verbs must contain at least one value", "verbs")
    verbs = strings(rule, "verbs")
    if "*" not in verbs and any(verb not in _VERBS for verb in verbs):
        causes.append(unsupported(f"{at}.verbs", verbs, _VERBS))
    return causes


def _resource_rule(rule: Object, at: str) -> list[Cause]:
    causes = _verbs(rule, at)
    causes += _all_or_some(
        rule, "apiGroups", at, "resource rules must supply at least one api group", "api groups"
    )
    causes += _all_or_some(
        rule, "resources", at, "resource rules must supply at least one resource", "resources"
    )
    found = strings(rule, "namespaces")
    if found or not rule.get("clusterScope"):
        why = "resource rules that are not cluster scoped must supply at least one namespace"
        causes += _all_or_some(rule, "namespaces", at, why, "namespaces")
    if "*" in found:
        return causes
    for index, namespace in enumerate(found):
        for problem in names.dns_label(namespace):
            why = f"each member of this list must be '*' or a DNS-1123 label; {problem}"
            causes.append(invalid(f"{at}.namespaces[{index}]", namespace, why))
    return causes


def _path_rule(rule: Object, at: str) -> list[Cause]:
    causes = _verbs(rule, at)
    why = "nonResourceURLs must contain at least one value"
    causes += _all_or_some(rule, "nonResourceURLs", at, why, "non-resource URLs")
    found = strings(rule, "nonResourceURLs")
    if "*" in found:
        return causes
    for index, path in enumerate(found):
        if problem := _path_problem(path):
            causes.append(invalid(f"{at}.nonResourceURLs[{index}]", path, problem))
    return causes


def _path_problem(path: str) -> str:
    if not path:
        return "must not be empty"
    if not path.startswith("/"):
        return "must start with slash"
    if " " in path:
        return "must not contain white-space"
    if "//" in path:
        return "must not contain double slash"
    if path.count("*") > 1 or ("*" in path and not path.endswith("/*")):
        return "wildcard can only do suffix matching"
    return ""


def check_flow_conditions(obj: Object) -> list[Cause]:
    causes: list[Cause] = []
    seen: set[str] = set()
    for index, condition in enumerate(items(section(obj, "status"), "conditions")):
        path, kind = f"status.conditions[{index}].type", string(condition, "type")
        if kind in seen:
            causes.append(duplicate(path, kind))
        seen.add(kind)
        if not kind:
            causes.append(required(path))
    return causes


def validate_priority_level(level: Object) -> list[Cause]:
    spec, name = section(level, "spec"), string(section(level, "metadata"), "name")
    causes = check_metadata(level, namespaced=False)
    kind = string(spec, "type")
    limited: Object | None = spec.get("limited")
    exempt: Object | None = spec.get("exempt")
    if (name == EXEMPT) != (kind == "Exempt"):
        causes.append(invalid("spec.type", kind, "must be 'Exempt' if and only if `name` is 'exempt'"))
    match kind:
        case "Exempt":
            if limited is not None:
                causes.append(forbidden("spec.limited", "must be nil if the type is not Limited"))
            causes += _shares(exempt or {}, "spec.exempt")
        case "Limited":
            if exempt is not None:
                causes.append(forbidden("spec.exempt", "must be nil if the type is Limited"))
            if limited is None:
                causes.append(required("spec.limited", "must not be empty when type is Limited"))
            else:
                causes += _limited(limited, "spec.limited")
        case "":
            causes.append(required("spec.type"))
        case _:
            causes.append(unsupported("spec.type", kind, ("Exempt", "Limited")))
    return causes


def _shares(part: Object, at: str) -> list[Cause]:
    causes: list[Cause] = []
    shares: int = part.get("nominalConcurrencyShares") or 0
    lendable: int = part.get("lendablePercent") or 0
    if shares < 0:
        causes.append(invalid(f"{at}.nominalConcurrencyShares", shares, _NON_NEGATIVE))
    if not 0 <= lendable <= 100:
        causes.append(invalid(f"{at}.lendablePercent", lendable, names.not_between(0, 100)))
    return causes


def _limited(limited: Object, at: str) -> list[Cause]:
    causes = _shares(limited, at)
    borrowing: int = limited.get("borrowingLimitPercent") or 0
    if borrowing < 0:
        causes.append(invalid(f"{at}.borrowingLimitPercent", borrowing, f"if specified, {_NON_NEGATIVE}"))
    response = section(limited, "limitResponse")
    at = f"{at}.limitResponse"
    queuing: Object | None = response.get("queuing")
    match string(response, "type"):
        case "Reject":
            if queuing is not None:
                why = "must be nil if limited.limitResponse.type is not Limited"
                causes.append(forbidden(f"{at}.queuing", why))
        case "Queue":
            if queuing is None:
                why = "must not be empty if limited.limitResponse.type is Limited"
                causes.append(required(f"{at}.queuing", why))
            else:
                causes += _queuing(queuing, f"{at}.queuing")
        case "":
            causes.append(required(f"{at}.type"))
        case kind:
            causes.append(unsupported(f"{at}.type", kind, ("Queue", "Reject")))
    return causes


def _queuing(queuing: Object, at: str) -> list[Cause]:
    length, queues, hand = (
        int(queuing.get(field) or 0) for field in ("queueLengthLimit", "queues", "handSize")
    )
    causes: list[Cause] = []
    if length <= 0:
        causes.append(invalid(f"{at}.queueLengthLimit", length, "must be positive"))
    if queues <= 0:
        causes.append(invalid(f"{at}.queues", queues, "must be positive"))
    elif queues > _MOST_QUEUES:
        causes.append(invalid(f"{at}.queues", queues, f"must not be greater than {_MOST_QUEUES}"))
    if hand <= 0:
        causes.append(invalid(f"{at}.handSize", hand, "must be positive"))
    elif hand > queues:
        causes.append(invalid(f"{at}.handSize", hand, f"should not be greater than queues ({queues})"))
    elif math.ceil(math.log2(queues) * hand) > _MOST_BITS:
        why = f"required entropy bits of deckSize {queues} and handSize {hand} should not be greater than {_MOST_BITS}"
        causes.append(invalid(f"{at}.handSize", hand, why))
    return causes
