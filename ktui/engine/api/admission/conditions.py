"""Expressions of webhooks and policies: what they can name, and `matchConditions`, which all have to hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ktui.engine.api.admission.review import Shown
from ktui.engine.api.cel import programs as cel
from ktui.engine.api.cel.authorizer import authorizer_functions, authorizer_value
from ktui.engine.api.documents import metadata_of, with_metadata
from ktui.engine.api.request import Authorizer
from ktui.kube.data import string
from ktui.kube.resource import Object


class Scene:
    """What the expressions on one request can name, and further functions they can call."""

    def __init__(self, shown: Shown, obj: Object | None, old: Object | None, authorizer: Authorizer) -> None:
        """The scene of a request; the objects are those that are shown."""
        request = shown.request
        described = shown.described(obj)
        about = authorizer_value(
            request.resource, request.namespace, str(described.get("name") or ""), request.subresource
        )
        self._whole: Object | None = {"object": obj, "oldObject": old}
        variables: Object = {
            "object": _without_managers(obj),
            "oldObject": _without_managers(old),
            "request": described,
            "authorizer": about,
        }
        self._scope = cel.Scope(variables, authorizer_functions(authorizer, request.user))

    def set(self, name: str, value: Any) -> None:
        """Give a variable a value."""
        self._scope.set(name, value)

    def evaluated(self, expression: str) -> Any:
        """The value of an expression; raises ExpressionError."""
        if self._whole and "managedFields" in expression:
            for name, value in self._whole.items():
                self._scope.set(name, value)
            self._whole = None
        try:
            return self._scope.evaluated(cel.compiled(expression))
        except cel.CelError as error:
            raise ExpressionError(expression, str(error)) from error

    def holds(self, expression: str) -> bool:
        """Whether an expression is true; one that is neither true nor false is an error."""
        value = self.evaluated(expression)
        if not isinstance(value, bool):
            raise ExpressionError(expression, "must evaluate to bool")
        return value


def _without_managers(obj: Object | None) -> Object | None:
    """Half of many an object says who manages which field: it is made into CEL's values only for those who ask."""
    if obj is None or "managedFields" not in metadata_of(obj):
        return obj
    return with_metadata(obj, managedFields=None)


class ExpressionError(Exception):
    """An expression that can't be evaluated on this request."""

    def __init__(self, expression: str, problem: str) -> None:
        self.problem = problem
        super().__init__(f"expression '{expression.strip()}' resulted in error: {problem}")


@dataclass(frozen=True, slots=True)
class Conditions:
    """`matchConditions`, and what an error among them means."""

    expressions: Sequence[str]
    fails: bool

    @classmethod
    def of(cls, conditions: Sequence[Object], *, fails: bool) -> Conditions:
        return cls([string(condition, "expression") for condition in conditions], fails)

    def hold(self, scene: Scene) -> bool:
        """All of them; one that is false decides even where others fail. Raises ConditionsError."""
        errors: list[str] = []
        for expression in self.expressions:
            try:
                if not scene.holds(expression):
                    return False
            except ExpressionError as error:
                errors.append(str(error))
        if errors and self.fails:
            raise ConditionsError(errors)
        return not errors


class ConditionsError(Exception):
    """Conditions that can't be evaluated, where that means a refusal."""

    def __init__(self, errors: Sequence[str]) -> None:
        unique = list(dict.fromkeys(errors))
        super().__init__(unique[0] if len(unique) == 1 else f"[{', '.join(unique)}]")
