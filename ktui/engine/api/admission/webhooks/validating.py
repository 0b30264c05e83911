"""Validating webhooks: all that are concerned are asked at once, and one refusal is enough."""

from __future__ import annotations

import asyncio

from ktui.engine.api.admission.base import Attributes, Extension, Validating
from ktui.engine.api.admission.matching import is_exempt
from ktui.engine.api.admission.webhooks.calling import CallError
from ktui.engine.api.admission.webhooks.dispatch import Dispatch, Invocation, unasked
from ktui.engine.api.admission.webhooks.hooks import Hooks
from ktui.kube.errors import StatusError
from ktui.kube.resource import Object


class ValidatingWebhooks(Validating, Extension):
    """The plugin."""

    def __init__(self, hooks: Hooks, dispatch: Dispatch) -> None:
        self._hooks = hooks
        self._dispatch = dispatch

    async def validate(self, request: Attributes, obj: Object | None, old: Object | None) -> None:
        hooks = self._hooks()
        if not hooks or is_exempt(request):
            return
        found = [await self._dispatch.invocation(hook, request, obj, old) for hook in hooks]
        invocations = [invocation for invocation in found if invocation is not None]
        verdicts = await asyncio.gather(
            *(self._refusal(index, each) for index, each in enumerate(invocations))
        )
        for refusal in verdicts:
            if refusal is not None:
                raise refusal

    async def _refusal(self, index: int, invocation: Invocation) -> StatusError | None:
        hook = invocation.hook
        try:
            await self._dispatch.ask(invocation, mutates=False)
        except StatusError as error:
            return error
        except CallError as error:
            if refusal := unasked(hook, error):
                return refusal
            key = f"failed-open.validating.webhook.admission.k8s.io/round_0_index_{index}"
            invocation.shown.request.audit[key] = hook.name
        return None
