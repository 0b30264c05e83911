"""The admission plugin that keeps to ValidatingAdmissionPolicies: denies, warns or notes as their bindings say."""

from __future__ import annotations

from typing import Final

import msgspec

from ktui.engine.api.admission.base import Attributes, Extension, Validating, View
from ktui.engine.api.admission.conditions import Scene
from ktui.engine.api.admission.matching import is_exempt
from ktui.engine.api.admission.policies.evaluation import Verdict, Violation, evaluated
from ktui.engine.api.admission.policies.invocations import Failure, Invocations
from ktui.engine.api.admission.policies.policies import Binding, Policies, ValidatingPolicy
from ktui.engine.api.admission.review import Shown
from ktui.engine.api.registry import Registry
from ktui.engine.api.request import Authorizer
from ktui.kube.errors import StatusError, forbidden
from ktui.kube.kinds import VALIDATING_ADMISSION_POLICIES, VALIDATING_ADMISSION_POLICY_BINDINGS
from ktui.kube.resource import Object

_CODES: Final = {"Unauthorized": 401, "Forbidden": 403, "RequestEntityTooLarge": 413, "Invalid": 422}
_FAILURE: Final = "validation.policy.admission.k8s.io/validation_failure"


class ValidatingPolicies(Validating, Extension):
    """The plugin."""

    def __init__(self, view: View, registry: Registry, authorizer: Authorizer) -> None:
        self._policies = Policies(
            view,
            VALIDATING_ADMISSION_POLICIES,
            VALIDATING_ADMISSION_POLICY_BINDINGS,
            ValidatingPolicy.of,
        )
        self._invocations = Invocations(view, registry, authorizer)

    async def validate(self, request: Attributes, obj: Object | None, old: Object | None) -> None:
        policies = self._policies()
        if not policies or is_exempt(request):
            return
        denials: list[Failure] = []
        notes: dict[str, list[str]] = {}
        scenes: dict[str, Scene] = {}
        for each in self._invocations.found(policies, request, obj, old):
            if isinstance(each, Failure):
                denials.append(each)
                continue
            version = each.declaration.resource.version
            if version not in scenes:
                shown = Shown(request, each.declaration)
                scenes[version] = await self._invocations.scene(shown, obj, old)
            scenes[version].set("params", each.param)
            verdict = evaluated(each.policy, scenes[version])
            denials += _consequences(each.policy, each.binding, request, verdict)
            for key, value in verdict.annotations:
                known = notes.setdefault(f"{each.policy.name}/{key}", [])
                known += [value] if value not in known else []
        for key, values in notes.items():
            request.audit[key] = ", ".join(values)
        if denials:
            raise _refused(denials[0], request)


def _refused(denial: Failure, request: Attributes) -> StatusError:
    by = f"ValidatingAdmissionPolicy '{denial.policy.name}'"
    if denial.binding is not None:
        by += f" with binding '{denial.binding.name}'"
    message = f"{by} denied request: {denial.message}"
    error = forbidden(request.resource, request.name, message)
    details: Object = {**error.details, "causes": [{"message": message}]}
    code = _CODES.get(denial.reason, 422)
    error.status.update(reason=denial.reason, code=code, details=details)
    return error


def _consequences(
    policy: ValidatingPolicy, binding: Binding, request: Attributes, verdict: Verdict
) -> list[Failure]:
    """What the violations lead to: warnings and notes at once, denials for the caller."""
    denials = [Failure(policy, binding, error) for error in verdict.errors]
    for violation in verdict.violations:
        if "Deny" in binding.actions:
            denials.append(Failure(policy, binding, violation.message, violation.reason))
        if "Audit" in binding.actions:
            request.audit[_FAILURE] = _note(policy, binding, violation)
        if "Warn" in binding.actions:
            request.warn(
                f"Validation failed for ValidatingAdmissionPolicy '{policy.name}' with binding '{binding.name}': "
                f"{violation.message}"
            )
    return denials


def _note(policy: ValidatingPolicy, binding: Binding, violation: Violation) -> str:
    told = {
        "message": violation.message,
        "policy": policy.name,
        "binding": binding.name,
        "expressionIndex": violation.index,
        "validationActions": list(binding.actions),
    }
    return msgspec.json.encode([told]).decode()
