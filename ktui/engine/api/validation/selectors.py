"""Rules for label selectors, and for their agreement with the labels of a template."""

from __future__ import annotations

from typing import Any

from ktui.engine.api.validation.fields import each_invalid, forbidden, invalid, required
from ktui.engine.api.validation.metadata import check_labels
from ktui.kube import names
from ktui.kube.errors import Cause
from ktui.kube.resource import Object


def check_label_selector(selector: Object | None, path: str) -> list[Cause]:
    """A LabelSelector: keys, operators, and the values that each operator needs or refuses."""
    if not selector:
        return []
    causes = check_labels(selector.get("matchLabels"), f"{path}.matchLabels")
    expressions: list[dict[str, Any]] = selector.get("matchExpressions") or []
    for index, expression in enumerate(expressions):
        at = f"{path}.matchExpressions[{index}]"
        key: str = expression.get("key") or ""
        values: list[str] = expression.get("values") or []
        match expression.get("operator") or "":
            case "In" | "NotIn":
                if not values:
                    causes.append(
                        required(f"{at}.values", "must be specified when `operator` is 'In' or 'NotIn'")
                    )
            case "Exists" | "DoesNotExist":
                if values:
                    causes.append(
                        forbidden(
                            f"{at}.values",
                            "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
                        )
                    )
            case operator:
                causes.append(invalid(f"{at}.operator", operator, "not a valid selector operator"))
        causes += each_invalid(f"{at}.key", key, names.qualified_name(key))
        for position, value in enumerate(values):
            causes += each_invalid(f"{at}.values[{position}]", value, names.label_value(value))
    return causes


def is_empty(selector: Object | None) -> bool:
    return not selector or not (selector.get("matchLabels") or selector.get("matchExpressions"))
