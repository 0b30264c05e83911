"""What mutating and validating webhooks share: who is asked, the question, and what an answer leaves behind."""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass

from ktui.engine.api.admission.base import Attributes, View
from ktui.engine.api.admission.conditions import ConditionsError, Scene
from ktui.engine.api.admission.matching import Matcher
from ktui.engine.api.admission.review import Shown
from ktui.engine.api.admission.webhooks.answers import Answer, denied, failed, not_on_dry_run, verified
from ktui.engine.api.admission.webhooks.calling import CallError, WebhookCaller
from ktui.engine.api.admission.webhooks.hooks import Hook
from ktui.engine.api.registry import Registry
from ktui.engine.api.request import Authorizer
from ktui.kube.errors import StatusError, forbidden
from ktui.kube.resource import Object, Resource

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Invocation:
    """A webhook to be asked, and the request as it is shown to it."""

    hook: Hook
    shown: Shown
    obj: Object | None
    old: Object | None


class Dispatch:
    """Asks webhooks about requests."""

    def __init__(self, view: View, registry: Registry, authorizer: Authorizer, caller: WebhookCaller) -> None:
        self._matcher = Matcher(view, registry)
        self._authorizer = authorizer
        self._caller = caller

    async def invocation(
        self, hook: Hook, request: Attributes, obj: Object | None, old: Object | None
    ) -> Invocation | None:
        """How the webhook is asked, or None if the request is none of its business."""
        declaration = self._matcher.matched(hook.match, request, obj, old)
        if declaration is None:
            return None
        shown = Shown(request, declaration)
        found = Invocation(hook, shown, await shown.outward(obj), await shown.outward(old))
        return found if self._conditions_hold(found, request, declaration.resource) else None

    def _conditions_hold(self, invocation: Invocation, request: Attributes, resource: Resource) -> bool:
        conditions = invocation.hook.conditions
        if not conditions.expressions:
            return True
        scene = Scene(invocation.shown, invocation.obj, invocation.old, self._authorizer)
        try:
            return conditions.hold(scene)
        except ConditionsError as error:
            raise forbidden(resource, request.name, str(error)) from error

    async def ask(self, invocation: Invocation, *, mutates: bool) -> Answer:
        """The webhook's answer, which lets the request pass; raises StatusError for a refusal, CallError if the
        webhook can't be asked."""
        hook, shown = invocation.hook, invocation.shown
        request = shown.request
        if request.dry_run and not hook.allows_dry_run:
            raise not_on_dry_run(hook.name)
        uid = str(uuid.uuid4())
        asked = {
            "uid": uid,
            **shown.described(invocation.obj),
            "object": invocation.obj,
            "oldObject": invocation.old,
        }
        review: Object = {
            "kind": "AdmissionReview",
            "apiVersion": f"admission.k8s.io/{hook.review_version}",
            "request": asked,
        }
        try:
            reply = await self._caller.call(hook, review)
        except CallError as error:
            raise CallError(f"failed to call webhook: {error}") from error
        answer = verified(reply, uid, hook.review_version, mutates=mutates)
        for key, value in (answer.audit_annotations or {}).items():
            request.audit[f"{hook.name}/{key}"] = value
        for warning in answer.warnings or ():
            request.warn(warning)
        if not answer.allowed:
            raise denied(hook.name, answer.status)
        return answer


def unasked(hook: Hook, error: CallError) -> StatusError | None:
    """What a webhook that can't be asked means: a refusal, or nothing but a line in the log."""
    if hook.fails_closed:
        return failed(hook.name, error)
    log.warning("failed calling webhook %s, failing open: %s", hook.name, error)
    return None
