"""Rules for admission policies and their bindings."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from ktui.engine.api.cel.admission import declared
from ktui.engine.api.cel.programs import RESERVED
from ktui.engine.api.cel.types import BOOL, DYN, NULL, STRING, Type
from ktui.engine.api.validation.admission_rules import (
    FAILURE_POLICIES,
    check_conditions,
    check_expression,
    check_match,
)
from ktui.engine.api.validation.fields import (
    duplicate,
    each_invalid,
    forbidden,
    invalid,
    one_of,
    required,
)
from ktui.engine.api.validation.selectors import check_label_selector
from ktui.kube import names
from ktui.kube.data import items, section, string, strings
from ktui.kube.errors import Cause
from ktui.kube.resource import Object

_REASONS: Final = ("Forbidden", "Invalid", "RequestEntityTooLarge")
_ACTIONS: Final = ("Audit", "Deny", "Warn")
_NOT_FOUND_ACTIONS: Final = ("Deny", "Allow")
_MOST_ANNOTATIONS: Final = 20
_LONGEST_VALUE: Final = 5 * 1024
_IDENTIFIER: Final = re.compile("[_a-zA-Z][_a-zA-Z0-9]*")
_NONE: Final = "validations or auditAnnotations must contain at least one item"


def check_policy(spec: Object, name: str) -> list[Cause]:
    """The spec of a ValidatingAdmissionPolicy."""
    causes = one_of("spec.failurePolicy", spec.get("failurePolicy"), FAILURE_POLICIES)
    if "paramKind" in spec:
        causes += check_param_kind(section(spec, "paramKind"), "spec.paramKind")
    match = spec.get("matchConstraints")
    if match is None:
        causes.append(required("spec.matchConstraints"))
    else:
        causes += check_match(section(spec, "matchConstraints"), "spec.matchConstraints")
        if not section(spec, "matchConstraints").get("resourceRules"):
            causes.append(required("spec.matchConstraints.resourceRules"))
    types = PolicyTypes(spec)
    causes += check_conditions(items(spec, "matchConditions"), "spec.matchConditions", types.conditions)
    causes += check_variables(items(spec, "variables"), types)
    validations, annotations = items(spec, "validations"), items(spec, "auditAnnotations")
    if not validations and not annotations:
        return [*causes, required("spec.validations", _NONE), required("spec.auditAnnotations", _NONE)]
    for index, validation in enumerate(validations):
        causes += _validation(validation, f"spec.validations[{index}]", types)
    return causes + _annotations(annotations, name, types)


class PolicyTypes:
    """What a policy's expressions can name."""

    def __init__(self, spec: Object, *, patches: bool = False) -> None:
        """`patches`: the types by which objects are changed as well."""
        self._patches = patches
        self.params = DYN if "paramKind" in spec else None
        self._variables = [
            (string(each, "name"), string(each, "expression")) for each in items(spec, "variables")
        ]
        self.conditions = declared(params=self.params)
        self.rules = declared(params=self.params, patches=patches, variables=self._variables)
        self.messages = declared(params=self.params, authorizer=False, variables=self._variables)

    def before(self, index: int) -> Mapping[str, Type]:
        """For a variable: only those before it."""
        return declared(params=self.params, patches=self._patches, variables=self._variables[:index])


def check_param_kind(kind: Object, path: str) -> list[Cause]:
    """`paramKind`."""
    causes: list[Cause] = []
    version = string(kind, "apiVersion")
    at = f"{path}.apiVersion"
    if not version:
        causes.append(required(at))
    elif version.count("/") > 1:
        causes.append(invalid(at, version, f"unexpected GroupVersion string: {version}"))
    else:
        group, _, number = version.rpartition("/")
        if group and (problems := names.dns_subdomain(group)):
            causes.append(invalid(at, group, ",".join(problems)))
        if not number:
            causes.append(invalid(at, version, "version must be specified"))
        elif problems := names.dns_1035_label(number):
            causes.append(invalid(at, number, ",".join(problems)))
    name = string(kind, "kind")
    if not name:
        causes.append(required(f"{path}.kind"))
    elif problems := names.dns_1035_label(name.lower()):
        why = f"may have mixed case, but should otherwise match: {','.join(problems)}"
        causes.append(invalid(f"{path}.kind", name, why))
    return causes


def check_variables(variables: list[Object], types: PolicyTypes) -> list[Cause]:
    """The variables of a policy."""
    causes: list[Cause] = []
    for index, variable in enumerate(variables):
        at = f"spec.variables[{index}]"
        name = string(variable, "name")
        if not name.strip():
            causes.append(required(f"{at}.name", "name is not specified"))
        elif not _IDENTIFIER.fullmatch(name) or name in RESERVED:
            causes.append(invalid(f"{at}.name", name, "name is not a valid CEL identifier"))
        expression, why = string(variable, "expression"), "expression is not specified"
        causes += _needed(expression, f"{at}.expression", why, types.before(index), (DYN,))
    return causes


def _needed(
    expression: str, path: str, why: str, types: Mapping[str, Type], results: Sequence[Type] = (BOOL,)
) -> list[Cause]:
    return check_expression(expression, path, types, results) if expression.strip() else [required(path, why)]


def _validation(validation: Object, at: str, types: PolicyTypes) -> list[Cause]:
    why = "expression is not specified"
    causes = _needed(string(validation, "expression"), f"{at}.expression", why, types.rules)
    expression, message = string(validation, "messageExpression"), string(validation, "message")
    if expression and not expression.strip():
        causes.append(invalid(f"{at}.messageExpression", expression, "must be non-empty if specified"))
    elif expression:
        causes += check_expression(expression, f"{at}.messageExpression", types.messages, (STRING,))
    if message and not message.strip():
        causes.append(invalid(f"{at}.message", message, "message must be non-empty if specified"))
    elif re.search("[\n\r]", message.strip()):
        causes.append(invalid(f"{at}.message", message, "message must not contain line breaks"))
    reason = validation.get("reason")
    return causes + (one_of(f"{at}.reason", reason, _REASONS) if reason is not None else [])


def _annotations(annotations: list[Object], name: str, types: PolicyTypes) -> list[Cause]:
    path = "spec.auditAnnotations"
    causes: list[Cause] = []
    if len(annotations) > _MOST_ANNOTATIONS:
        why = f"must not have more than {_MOST_ANNOTATIONS} auditAnnotations"
        causes.append(invalid(path, annotations, why))
    seen: set[str] = set()
    for index, annotation in enumerate(annotations):
        at = f"{path}[{index}]"
        key, expression = string(annotation, "key"), string(annotation, "valueExpression").strip()
        if name:
            full = f"{name}/{key}"
            causes += each_invalid(f"{at}.key", full, names.qualified_name(full))
        else:
            causes.append(invalid(f"{at}.key", key, "requires metadata.name be non-empty"))
        if len(expression) > _LONGEST_VALUE:
            why = f"must not exceed {_LONGEST_VALUE} bytes in length"
            causes.append(required(f"{at}.valueExpression", why))
        else:
            why, path_of_value = "valueExpression is not specified", f"{at}.valueExpression"
            causes += _needed(expression, path_of_value, why, types.rules, (STRING, NULL))
        causes += [duplicate(f"{at}.key", key)] if key in seen else []
        seen.add(key)
    return causes


def check_binding(spec: Object) -> list[Cause]:
    """The spec of a ValidatingAdmissionPolicyBinding."""
    name = string(spec, "policyName")
    path = "spec.policyName"
    causes = each_invalid(path, name, names.dns_subdomain(name)) if name else [required(path)]
    if "paramRef" in spec:
        causes += check_param_ref(section(spec, "paramRef"), "spec.paramRef")
    if "matchResources" in spec:
        causes += check_match(section(spec, "matchResources"), "spec.matchResources")
    return causes + _actions(strings(spec, "validationActions"), "spec.validationActions")


def check_param_ref(ref: Object, path: str) -> list[Cause]:
    """`paramRef`."""
    causes: list[Cause] = []
    name, selector = string(ref, "name"), ref.get("selector")
    both = "name and selector are mutually exclusive"
    if name:
        causes += each_invalid(f"{path}.name", name, names.path_segment(name))
        causes += [forbidden(f"{path}.name", both)] if selector is not None else []
    if selector is not None:
        causes += check_label_selector(section(ref, "selector"), f"{path}.selector")
        causes += [forbidden(f"{path}.selector", both)] if name else []
    elif not name:
        causes.append(required(path, "one of name or selector must be specified"))
    action = string(ref, "parameterNotFoundAction")
    at = f"{path}.parameterNotFoundAction"
    return causes + (one_of(at, action, _NOT_FOUND_ACTIONS) if action else [required(at)])


def _actions(actions: list[str], path: str) -> list[Cause]:
    causes: list[Cause] = []
    for index, action in enumerate(actions):
        causes += one_of(f"{path}[{index}]", action, _ACTIONS)
        causes += [duplicate(f"{path}[{index}]", action)] if action in actions[:index] else []
    if "Deny" in actions and "Warn" in actions:
        why = (
            "must not contain both Deny and Warn (repeating the same validation failure information in the API "
            "response and headers serves no purpose)"
        )
        causes.append(invalid(path, actions, why))
    return causes if actions else [required(path, "at least one validation action is required")]
