"""Mutating webhooks: asked one after the other, each about what the ones before it made of the object.

What a webhook changed is decoded and filled in as a client's body is. When any has changed the object, the
built-in plugins run again, and webhooks with reinvocationPolicy IfNeeded that have not seen the last change are
asked once more.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import cast

import msgspec

from ktui.engine.api.admission.base import Attributes, Extension
from ktui.engine.api.admission.matching import is_exempt
from ktui.engine.api.admission.webhooks.answers import Answer
from ktui.engine.api.admission.webhooks.calling import CallError
from ktui.engine.api.admission.webhooks.dispatch import Dispatch, Invocation, unasked
from ktui.engine.api.admission.webhooks.hooks import Hook, Hooks
from ktui.engine.api.patching import json_patch
from ktui.engine.api.validation.structure import validate_schema
from ktui.kube.errors import internal
from ktui.kube.resource import Object

Admit = Callable[[Attributes, Object, Object | None], Awaitable[Object]]


@dataclass(slots=True)
class _Round:
    """One pass over all webhooks, and who has to be asked again because of it."""

    number: int = 0
    asked: set[str] = field(default_factory=set[str])
    """Webhooks that want to hear of later changes and have seen the object as it is now."""
    outdated: set[str] = field(default_factory=set[str])
    """Those that have not."""
    has_changed: bool = False

    def changed(self) -> None:
        self.has_changed = True
        self.outdated |= self.asked
        self.asked = set()


class MutatingWebhooks(Extension):
    """The plugin; `again` runs the built-in plugins that stand before it."""

    def __init__(self, hooks: Hooks, dispatch: Dispatch, again: Admit) -> None:
        self._hooks = hooks
        self._dispatch = dispatch
        self._again = again

    async def admit(self, request: Attributes, obj: Object, old: Object | None) -> Object:
        hooks = self._hooks()
        if not hooks or is_exempt(request):
            return obj
        first = _Round()
        seen = await self._pass(first, None, request, obj, old)
        if not first.has_changed or seen is None:
            return obj
        found = seen if request.kind is not None else await self._again(request, seen, old)
        if found != seen:
            first.changed()
        second = await self._pass(_Round(1), first.outdated, request, found, old) if first.outdated else found
        return found if second is None else second

    async def validate(self, request: Attributes, obj: Object | None, old: Object | None) -> None:
        """Mutating webhooks are told of deletions, too, in which there is nothing to change."""
        if obj is None and request.operation == "DELETE" and self._hooks() and not is_exempt(request):
            await self._pass(_Round(), None, request, None, old)

    async def _pass(
        self,
        current: _Round,
        only: set[str] | None,
        request: Attributes,
        obj: Object | None,
        old: Object | None,
    ) -> Object | None:
        """Ask all webhooks, or `only` those; the object as the last one leaves it."""
        for index, hook in enumerate(self._hooks()):
            identity = f"{hook.configuration}/{hook.name}"
            if only is not None and identity not in only:
                continue
            invocation = self._dispatch.invocation(hook, request, obj, old)
            if invocation is None:
                continue
            place = f"round_{current.number}_index_{index}"
            found = await self._asked(invocation, place, obj, old)
            if found != obj:
                obj = found
                current.changed()
            if hook.reinvokes:
                current.asked.add(identity)
        return obj

    async def _asked(
        self, invocation: Invocation, place: str, obj: Object | None, old: Object | None
    ) -> Object | None:
        hook, request = invocation.hook, invocation.shown.request
        try:
            answer = await self._dispatch.ask(invocation, mutates=True)
            found = _patched(invocation, answer, obj, old)
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


def _patched(invocation: Invocation, answer: Answer, obj: Object | None, old: Object | None) -> Object | None:
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
    changed = invocation.shown.inward(cast("Object", patched), obj)
    return _taken(invocation.shown.request, changed, old)


def _taken(request: Attributes, obj: Object, old: Object | None) -> Object:
    """What a webhook made of an object, read as a client's body is: decoded, filled in, prepared."""
    if request.kind is not None:
        return obj
    declaration = request.declaration
    custom = declaration.custom
    report = custom.decode(obj) if custom else validate_schema(declaration.schema, obj)
    if report.causes:
        raise internal("; ".join(cause.message for cause in report.causes))
    found = declaration.default(report.object)
    if old is None:
        return found
    if request.subresource == "status":
        return declaration.prepare_status(found, old)
    return found if request.subresource else declaration.prepare_update(found, old)
