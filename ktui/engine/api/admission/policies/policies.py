"""The policies that are bound, ready to be matched: read from the store again only when one or a binding changed."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from ktui.engine.api.admission.base import View
from ktui.engine.api.admission.conditions import Conditions
from ktui.engine.api.admission.matching import Match
from ktui.kube.data import items, section, string, strings
from ktui.kube.kinds import VALIDATING_ADMISSION_POLICIES, VALIDATING_ADMISSION_POLICY_BINDINGS
from ktui.kube.resource import GroupVersionKind, Object
from ktui.kube.selector import SelectorError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Binding:
    """Where a policy holds, with what parameters, and what a violation leads to."""

    name: str
    match: Match | None
    """None: wherever the policy does."""
    param_ref: Object | None
    actions: Sequence[str]

    @classmethod
    def of(cls, binding: Object) -> Binding:
        spec = section(binding, "spec")
        return cls(
            string(section(binding, "metadata"), "name"),
            Match.of(section(spec, "matchResources")) if spec.get("matchResources") is not None else None,
            section(spec, "paramRef") if spec.get("paramRef") is not None else None,
            strings(spec, "validationActions"),
        )


@dataclass(frozen=True, slots=True)
class Validation:
    """One rule."""

    expression: str
    message: str
    message_expression: str
    reason: str


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy with its bindings."""

    name: str
    match: Match
    conditions: Conditions
    fails_closed: bool
    param_kind: GroupVersionKind | None
    variables: dict[str, str]
    """Expressions by name, in order."""
    validations: Sequence[Validation]
    annotations: Sequence[tuple[str, str]]
    """Keys and expressions of audit annotations."""
    bindings: Sequence[Binding]

    @classmethod
    def of(cls, policy: Object, bindings: Sequence[Binding]) -> Policy:
        spec = section(policy, "spec")
        fails = string(spec, "failurePolicy") != "Ignore"
        return cls(
            string(section(policy, "metadata"), "name"),
            Match.of(section(spec, "matchConstraints")),
            Conditions.of(items(spec, "matchConditions"), fails=fails),
            fails,
            GroupVersionKind.of(section(spec, "paramKind")) if spec.get("paramKind") else None,
            {string(each, "name"): string(each, "expression") for each in items(spec, "variables")},
            [
                Validation(
                    string(each, "expression"),
                    string(each, "message"),
                    string(each, "messageExpression"),
                    string(each, "reason") or "Invalid",
                )
                for each in items(spec, "validations")
            ],
            [
                (string(each, "key"), string(each, "valueExpression"))
                for each in items(spec, "auditAnnotations")
            ],
            bindings,
        )


class Policies:
    """All policies with at least one binding, by name."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._revision = -1
        self._policies: Sequence[Policy] = ()

    def __call__(self) -> Sequence[Policy]:
        keys = (VALIDATING_ADMISSION_POLICIES.key, VALIDATING_ADMISSION_POLICY_BINDINGS.key)
        revision = max(self._view.changed(keys[0]), self._view.changed(keys[1]))
        if revision != self._revision:
            self._policies = self._read(*keys)
            self._revision = revision
        return self._policies

    def _read(self, policies: str, bindings: str) -> list[Policy]:
        bound: dict[str, list[Binding]] = {}
        for binding in self._view.listed(bindings):
            name = string(section(binding, "spec"), "policyName")
            try:
                bound.setdefault(name, []).append(Binding.of(binding))
            except SelectorError as error:
                log.error("a binding of admission policy %s is left out: %s", name, error)
        found: list[Policy] = []
        for policy in self._view.listed(policies):
            name = string(section(policy, "metadata"), "name")
            try:
                if name in bound:
                    found.append(Policy.of(policy, bound[name]))
            except SelectorError as error:
                log.error("admission policy %s is left out: %s", name, error)
        return found
