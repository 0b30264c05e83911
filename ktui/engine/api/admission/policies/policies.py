"""The policies that are bound, ready to be matched: read from the store again only when one or a binding changed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from ktui.engine.api.admission.base import View
from ktui.engine.api.admission.conditions import Conditions
from ktui.engine.api.admission.matching import Match
from ktui.kube.data import items, section, string, strings
from ktui.kube.kinds import MUTATING_ADMISSION_POLICIES, VALIDATING_ADMISSION_POLICIES
from ktui.kube.resource import GroupVersionKind, Object, Resource
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
class Policy:
    """What every policy has, with its bindings."""

    kind: str
    name: str
    match: Match
    conditions: Conditions
    fails_closed: bool
    param_kind: GroupVersionKind | None
    variables: dict[str, str]
    """Expressions by name, in order."""
    bindings: Sequence[Binding]


@dataclass(frozen=True, slots=True)
class Validation:
    """One rule."""

    expression: str
    message: str
    message_expression: str
    reason: str


@dataclass(frozen=True, slots=True)
class ValidatingPolicy(Policy):
    """Rules that requests have to keep."""

    validations: Sequence[Validation]
    annotations: Sequence[tuple[str, str]]
    """Keys and expressions of audit annotations."""

    @classmethod
    def of(cls, policy: Object, bindings: Sequence[Binding]) -> ValidatingPolicy:
        spec = section(policy, "spec")
        return cls(
            *_common(policy, VALIDATING_ADMISSION_POLICIES.kind, bindings),
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
        )


@dataclass(frozen=True, slots=True)
class Mutation:
    """One change: an expression for an object to be merged in, or for JSON patch operations."""

    is_json_patch: bool
    expression: str


@dataclass(frozen=True, slots=True)
class MutatingPolicy(Policy):
    """Changes made to objects."""

    mutations: Sequence[Mutation]
    reinvokes: bool

    @classmethod
    def of(cls, policy: Object, bindings: Sequence[Binding]) -> MutatingPolicy:
        spec = section(policy, "spec")
        return cls(
            *_common(policy, MUTATING_ADMISSION_POLICIES.kind, bindings),
            [_mutation(each) for each in items(spec, "mutations")],
            string(spec, "reinvocationPolicy") == "IfNeeded",
        )


def _common(
    policy: Object, kind: str, bindings: Sequence[Binding]
) -> tuple[str, str, Match, Conditions, bool, GroupVersionKind | None, dict[str, str], Sequence[Binding]]:
    spec = section(policy, "spec")
    fails = string(spec, "failurePolicy") != "Ignore"
    return (
        kind,
        string(section(policy, "metadata"), "name"),
        Match.of(section(spec, "matchConstraints")),
        Conditions.of(items(spec, "matchConditions"), fails=fails),
        fails,
        GroupVersionKind.of(section(spec, "paramKind")) if spec.get("paramKind") else None,
        {string(each, "name"): string(each, "expression") for each in items(spec, "variables")},
        bindings,
    )


def _mutation(mutation: Object) -> Mutation:
    is_json_patch = string(mutation, "patchType") == "JSONPatch"
    field = "jsonPatch" if is_json_patch else "applyConfiguration"
    return Mutation(is_json_patch, string(section(mutation, field), "expression"))


P = TypeVar("P", bound=Policy)


class Policies(Generic[P]):
    """All policies of one kind with at least one binding, by name."""

    def __init__(
        self, view: View, policies: Resource, bindings: Resource, of: Callable[[Object, Sequence[Binding]], P]
    ) -> None:
        self._view = view
        self._keys = (policies.key, bindings.key)
        self._of = of
        self._revision = -1
        self._policies: Sequence[P] = ()

    def __call__(self) -> Sequence[P]:
        revision = max(self._view.changed(key) for key in self._keys)
        if revision != self._revision:
            self._policies = self._read(*self._keys)
            self._revision = revision
        return self._policies

    def _read(self, policies: str, bindings: str) -> list[P]:
        bound: dict[str, list[Binding]] = {}
        for binding in self._view.listed(bindings):
            name = string(section(binding, "spec"), "policyName")
            try:
                bound.setdefault(name, []).append(Binding.of(binding))
            except SelectorError as error:
                log.error("a binding of admission policy %s is left out: %s", name, error)
        found: list[P] = []
        for policy in self._view.listed(policies):
            name = string(section(policy, "metadata"), "name")
            try:
                if name in bound:
                    found.append(self._of(policy, bound[name]))
            except SelectorError as error:
                log.error("admission policy %s is left out: %s", name, error)
        return found
