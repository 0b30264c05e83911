"""MutatingAdmissionPolicy and its binding: changes in CEL that are made to what is written."""

from __future__ import annotations

from ktui.engine.api.declaration import Declaration
from ktui.engine.api.resources.validatingadmissionpolicies import (
    binding_declaration,
    default_policy,
    policy_columns,
)
from ktui.engine.api.validation.metadata import check_metadata, check_metadata_update
from ktui.engine.api.validation.mutating_policies import check_binding, check_policy
from ktui.kube.data import section
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
        columns=policy_columns("Mutations", "mutations"),
        default=default_policy,
        needs_version=True,
        validate_create=validate_policy,
        validate_update=check_metadata_update,
        has_generation=True,
    ),
    binding_declaration(
        MUTATING_ADMISSION_POLICY_BINDINGS, "MutatingAdmissionPolicyBinding", validate_binding
    ),
)
