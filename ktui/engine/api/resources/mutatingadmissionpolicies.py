"""MutatingAdmissionPolicy and its binding: changes in CEL that are made to what is written."""

from __future__ import annotations

from ktui.engine.api.declaration import Declaration
from ktui.engine.api.resources.columns import AGE, NAME, number, text
from ktui.engine.api.resources.validatingadmissionpolicies import (
    default_binding,
    default_policy,
    param_kind,
    param_ref,
)
from ktui.engine.api.validation.metadata import check_metadata, check_metadata_update
from ktui.engine.api.validation.mutating_policies import check_binding, check_policy
from ktui.kube.data import items, section, string
from ktui.kube.errors import Cause
from ktui.kube.kinds import MUTATING_ADMISSION_POLICIES, MUTATING_ADMISSION_POLICY_BINDINGS
from ktui.kube.resource import Object


def validate_policy(policy: Object) -> list[Cause]:
    return check_metadata(policy, namespaced=False) + check_policy(section(policy, "spec"))


def validate_binding(binding: Object) -> list[Cause]:
    return check_metadata(binding, namespaced=False) + check_binding(section(binding, "spec"))


DECLARATIONS = (
    Declaration(
        resource=MUTATING_ADMISSION_POLICIES,
        schema="io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicy",
        columns=(
            NAME,
            number(
                "Mutations",
                lambda policy: len(items(section(policy, "spec"), "mutations")),
                "How many mutations it has.",
            ),
            text("ParamKind", param_kind, "The kind of its parameters."),
            AGE,
        ),
        default=default_policy,
        needs_version=True,
        validate_create=validate_policy,
        validate_update=check_metadata_update,
        has_generation=True,
    ),
    Declaration(
        resource=MUTATING_ADMISSION_POLICY_BINDINGS,
        schema="io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicyBinding",
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
        validate_create=validate_binding,
        validate_update=check_metadata_update,
        has_generation=True,
    ),
)
