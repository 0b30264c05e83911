"""Rules for what steers the scheduler: affinity, tolerations, topology spread, gates."""

from __future__ import annotations

from typing import Final

from ktui.engine.api.validation.fields import (
    duplicate,
    each_invalid,
    forbidden,
    invalid,
    required,
    unsupported,
)
from ktui.engine.api.validation.nodes import TAINT_EFFECTS
from ktui.engine.api.validation.selectors import check_label_selector
from ktui.kube import names
from ktui.kube.data import items, mapping, section, string, strings
from ktui.kube.errors import Cause
from ktui.kube.resource import Object

REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED: Final = "preferredDuringSchedulingIgnoredDuringExecution"
_ACTIONS: Final = ("DoNotSchedule", "ScheduleAnyway")


def check_affinity(affinity: Object, path: str) -> list[Cause]:
    causes: list[Cause] = []
    node = section(affinity, "nodeAffinity")
    if REQUIRED in node:
        causes += check_node_selector(node[REQUIRED], f"{path}.nodeAffinity.{REQUIRED}")
    for index, term in enumerate(items(node, PREFERRED)):
        at = f"{path}.nodeAffinity.{PREFERRED}[{index}]"
        causes += _weight(term, at)
        causes += _node_term(section(term, "preference"), f"{at}.preference", values=False)
    for kind in ("podAffinity", "podAntiAffinity"):
        pods = section(affinity, kind)
        for index, term in enumerate(items(pods, REQUIRED)):
            causes += _pod_term(term, f"{path}.{kind}.{REQUIRED}[{index}]")
        for index, term in enumerate(items(pods, PREFERRED)):
            at = f"{path}.{kind}.{PREFERRED}[{index}]"
            causes += _weight(term, at) + _pod_term(section(term, "podAffinityTerm"), f"{at}.podAffinityTerm")
    return causes


def check_node_selector(selector: Object, path: str) -> list[Cause]:
    """Terms of which one has to match."""
    terms = items(selector, "nodeSelectorTerms")
    if not terms:
        return [required(f"{path}.nodeSelectorTerms", "must have at least one node selector term")]
    return [
        cause
        for index, term in enumerate(terms)
        for cause in _node_term(term, f"{path}.nodeSelectorTerms[{index}]", values=True)
    ]


def _weight(term: Object, path: str) -> list[Cause]:
    weight: int = term.get("weight") or 0
    return [] if 1 <= weight <= 100 else [invalid(f"{path}.weight", weight, "must be in the range 1-100")]


def _node_term(term: Object, path: str, *, values: bool) -> list[Cause]:
    causes: list[Cause] = []
    for index, requirement in enumerate(items(term, "matchExpressions")):
        causes += _node_requirement(requirement, f"{path}.matchExpressions[{index}]", check_values=values)
    for index, requirement in enumerate(items(term, "matchFields")):
        causes += _field_requirement(requirement, f"{path}.matchFields[{index}]")
    return causes


def _node_requirement(requirement: Object, path: str, *, check_values: bool) -> list[Cause]:
    key, values = string(requirement, "key"), strings(requirement, "values")
    causes: list[Cause] = []
    match string(requirement, "operator"):
        case "In" | "NotIn":
            if not values:
                why = "must be specified when `operator` is 'In' or 'NotIn'"
                causes.append(required(f"{path}.values", why))
        case "Exists" | "DoesNotExist":
            if values:
                why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                causes.append(forbidden(f"{path}.values", why))
        case "Gt" | "Lt":
            if len(values) != 1:
                why = "must be specified single value when `operator` is 'Lt' or 'Gt'"
                causes.append(required(f"{path}.values", why))
        case operator:
            causes.append(invalid(f"{path}.operator", operator, "not a valid selector operator"))
    causes += each_invalid(f"{path}.key", key, names.qualified_name(key))
    if check_values:
        for index, value in enumerate(values):
            causes += each_invalid(f"{path}.values[{index}]", value, names.label_value(value))
    return causes


def _field_requirement(requirement: Object, path: str) -> list[Cause]:
    key, values = string(requirement, "key"), strings(requirement, "values")
    operator = string(requirement, "operator")
    causes: list[Cause] = []
    if operator not in ("In", "NotIn"):
        causes.append(invalid(f"{path}.operator", operator, "not a valid selector operator"))
    elif len(values) != 1:
        why = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
        causes.append(required(f"{path}.values", why))
    if key != "metadata.name":
        causes.append(invalid(f"{path}.key", key, "not a valid field selector key"))
    else:
        for index, value in enumerate(values):
            causes += each_invalid(f"{path}.values[{index}]", value, names.dns_subdomain(value))
    return causes


def _pod_term(term: Object, path: str) -> list[Cause]:
    causes = check_label_selector(term.get("labelSelector"), f"{path}.labelSelector")
    causes += check_label_selector(term.get("namespaceSelector"), f"{path}.namespaceSelector")
    for namespace in strings(term, "namespaces"):
        causes += each_invalid(f"{path}.namespace", namespace, names.dns_label(namespace))
    matching, mismatching = strings(term, "matchLabelKeys"), strings(term, "mismatchLabelKeys")
    causes += _label_keys(term, path)
    for index, key in enumerate(matching):
        if key in mismatching:
            why = "exists in both matchLabelKeys and mismatchLabelKeys"
            causes.append(invalid(f"{path}.matchLabelKeys[{index}]", key, why))
    topology = string(term, "topologyKey")
    if not topology:
        causes.append(required(f"{path}.topologyKey", "can not be empty"))
    return causes + each_invalid(f"{path}.topologyKey", topology, names.qualified_name(topology))


def _label_keys(term: Object, path: str) -> list[Cause]:
    """Keys whose values come from the pod's labels: they are part of the selector by now, once each."""
    causes: list[Cause] = []
    selector: Object | None = term.get("labelSelector")
    for field in ("matchLabelKeys", "mismatchLabelKeys"):
        keys = strings(term, field)
        if keys and selector is None:
            causes.append(forbidden(f"{path}.{field}", "must not be specified when labelSelector is not set"))
            continue
        for index, key in enumerate(keys):
            causes += each_invalid(f"{path}.{field}[{index}]", key, names.qualified_name(key))
    if selector is not None:
        keys = strings(term, "matchLabelKeys")
        seen = set(mapping(selector, "matchLabels"))
        for expression in items(selector, "matchExpressions"):
            key = string(expression, "key")
            if key in keys and key in seen:
                why = "exists in both matchLabelKeys and labelSelector"
                causes.append(invalid(f"{path}[{keys.index(key)}]", key, why))
            seen.add(key)
    return causes


def check_tolerations(tolerations: list[Object], path: str) -> list[Cause]:
    causes: list[Cause] = []
    for index, toleration in enumerate(tolerations):
        at = f"{path}[{index}]"
        key, operator = string(toleration, "key"), string(toleration, "operator")
        value, effect = string(toleration, "value"), string(toleration, "effect")
        if key:
            causes += each_invalid(f"{at}.key", key, names.qualified_name(key))
        elif operator != "Exists":
            why = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
            causes.append(invalid(f"{at}.operator", operator, why))
        if "tolerationSeconds" in toleration and effect != "NoExecute":
            why = "effect must be 'NoExecute' when `tolerationSeconds` is set"
            causes.append(invalid(f"{at}.effect", effect, why))
        if operator in ("", "Equal"):
            problems = names.label_value(value)
            if problems:
                causes.append(invalid(f"{at}.operator", value, ";".join(problems)))
        elif operator == "Exists":
            if value:
                why = "value must be empty when `operator` is 'Exists'"
                causes.append(invalid(f"{at}.operator", value, why))
        else:
            causes.append(unsupported(f"{at}.operator", operator, ("Equal", "Exists")))
        if effect and effect not in TAINT_EFFECTS:
            causes.append(unsupported(f"{at}.effect", effect, TAINT_EFFECTS))
    return causes


def check_spread(constraints: list[Object], path: str) -> list[Cause]:
    """`topologySpreadConstraints`."""
    causes: list[Cause] = []
    pairs = [(string(c, "topologyKey"), string(c, "whenUnsatisfiable")) for c in constraints]
    for index, constraint in enumerate(constraints):
        at = f"{path}[{index}]"
        skew: int = constraint.get("maxSkew") or 0
        action = string(constraint, "whenUnsatisfiable")
        if skew <= 0:
            causes.append(invalid(f"{at}.maxSkew", skew, names.POSITIVE))
        if not constraint.get("topologyKey"):
            causes.append(required(f"{at}.topologyKey", "can not be empty"))
        if action not in _ACTIONS:
            causes.append(unsupported(f"{at}.whenUnsatisfiable", action, _ACTIONS))
        if pairs[index] in pairs[index + 1 :]:
            pair = f"{{{pairs[index][0]}, {pairs[index][1]}}}"
            causes.append(duplicate(f"{at}.{{topologyKey, whenUnsatisfiable}}", pair))
        causes += _spread_options(constraint, action, at)
    return causes


def _spread_options(constraint: Object, action: str, at: str) -> list[Cause]:
    causes: list[Cause] = []
    domains = constraint.get("minDomains")
    if domains is not None:
        if domains <= 0:
            causes.append(invalid(f"{at}.minDomains", domains, names.POSITIVE))
        if action != "DoNotSchedule":
            why = f"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}"
            causes.append(invalid(f"{at}.minDomains", domains, why))
    for field in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
        if field in constraint and constraint[field] not in ("Honor", "Ignore"):
            causes.append(unsupported(f"{at}.{field}", constraint[field], ("Honor", "Ignore")))
    causes += _label_keys(constraint, at)
    return causes + check_label_selector(constraint.get("labelSelector"), f"{at}.labelSelector")


def check_gates(spec: Object, path: str) -> list[Cause]:
    """Readiness gates and scheduling gates."""
    causes: list[Cause] = []
    for index, gate in enumerate(items(spec, "readinessGates")):
        kind = string(gate, "conditionType")
        causes += each_invalid(
            f"{path}.readinessGates[{index}].conditionType", kind, names.qualified_name(kind)
        )
    seen: set[str] = set()
    for index, gate in enumerate(items(spec, "schedulingGates")):
        at = f"{path}.schedulingGates[{index}]"
        name = string(gate, "name")
        causes += each_invalid(at, name, names.qualified_name(name))
        if name in seen:
            causes.append(duplicate(at, name))
        seen.add(name)
    return causes
