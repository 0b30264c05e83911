"""ValidatingAdmissionPolicy and its binding: rules in CEL that every write has to keep."""

from __future__ import annotations

from collections.abc import Callable

from ktui.engine.api.declaration import Cell, Column, Declaration
from ktui.engine.api.resources.columns import AGE, NAME, number, text
from ktui.engine.api.resources.strategy import keep_status, only_status, without_status
from ktui.engine.api.validation.admission_policies import check_binding, check_policy
from ktui.engine.api.validation.admission_rules import default_match
from ktui.engine.api.validation.metadata import check_metadata, check_metadata_update
from ktui.kube.data import items, section, string
from ktui.kube.errors import Cause
from ktui.kube.kinds import VALIDATING_ADMISSION_POLICIES, VALIDATING_ADMISSION_POLICY_BINDINGS
from ktui.kube.resource import Object, Resource
from ktui.kube.selector import Selector, SelectorError

_UNSET = "<unset>"


def default_policy(policy: Object) -> Object:
    spec = section(policy, "spec")
    filled = {**spec, "failurePolicy": spec.get("failurePolicy") or "Fail"}
    if spec.get("matchConstraints") is not None:
        filled["matchConstraints"] = default_match(section(spec, "matchConstraints"))
    return {**policy, "spec": filled}


def default_binding(binding: Object) -> Object:
    spec = section(binding, "spec")
    if spec.get("matchResources") is None:
        return binding
    filled = {**spec, "matchResources": default_match(section(spec, "matchResources"))}
    return {**binding, "spec": filled}


def validate_policy(policy: Object) -> list[Cause]:
    name = string(section(policy, "metadata"), "name")
    return check_metadata(policy, namespaced=False) + check_policy(section(policy, "spec"), name)


def validate_binding(binding: Object) -> list[Cause]:
    return check_metadata(binding, namespaced=False) + check_binding(section(binding, "spec"))


def param_kind(policy: Object) -> Cell:
    """The column of that name."""
    kind = section(policy, "spec", "paramKind")
    return f"{string(kind, 'apiVersion')}/{string(kind, 'kind')}" if kind else _UNSET


def param_ref(binding: Object) -> Cell:
    """The column of that name."""
    ref = section(binding, "spec", "paramRef")
    name, namespace = string(ref, "name"), string(ref, "namespace")
    if name:
        return f"{namespace}/{name}" if namespace else name
    if ref.get("selector") is None:
        return _UNSET
    try:
        return str(Selector.of(ref["selector"]))
    except SelectorError:
        return "<error>"


def policy_columns(title: str, rules: str) -> tuple[Column, ...]:
    """The columns of a kind of policy with so many `rules`."""
    return (
        NAME,
        number(title, lambda policy: len(items(section(policy, "spec"), rules)), f"How many {rules} it has."),
        text("ParamKind", param_kind, "The kind of its parameters."),
        AGE,
    )


def binding_declaration(
    resource: Resource, kind: str, validate: Callable[[Object], list[Cause]]
) -> Declaration:
    """The binding of a kind of policy: they all look alike."""
    return Declaration(
        resource=resource,
        schema=f"io.k8s.api.admissionregistration.v1.{kind}",
        columns=(
            NAME,
            text(
                "PolicyName",
                lambda binding: string(section(binding, "spec"), "policyName"),
                "The policy it binds.",
            ),
            text("ParamRef", param_ref, "The parameters the policy gets."),
            AGE,
        ),
        default=default_binding,
        needs_version=True,
        validate_create=validate,
        validate_update=check_metadata_update,
        has_generation=True,
    )


DECLARATIONS = (
    Declaration(
        resource=VALIDATING_ADMISSION_POLICIES,
        schema="io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicy",
        columns=policy_columns("Validations", "validations"),
        default=default_policy,
        prepare_create=without_status,
        prepare_update=keep_status,
        prepare_status=only_status,
        needs_version=True,
        validate_create=validate_policy,
        validate_update=check_metadata_update,
        has_status=True,
        has_generation=True,
    ),
    binding_declaration(
        VALIDATING_ADMISSION_POLICY_BINDINGS, "ValidatingAdmissionPolicyBinding", validate_binding
    ),
)
