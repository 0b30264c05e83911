"""Mutating webhooks: asked one after the other, each about what the ones before it made of the object."""

from __future__ import annotations

from typing import cast

import msgspec

from ktui.engine.api.admission.base import Attributes
from ktui.engine.api.admission.mutations import Rounds, taken
from ktui.engine.api.admission.webhooks.answers import Answer
from ktui.engine.api.admission.webhooks.calling import CallError
from ktui.engine.api.admission.webhooks.dispatch import Dispatch, Invocation, unasked
from ktui.engine.api.admission.webhooks.hooks import Hook, Hooks
from ktui.engine.api.patching import json_patch
from ktui.kube.errors import internal
from ktui.kube.resource import Object


class MutatingWebhooks:
    """The webhooks as a mutator."""

    def __init__(self, hooks: Hooks, dispatch: Dispatch) -> None:
        self._hooks = hooks
        self._dispatch = dispatch

    def is_idle(self) -> bool:
        return not self._hooks()

    async def mutate(self, rounds: Rounds, request: Attributes, obj: Object, old: Object | None) -> Object:
        found = await self._pass(rounds, request, obj, old)
        assert found is not None, "webhooks don't make an object vanish"
        return found

    async def deleted(self, request: Attributes, old: Object | None) -> None:
        await self._pass(Rounds(), request, None, old)

    async def _pass(
        self, rounds: Rounds, request: Attributes, obj: Object | None, old: Object | None
    ) -> Object | None:
        """Ask all webhooks whose turn it is; the object as the last one leaves it."""
        for index, hook in enumerate(self._hooks()):
            identity = f"webhook/{hook.configuration}/{hook.name}"
            if not rounds.is_due(identity):
                continue
            invocation = await self._dispatch.invocation(hook, request, obj, old)
            if invocation is None:
                continue
            place = f"round_{rounds.number}_index_{index}"
            found = await self._asked(invocation, place, obj, old)
            if found != obj:
                obj = found
                rounds.changed()
            if hook.reinvokes:
                rounds.asked(identity)
        return obj

    async def _asked(
        self, invocation: Invocation, place: str, obj: Object | None, old: Object | None
    ) -> Object | None:
        hook, request = invocation.hook, invocation.shown.request
        try:
            answer = await self._dispatch.ask(invocation, mutates=True)
            found = await _patched(invocation, answer, obj, old)
        except CallError as error:
            if refusal := unasked(hook, error):
                raise refusal from error
            request.audit[f"failed-open.mutation.webhook.admission.k8s.io/{place}"] = hook.name
            found = obj
        request.audit[f"mutation.webhook.admission.k8s.io/{place}"] = _mutation(hook, found != obj)
        return found


def _mutation(hook: Hook, mutated: bool) -> str:
    told = {"configuration": hook.configuration, "webhook": hook.name, "mutated": mutated}
    return msgspec.json.encode(told).decode()


async def _patched(
    invocation: Invocation, answer: Answer, obj: Object | None, old: Object | None
) -> Object | None:
    """The object with the answer's patch; CallError for a patch that is none, 500 for one that does not fit."""
    operations = answer.operations
    if not operations:
        return obj
    name = invocation.hook.name
    if obj is None or invocation.obj is None:
        raise internal(
            f'admission webhook "{name}" attempted to modify the object, which is not supported for this operation'
        )
    try:
        patched = json_patch.apply(invocation.obj, operations)
    except json_patch.PatchError as error:
        raise internal(str(error)) from error
    if not isinstance(patched, dict):
        raise internal(f'admission webhook "{name}" made something of the object that is none')
    changed = await invocation.shown.inward(cast("Object", patched), obj)
    return taken(invocation.shown.request, changed, old)
