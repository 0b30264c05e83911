"""Rules for mutating admission policies and their bindings."""

from __future__ import annotations

from typing import Final

from ktui.engine.api.cel.types import JSON_PATCH, ListType, Struct, Type
from ktui.engine.api.validation.admission_policies import (
    PolicyTypes,
    check_param_kind,
    check_param_ref,
    check_variables,
)
from ktui.engine.api.validation.admission_rules import (
    FAILURE_POLICIES,
    check_conditions,
    check_expression,
    check_match,
)
from ktui.engine.api.validation.fields import each_invalid, invalid, one_of, required
from ktui.kube import names
from ktui.kube.data import items, section, string, strings
from ktui.kube.errors import Cause
from ktui.kube.resource import Object

_OPERATIONS: Final = ("CREATE", "UPDATE")
_REINVOCATION_POLICIES: Final = ("IfNeeded", "Never")
_FIELDS: Final = {"ApplyConfiguration": "applyConfiguration", "JSONPatch": "jsonPatch"}
_RESULTS: Final[dict[str, Type]] = {
    "ApplyConfiguration": Struct("Object", is_open=True),
    "JSONPatch": ListType(JSON_PATCH),
}


def check_policy(spec: Object) -> list[Cause]:
    """The spec of a MutatingAdmissionPolicy."""
    causes = one_of("spec.failurePolicy", spec.get("failurePolicy"), FAILURE_POLICIES)
    if "paramKind" in spec:
        causes += check_param_kind(section(spec, "paramKind"), "spec.paramKind")
    if spec.get("matchConstraints") is None:
        causes.append(required("spec.matchConstraints"))
    else:
        match = section(spec, "matchConstraints")
        causes += check_match(match, "spec.matchConstraints")
        if not match.get("resourceRules"):
            causes.append(required("spec.matchConstraints.resourceRules"))
        causes += _operations(match, "spec.matchConstraints")
    types = PolicyTypes(spec, patches=True)
    causes += check_conditions(items(spec, "matchConditions"), "spec.matchConditions", types.conditions)
    causes += check_variables(items(spec, "variables"), types)
    mutations = items(spec, "mutations")
    if not mutations:
        causes.append(required("spec.mutations", "mutations must contain at least one item"))
    for index, mutation in enumerate(mutations):
        causes += _mutation(mutation, f"spec.mutations[{index}]", types)
    policy = string(spec, "reinvocationPolicy")
    path = "spec.reinvocationPolicy"
    return causes + (one_of(path, policy, _REINVOCATION_POLICIES) if policy else [required(path)])


def _operations(match: Object, path: str) -> list[Cause]:
    """Only what is created and updated can be changed."""
    return [
        cause
        for rule in items(match, "resourceRules")
        for operation in strings(rule, "operations")
        for cause in one_of(f"{path}.resourceRules.operations", operation, _OPERATIONS)
    ]


def _mutation(mutation: Object, at: str, types: PolicyTypes) -> list[Cause]:
    kind = string(mutation, "patchType")
    if not kind:
        return [required(f"{at}.patchType")]
    if kind not in _FIELDS:
        return one_of(f"{at}.patchType", kind, tuple(_FIELDS))
    causes: list[Cause] = []
    for patch_type, field in _FIELDS.items():
        path = f"{at}.{field}"
        if patch_type != kind:
            if mutation.get(field) is not None:
                why = f"must not be specified when patchType is {kind}"
                causes.append(invalid(path, f"{{{field}}}", why))
        elif mutation.get(field) is None:
            causes.append(required(path, f"must be specified when patchType is {kind}"))
        else:
            expression = string(section(mutation, field), "expression").strip()
            where, results = f"{path}.expression", (_RESULTS[kind],)
            causes += (
                check_expression(expression, where, types.rules, results) if expression else [required(where)]
            )
    return causes


def check_binding(spec: Object) -> list[Cause]:
    """The spec of a MutatingAdmissionPolicyBinding."""
    name, path = string(spec, "policyName"), "spec.policyName"
    causes = each_invalid(path, name, names.dns_subdomain(name)) if name else [required(path)]
    if "paramRef" in spec:
        causes += check_param_ref(section(spec, "paramRef"), "spec.paramRef")
    if "matchResources" in spec:
        match = section(spec, "matchResources")
        causes += check_match(match, "spec.matchResources") + _operations(match, "spec.matchResources")
    return causes
