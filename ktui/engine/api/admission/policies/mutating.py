"""MutatingAdmissionPolicies: what their expressions make is merged into the object, or patches it.

Policies change the object one after the other; each sees what the ones before it made of it, but which of them a
request meets is decided by the object as it came.
"""

from __future__ import annotations

from typing import Any, cast

from ktui.engine.api.admission.base import Attributes, View
from ktui.engine.api.admission.conditions import ConditionsError, ExpressionError, Scene
from ktui.engine.api.admission.mutations import Rounds, taken
from ktui.engine.api.admission.policies.evaluation import Variables
from ktui.engine.api.admission.policies.invocations import Failure, Invocation, Invocations
from ktui.engine.api.admission.policies.merging import MergeError, applied
from ktui.engine.api.admission.policies.policies import MutatingPolicy, Mutation, Policies
from ktui.engine.api.admission.review import Shown
from ktui.engine.api.cel.programs import CelError
from ktui.engine.api.cel.results import mismatches, plain
from ktui.engine.api.documents import metadata_of
from ktui.engine.api.patching import json_patch
from ktui.engine.api.registry import Registry
from ktui.engine.api.request import Authorizer
from ktui.kube.errors import StatusError, forbidden
from ktui.kube.kinds import MUTATING_ADMISSION_POLICIES, MUTATING_ADMISSION_POLICY_BINDINGS
from ktui.kube.resource import Object


class MutationError(Exception):
    """A mutation that can't be made of this object; what that means is the policy's failurePolicy."""


class MutatingPolicies:
    """The policies as a mutator."""

    def __init__(self, view: View, registry: Registry, authorizer: Authorizer) -> None:
        self._policies = Policies(
            view,
            MUTATING_ADMISSION_POLICIES,
            MUTATING_ADMISSION_POLICY_BINDINGS,
            MutatingPolicy.of,
        )
        self._invocations = Invocations(view, registry, authorizer)

    def is_idle(self) -> bool:
        return not self._policies()

    async def deleted(self, request: Attributes, old: Object | None) -> None:
        """Of no concern here."""

    async def mutate(self, rounds: Rounds, request: Attributes, obj: Object, old: Object | None) -> Object:
        failures: list[Failure] = []
        for each in self._invocations.found(self._policies(), request, obj, old):
            if isinstance(each, Failure):
                failures.append(each)
                continue
            policy = each.policy
            identity = f"policy/{policy.name}/{each.binding.name}/{_name(each.param)}"
            if not rounds.is_due(identity):
                continue
            found, is_meant = await self._invoked(each, request, obj, old, failures)
            if found != obj:
                obj = found
                rounds.changed()
            if policy.reinvokes and is_meant:
                rounds.asked(identity)
        if failures:
            raise _refused(failures, request)
        return obj

    async def _invoked(
        self,
        invocation: Invocation[MutatingPolicy],
        request: Attributes,
        obj: Object,
        old: Object | None,
        failures: list[Failure],
    ) -> tuple[Object, bool]:
        """The object with all mutations of a policy, and whether the policy's conditions hold at all."""
        policy, shown = invocation.policy, Shown(request, invocation.declaration)
        scene = await self._scene(shown, invocation, obj, old)
        try:
            if not policy.conditions.hold(scene):
                return obj, False
        except ConditionsError as error:
            failures.append(Failure(policy, invocation.binding, str(error)))
            return obj, False
        for index, mutation in enumerate(policy.mutations):
            if index:
                scene = await self._scene(shown, invocation, obj, old)
            try:
                now = await shown.outward(obj)
                made = _mutated(mutation, Variables(policy.variables, scene), shown, now or {})
                strict = mutation.is_json_patch
                if made is not now:
                    obj = taken(request, await shown.inward(made, obj), old, strict=strict)
            except (MutationError, ExpressionError) as error:
                if policy.fails_closed:
                    failures.append(Failure(policy, invocation.binding, str(error)))
        return obj, True

    async def _scene(
        self, shown: Shown, invocation: Invocation[MutatingPolicy], obj: Object, old: Object | None
    ) -> Scene:
        scene = await self._invocations.scene(shown, obj, old)
        scene.set("params", invocation.param)
        return scene


def _mutated(mutation: Mutation, variables: Variables, shown: Shown, obj: Object) -> Object:
    """The object, as it is shown, with one mutation; the very same if nothing is to be changed."""
    value = variables.evaluated(mutation.expression)
    if problems := mismatches(mutation.expression):
        raise MutationError(f"type mismatch: {problems[0]}")
    try:
        made = plain(value)
    except CelError as error:
        raise MutationError(
            f"expression '{mutation.expression.strip()}' resulted in error: {error}"
        ) from error
    if mutation.is_json_patch:
        return _patched(made, obj)
    if not isinstance(made, dict):
        raise MutationError(f"invalid return type: {type(made).__name__}")
    try:
        return applied(shown, obj, cast("Object", made))
    except MergeError as error:
        raise MutationError(f"error applying patch: {error}") from error


def _patched(operations: Any, obj: Object) -> Object:
    if not isinstance(operations, list):
        raise MutationError("type mismatch: JSONPatchType.expression should evaluate to array")
    try:
        made = json_patch.apply(obj, cast("list[Any]", operations))
    except json_patch.TestFailedError:
        return obj
    except json_patch.PatchError as error:
        raise MutationError(f"JSON Patch: {error}") from error
    if not isinstance(made, dict):
        raise MutationError("JSON Patch: what it makes is no object")
    return cast("Object", made)


def _name(param: Object | None) -> str:
    if param is None:
        return ""
    metadata = metadata_of(param)
    return f"{metadata.get('namespace') or ''}/{metadata.get('name')}"


def _refused(failures: list[Failure], request: Attributes) -> StatusError:
    """403 with the first failure's message, and all of them as causes."""
    messages = [
        f"policy '{each.policy.name}' with binding '{each.binding.name}' denied request: {each.message}"
        if each.binding
        else f'policy "{each.policy.name}" denied request: {each.message}'
        for each in failures
    ]
    error = forbidden(request.resource, request.name, "admission request denied by policy")
    details: Object = {**error.details, "causes": [{"message": message} for message in messages]}
    return StatusError(
        {**error.status, "message": messages[0], "reason": failures[0].reason, "details": details}
    )
