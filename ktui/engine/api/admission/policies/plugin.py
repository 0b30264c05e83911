"""The admission plugin that keeps to policies: denies, warns or notes as their bindings say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from ktui.engine.api.admission.base import Attributes, Extension, Validating, View
from ktui.engine.api.admission.conditions import Scene
from ktui.engine.api.admission.matching import Matcher, is_exempt
from ktui.engine.api.admission.policies.evaluation import Verdict, Violation, evaluated
from ktui.engine.api.admission.policies.params import Params, ParamsError
from ktui.engine.api.admission.policies.policies import Binding, Policies, Policy
from ktui.engine.api.admission.review import Shown
from ktui.engine.api.registry import Registry
from ktui.engine.api.request import Authorizer
from ktui.kube.errors import StatusError, forbidden, not_found
from ktui.kube.kinds import NAMESPACES
from ktui.kube.resource import Object

_CODES: Final = {"Unauthorized": 401, "Forbidden": 403, "RequestEntityTooLarge": 413, "Invalid": 422}
_FAILURE: Final = "validation.policy.admission.k8s.io/validation_failure"


@dataclass(frozen=True, slots=True)
class _Denial:
    """Why a request is denied, and by what."""

    policy: Policy
    binding: Binding | None
    message: str
    reason: str = "Invalid"

    def error(self, request: Attributes) -> StatusError:
        by = f"ValidatingAdmissionPolicy '{self.policy.name}'"
        if self.binding is not None:
            by += f" with binding '{self.binding.name}'"
        message = f"{by} denied request: {self.message}"
        error = forbidden(request.resource, request.name, message)
        details: Object = {**error.details, "causes": [{"message": message}]}
        code = _CODES.get(self.reason, 422)
        error.status.update(reason=self.reason, code=code, details=details)
        return error


class AdmissionPolicies(Validating, Extension):
    """The plugin."""

    def __init__(self, view: View, registry: Registry, authorizer: Authorizer) -> None:
        self._view = view
        self._policies = Policies(view)
        self._matcher = Matcher(view, registry)
        self._params = Params(view, registry)
        self._authorizer = authorizer

    async def validate(self, request: Attributes, obj: Object | None, old: Object | None) -> None:
        policies = self._policies()
        if not policies or is_exempt(request):
            return
        denials: list[_Denial] = []
        scenes: dict[str, Scene] = {}
        for policy in policies:
            denials += self._denials(policy, request, obj, old, scenes)
        if denials:
            raise denials[0].error(request)

    def _denials(
        self,
        policy: Policy,
        request: Attributes,
        obj: Object | None,
        old: Object | None,
        scenes: dict[str, Scene],
    ) -> list[_Denial]:
        """`scenes` are those made for this request already, by version."""
        resource = self._matcher.matched(policy.match, request, obj, old)
        if resource is None:
            return []
        if policy.param_kind is not None:
            try:
                self._params.check(policy.param_kind)
            except ParamsError as error:
                return _unless_ignored(policy, None, f"failed to configure policy: {error}")
        scene = scenes.get(resource.version)
        if scene is None:
            shown = Shown(request, resource)
            scene = scenes[resource.version] = Scene(
                shown, shown.outward(obj), shown.outward(old), self._authorizer
            )
            scene.set("namespaceObject", self._namespace(request))
        denials: list[_Denial] = []
        notes: dict[str, list[str]] = {}
        for binding in policy.bindings:
            if binding.match is not None and self._matcher.matched(binding.match, request, obj, old) is None:
                continue
            try:
                params = self._params.found(policy.param_kind, binding.param_ref, request.namespace)
            except ParamsError as error:
                denials += _unless_ignored(policy, binding, f"failed to configure binding: {error}")
                continue
            for param in params:
                scene.set("params", param)
                verdict = evaluated(policy, scene)
                denials += _consequences(policy, binding, request, verdict)
                for key, value in verdict.annotations:
                    known = notes.setdefault(key, [])
                    known += [value] if value not in known else []
        for key, values in notes.items():
            request.audit[f"{policy.name}/{key}"] = ", ".join(values)
        return denials

    def _namespace(self, request: Attributes) -> Object | None:
        """The object's namespace as expressions see it."""
        if not request.namespace or request.resource.key == NAMESPACES.key:
            return None
        found = self._view.lookup(NAMESPACES.key, "", request.namespace)
        if found is None:
            raise not_found(NAMESPACES, request.namespace)
        metadata: Object = found["metadata"]
        return {**found, "metadata": {k: v for k, v in metadata.items() if k != "managedFields"}}


def _unless_ignored(policy: Policy, binding: Binding | None, message: str) -> list[_Denial]:
    return [_Denial(policy, binding, message)] if policy.fails_closed else []


def _consequences(policy: Policy, binding: Binding, request: Attributes, verdict: Verdict) -> list[_Denial]:
    """What the violations lead to: warnings and notes at once, denials for the caller."""
    denials = [_Denial(policy, binding, error) for error in verdict.errors]
    for violation in verdict.violations:
        if "Deny" in binding.actions:
            denials.append(_Denial(policy, binding, violation.message, violation.reason))
        if "Audit" in binding.actions:
            request.audit[_FAILURE] = _note(policy, binding, violation)
        if "Warn" in binding.actions:
            request.warn(
                f"Validation failed for ValidatingAdmissionPolicy '{policy.name}' with binding '{binding.name}': "
                f"{violation.message}"
            )
    return denials


def _note(policy: Policy, binding: Binding, violation: Violation) -> str:
    told = {
        "message": violation.message,
        "policy": policy.name,
        "binding": binding.name,
        "expressionIndex": violation.index,
        "validationActions": list(binding.actions),
    }
    return msgspec.json.encode([told]).decode()
