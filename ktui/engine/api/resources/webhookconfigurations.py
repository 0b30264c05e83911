"""Webhook configurations: who is asked before an object is written, to change it or to refuse it."""

from __future__ import annotations

from collections.abc import Callable

from ktui.engine.api.declaration import Declaration
from ktui.engine.api.resources.columns import AGE, NAME, number
from ktui.engine.api.validation.admission_rules import default_rule
from ktui.engine.api.validation.metadata import check_metadata, check_metadata_update
from ktui.engine.api.validation.webhooks import check_webhooks
from ktui.kube.data import items, section
from ktui.kube.errors import Cause
from ktui.kube.kinds import MUTATING_WEBHOOK_CONFIGURATIONS, VALIDATING_WEBHOOK_CONFIGURATIONS
from ktui.kube.resource import Object, Resource


def _default_webhook(webhook: Object) -> Object:
    filled: Object = {
        **webhook,
        "failurePolicy": webhook.get("failurePolicy") or "Fail",
        "matchPolicy": webhook.get("matchPolicy") or "Equivalent",
        "namespaceSelector": webhook.get("namespaceSelector") or {},
        "objectSelector": webhook.get("objectSelector") or {},
    }
    if filled.get("timeoutSeconds") is None:
        filled["timeoutSeconds"] = 10
    if webhook.get("rules"):
        filled["rules"] = [default_rule(rule) for rule in items(webhook, "rules")]
    config = section(webhook, "clientConfig")
    service = section(config, "service")
    if service and service.get("port") is None:
        filled["clientConfig"] = {**config, "service": {**service, "port": 443}}
    return filled


def default_mutating(configuration: Object) -> Object:
    if not configuration.get("webhooks"):
        return configuration
    webhooks = [
        {**_default_webhook(webhook), "reinvocationPolicy": webhook.get("reinvocationPolicy") or "Never"}
        for webhook in items(configuration, "webhooks")
    ]
    return {**configuration, "webhooks": webhooks}


def default_validating(configuration: Object) -> Object:
    if not configuration.get("webhooks"):
        return configuration
    return {
        **configuration,
        "webhooks": [_default_webhook(each) for each in items(configuration, "webhooks")],
    }


def validate(configuration: Object) -> list[Cause]:
    return check_metadata(configuration, namespaced=False) + check_webhooks(items(configuration, "webhooks"))


def _declared(resource: Resource, default: Callable[[Object], Object]) -> Declaration:
    return Declaration(
        resource=resource,
        schema=f"io.k8s.api.admissionregistration.v1.{resource.kind}",
        columns=(
            NAME,
            number(
                "Webhooks",
                lambda found: len(items(found, "webhooks")),
                "How many webhooks it has.",
            ),
            AGE,
        ),
        default=default,
        needs_version=True,
        validate_create=validate,
        validate_update=check_metadata_update,
        has_generation=True,
    )


DECLARATIONS = (
    _declared(MUTATING_WEBHOOK_CONFIGURATIONS, default_mutating),
    _declared(VALIDATING_WEBHOOK_CONFIGURATIONS, default_validating),
)
