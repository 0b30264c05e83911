"""PodDisruptionBudget: how many of its pods an eviction may take away at a time."""

from __future__ import annotations

from typing import Any

from ktui.engine.api.declaration import Declaration
from ktui.engine.api.resources.columns import AGE, NAME, number, text
from ktui.engine.api.resources.strategy import keep_status, status_and_metadata, without_status
from ktui.engine.api.validation.fields import invalid, unsupported
from ktui.engine.api.validation.metadata import check_metadata, check_metadata_update
from ktui.engine.api.validation.selectors import check_label_selector
from ktui.kube import names
from ktui.kube.data import section
from ktui.kube.errors import Cause
from ktui.kube.intorstring import percent_of
from ktui.kube.kinds import POD_DISRUPTION_BUDGETS
from ktui.kube.resource import Object

_POLICIES = ("AlwaysAllow", "IfHealthyBudget")


def validate(budget: Object) -> list[Cause]:
    spec = section(budget, "spec")
    causes = check_metadata(budget, namespaced=True)
    if spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None:
        causes.append(invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set"))
    for name in ("minAvailable", "maxUnavailable"):
        causes += _amount(spec.get(name), f"spec.{name}")
    policy = spec.get("unhealthyPodEvictionPolicy")
    if policy is not None and policy not in _POLICIES:
        causes.append(unsupported("spec.unhealthyPodEvictionPolicy", policy, _POLICIES))
    return causes + check_label_selector(spec.get("selector"), "spec.selector")


def _amount(value: Any, path: str) -> list[Cause]:
    if value is None:
        return []
    if isinstance(value, int):
        return [] if value >= 0 else [invalid(path, value, names.NON_NEGATIVE)]
    share = percent_of(value)
    if share is None:
        return [invalid(path, value, problem) for problem in names.percent(value)]
    return [] if share <= 100 else [invalid(path, value, "must not be greater than 100%")]


def _wanted(budget: Object, name: str) -> str:
    value = section(budget, "spec").get(name)
    return "N/A" if value is None else str(value)


DECLARATIONS = (
    Declaration(
        resource=POD_DISRUPTION_BUDGETS,
        schema="io.k8s.api.policy.v1.PodDisruptionBudget",
        columns=(
            NAME,
            text("Min Available", lambda found: _wanted(found, "minAvailable"), "Pods that have to stay."),
            text(
                "Max Unavailable", lambda found: _wanted(found, "maxUnavailable"), "Pods that may be missing."
            ),
            number(
                "Allowed Disruptions",
                lambda found: section(found, "status").get("disruptionsAllowed"),
                "Pods that may be evicted now.",
            ),
            AGE,
        ),
        prepare_create=without_status,
        prepare_update=keep_status,
        prepare_status=status_and_metadata,
        needs_version=True,
        validate_create=validate,
        validate_update=check_metadata_update,
        has_status=True,
        has_generation=True,
    ),
)
