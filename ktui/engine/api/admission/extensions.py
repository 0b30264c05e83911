"""The plugins that objects of the cluster configure, in the order they run: policies and webhooks that change,
policies, then webhooks that refuse. They stand after the built-in plugins, and before quotas are charged."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ktui.engine.api.admission.base import Plugin, View
from ktui.engine.api.admission.chain import BUILT_IN, Admission
from ktui.engine.api.admission.mutations import Mutations
from ktui.engine.api.admission.policies.mutating import MutatingPolicies
from ktui.engine.api.admission.policies.validating import ValidatingPolicies
from ktui.engine.api.admission.webhooks.calling import WebhookCaller
from ktui.engine.api.admission.webhooks.dispatch import Dispatch
from ktui.engine.api.admission.webhooks.hooks import Hooks
from ktui.engine.api.admission.webhooks.mutating import MutatingWebhooks
from ktui.engine.api.admission.webhooks.validating import ValidatingWebhooks
from ktui.engine.api.registry import Registry
from ktui.engine.api.request import Authorizer
from ktui.kube.kinds import MUTATING_WEBHOOK_CONFIGURATIONS, VALIDATING_WEBHOOK_CONFIGURATIONS


def extensions(
    registry: Registry, authorizer: Authorizer, caller: WebhookCaller
) -> Sequence[Callable[[View], Plugin]]:
    """All of them, as `Admission` takes plugins."""

    def dispatch(view: View) -> Dispatch:
        return Dispatch(view, registry, authorizer, caller)

    def mutating(view: View) -> Plugin:
        hooks = Hooks(view, MUTATING_WEBHOOK_CONFIGURATIONS)
        policies = MutatingPolicies(view, registry, authorizer)
        webhooks = MutatingWebhooks(hooks, dispatch(view))
        return Mutations((policies, webhooks), Admission(view, BUILT_IN).admit)

    def validating(view: View) -> Plugin:
        return ValidatingWebhooks(Hooks(view, VALIDATING_WEBHOOK_CONFIGURATIONS), dispatch(view))

    def policies(view: View) -> Plugin:
        return ValidatingPolicies(view, registry, authorizer)

    return (mutating, policies, validating)
