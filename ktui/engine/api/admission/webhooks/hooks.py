"""The webhooks that are configured, ready to be matched: read from the store again only when one has changed."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ktui.engine.api.admission.base import View
from ktui.engine.api.admission.conditions import Conditions
from ktui.engine.api.admission.matching import Match
from ktui.engine.api.validation.webhooks import REVIEW_VERSIONS
from ktui.kube.data import items, section, string, strings
from ktui.kube.resource import Object, Resource
from ktui.kube.selector import SelectorError

log = logging.getLogger(__name__)

_SAFE: Final = ("None", "NoneOnDryRun")


@dataclass(frozen=True, slots=True)
class Hook:
    """One webhook."""

    name: str
    configuration: str
    match: Match
    conditions: Conditions
    fails_closed: bool
    reinvokes: bool
    seconds: int
    allows_dry_run: bool
    review_version: str
    client_config: Object

    @classmethod
    def of(cls, configuration: str, webhook: Object) -> Hook:
        fails = string(webhook, "failurePolicy") != "Ignore"
        versions = [
            version for version in strings(webhook, "admissionReviewVersions") if version in REVIEW_VERSIONS
        ]
        return cls(
            string(webhook, "name"),
            configuration,
            Match.of(webhook, "rules"),
            Conditions.of(items(webhook, "matchConditions"), fails=fails),
            fails,
            string(webhook, "reinvocationPolicy") == "IfNeeded",
            int(webhook.get("timeoutSeconds") or 10),
            webhook.get("sideEffects") in _SAFE,
            versions[0] if versions else "v1",
            section(webhook, "clientConfig"),
        )


class Hooks:
    """All webhooks of one kind of configuration, in the order in which they are called."""

    def __init__(self, view: View, resource: Resource) -> None:
        self._view = view
        self._key = resource.key
        self._revision = -1
        self._hooks: Sequence[Hook] = ()

    def __call__(self) -> Sequence[Hook]:
        revision = self._view.changed(self._key)
        if revision != self._revision:
            self._hooks = self._read()
            self._revision = revision
        return self._hooks

    def _read(self) -> list[Hook]:
        found: list[Hook] = []
        for configuration in self._view.listed(self._key):
            name = string(section(configuration, "metadata"), "name")
            for webhook in items(configuration, "webhooks"):
                try:
                    found.append(Hook.of(name, webhook))
                except SelectorError as error:
                    log.error("webhook %s of %s is left out: %s", webhook.get("name"), name, error)
        return found
