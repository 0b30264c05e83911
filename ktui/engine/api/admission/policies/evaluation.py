"""One policy on one request with one parameter: its conditions, its rules, what it writes into the audit log.

Variables are evaluated when a rule first needs them: one that fails matters only to the rules that name it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ktui.engine.api.admission.conditions import ConditionsError, ExpressionError, Scene
from ktui.engine.api.admission.policies.policies import ValidatingPolicy, Validation

_LONGEST_MESSAGE: Final = 5 * 1024
LONGEST_ANNOTATION: Final = 10 * 1024
_NAMED: Final = re.compile(r"\bvariables\s*\.\??\s*([_a-zA-Z][_a-zA-Z0-9]*)")


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that does not hold, or can't be evaluated where that counts as much."""

    index: int
    message: str
    reason: str = "Invalid"


@dataclass(slots=True)
class Verdict:
    """What came of it."""

    violations: list[Violation] = field(default_factory=list[Violation])
    annotations: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    errors: list[str] = field(default_factory=list[str])
    """Annotations that can't be had, where that is a refusal whatever the binding's actions are."""


class Variables:
    """The policy's variables, each evaluated once."""

    def __init__(self, expressions: dict[str, str], scene: Scene) -> None:
        self._expressions = expressions
        self._scene = scene
        self._values: dict[str, Any] = {}
        self._errors: dict[str, str] = {}

    def evaluated(self, expression: str) -> Any:
        """The value of an expression that may name variables; raises ExpressionError."""
        named = self._needed(expression)
        values = {name: self._values[name] for name in named if name in self._values}
        try:
            self._scene.set("variables", values)
            return self._scene.evaluated(expression)
        except ExpressionError as error:
            problems = [self._errors[name] for name in named if name in self._errors]
            if problems:
                raise ExpressionError(expression, problems[0]) from error
            raise

    def _needed(self, expression: str) -> list[str]:
        """The variables an expression names, evaluated; only those before it are there for a variable."""
        named = [name for name in dict.fromkeys(_NAMED.findall(expression)) if name in self._expressions]
        for name in named:
            if name in self._values or name in self._errors:
                continue
            self._errors[name] = f'composited variable "{name}" can not refer to itself'
            try:
                value = self.evaluated(self._expressions[name])
            except ExpressionError as error:
                self._errors[name] = f'composited variable "{name}" fails to evaluate: {error.problem}'
            else:
                del self._errors[name]
                self._values[name] = value
        return named


def evaluated(policy: ValidatingPolicy, scene: Scene) -> Verdict:
    """Evaluate a policy; `scene` has everything but the policy's variables."""
    try:
        if not policy.conditions.hold(scene):
            return Verdict()
    except ConditionsError as error:
        return Verdict([Violation(0, str(error))])
    variables = Variables(policy.variables, scene)
    verdict = Verdict()
    for index, validation in enumerate(policy.validations):
        try:
            value = variables.evaluated(validation.expression)
        except ExpressionError as error:
            if policy.fails_closed:
                verdict.violations.append(Violation(index, str(error)))
            continue
        if value is not True:
            verdict.violations.append(Violation(index, _message(validation, variables), validation.reason))
    _annotate(verdict, policy.annotations, variables, fails=policy.fails_closed)
    return verdict


def _message(validation: Validation, variables: Variables) -> str:
    """What the rule's expression for it says, else its message, else the rule itself."""
    if validation.message_expression:
        try:
            found = variables.evaluated(validation.message_expression)
        except ExpressionError:
            found = None
        text = found.strip() if isinstance(found, str) else ""
        if text and len(text) <= _LONGEST_MESSAGE and "\n" not in text:
            return text
    return validation.message.strip() or f"failed expression: {validation.expression.strip()}"


def _annotate(
    verdict: Verdict, annotations: Sequence[tuple[str, str]], variables: Variables, *, fails: bool
) -> None:
    for key, expression in annotations:
        try:
            value = variables.evaluated(expression)
            if value is not None and not isinstance(value, str):
                raise ExpressionError(
                    expression,
                    f"unsupported return type: {type(value).__name__}. Return type must be either string or null.",
                )
        except ExpressionError as error:
            if fails:
                verdict.errors.append(str(error))
            continue
        if value and value.strip():
            verdict.annotations.append((key, value.strip()[:LONGEST_ANNOTATION]))
