"""Rules for the policies of a Job: which failures of pods count, and what makes it succeed early."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ktui.engine.api.validation.fields import (
    duplicate,
    each_invalid,
    invalid,
    non_negative,
    required,
    too_long,
    too_many,
    unsupported,
)
from ktui.kube import names
from ktui.kube.data import items, section, string
from ktui.kube.errors import Cause
from ktui.kube.index_ranges import IndexRangeError, IndexRanges
from ktui.kube.resource import Object

_MOST_RULES: Final = 20
_MOST_CODES: Final = 255
_MOST_PATTERNS: Final = 20
_LONGEST_INDEXES: Final = 64 * 1024
_ACTIONS: Final = ("Count", "FailIndex", "FailJob", "Ignore")
_OPERATORS: Final = ("In", "NotIn")
_STATUSES: Final = ("False", "True", "Unknown")
_REPLACEMENTS: Final = ("Failed", "TerminatingOrFailed")


def check_pod_failure_policy(spec: Object, path: str) -> list[Cause]:
    """`podFailurePolicy` of a Job's spec."""
    rules = items(section(spec, "podFailurePolicy"), "rules")
    causes = [too_many(f"{path}.rules", len(rules), _MOST_RULES)] if len(rules) > _MOST_RULES else []
    pod = section(spec, "template", "spec")
    containers = {string(each, "name") for each in items(pod, "containers") + items(pod, "initContainers")}
    for index, rule in enumerate(rules):
        causes += _failure_rule(spec, rule, f"{path}.rules[{index}]", containers)
    return causes


def _failure_rule(spec: Object, rule: Object, path: str, containers: set[str]) -> list[Cause]:
    causes = _choice(f"{path}.action", string(rule, "action"), _ACTIONS)
    if rule.get("action") == "FailIndex" and spec.get("backoffLimitPerIndex") is None:
        causes.append(invalid(f"{path}.action", "FailIndex", "requires the backoffLimitPerIndex to be set"))
    codes: Object | None = rule.get("onExitCodes")
    patterns = items(rule, "onPodConditions")
    if codes is not None:
        causes += _exit_codes(codes, f"{path}.onExitCodes", containers)
    causes += _conditions(patterns, f"{path}.onPodConditions")
    if codes is not None and patterns:
        causes.append(_wrong(path, "specifying both OnExitCodes and OnPodConditions is not supported"))
    if codes is None and not patterns:
        causes.append(_wrong(path, "specifying one of OnExitCodes and OnPodConditions is required"))
    return causes


def _exit_codes(codes: Object, path: str, containers: set[str]) -> list[Cause]:
    operator = string(codes, "operator")
    causes = _choice(f"{path}.operator", operator, _OPERATORS)
    container = codes.get("containerName")
    if container is not None and container not in containers:
        causes.append(
            invalid(
                f"{path}.containerName",
                container,
                "must be one of the container or initContainer names in the pod template",
            )
        )
    values: list[int] = codes.get("values") or []
    if not values:
        causes.append(invalid(f"{path}.values", values, "at least one value is required"))
    elif len(values) > _MOST_CODES:
        causes.append(too_many(f"{path}.values", len(values), _MOST_CODES))
    for index, value in enumerate(values):
        if operator == "In" and value == 0:
            causes.append(invalid(f"{path}.values[{index}]", value, "must not be 0 for the In operator"))
        if value in values[:index]:
            causes.append(duplicate(f"{path}.values[{index}]", value))
    if values != sorted(values):
        causes.append(invalid(f"{path}.values", values, "must be ordered"))
    return causes


def _conditions(patterns: Sequence[Object], path: str) -> list[Cause]:
    causes = [too_many(path, len(patterns), _MOST_PATTERNS)] if len(patterns) > _MOST_PATTERNS else []
    for index, pattern in enumerate(patterns):
        kind = string(pattern, "type")
        causes += each_invalid(f"{path}[{index}].type", kind, names.qualified_name(kind))
        causes += _choice(f"{path}[{index}].status", string(pattern, "status"), _STATUSES)
    return causes


def check_success_policy(spec: Object, path: str) -> list[Cause]:
    """`successPolicy` of a Job's spec."""
    policy: Object = spec.get("successPolicy") or {}
    if spec.get("completionMode") != "Indexed":
        return [invalid(path, policy, "requires indexed completion mode")]
    rules = items(policy, "rules")
    if not rules:
        why = "at least one rules must be specified when the successPolicy is specified"
        return [required(f"{path}.rules", why)]
    causes = [too_many(f"{path}.rules", len(rules), _MOST_RULES)] if len(rules) > _MOST_RULES else []
    completions: int = spec.get("completions") or 0
    for index, rule in enumerate(rules):
        causes += _success_rule(rule, completions, f"{path}.rules[{index}]")
    return causes


def _success_rule(rule: Object, completions: int, path: str) -> list[Cause]:
    count: int | None = rule.get("succeededCount")
    text: str | None = rule.get("succeededIndexes")
    if count is None and text is None:
        return [required(path, "at least one of succeededCount or succeededIndexes must be specified")]
    causes = non_negative(f"{path}.succeededCount", count)
    total = 0
    if text is not None:
        if len(text) > _LONGEST_INDEXES:
            causes.append(too_long(f"{path}.succeededIndexes", _LONGEST_INDEXES))
        try:
            total = len(IndexRanges.parse(text, completions))
        except IndexRangeError as error:
            causes.append(
                invalid(f"{path}.succeededIndexes", text, f"error parsing succeededIndexes: {error}")
            )
    if count is not None and count > completions:
        why = f"must be less than or equal to {completions} (the number of specified completions)"
        causes.append(invalid(f"{path}.succeededCount", count, why))
    if count is not None and text is not None and count > total:
        why = (
            f"must be less than or equal to {total} "
            "(the number of indexes in the specified succeededIndexes field)"
        )
        causes.append(invalid(f"{path}.succeededCount", count, why))
    return causes


def check_replacement_policy(spec: Object, path: str) -> list[Cause]:
    """`podReplacementPolicy`; a policy on failures needs pods to have failed."""
    policy = spec.get("podReplacementPolicy")
    supported = ("Failed",) if spec.get("podFailurePolicy") is not None else _REPLACEMENTS
    return [] if policy is None or policy in supported else [unsupported(path, policy, supported)]


def _choice(path: str, value: str, supported: Sequence[str]) -> list[Cause]:
    if not value:
        listed = " ".join(f'"{each}"' for each in supported)
        return [required(path, f"valid values: [{listed}]")]
    return [] if value in supported else [unsupported(path, value, supported)]


def _wrong(path: str, why: str) -> Cause:
    """An error without the value, which is the whole rule."""
    return Cause(path, "FieldValueInvalid", f"Invalid value: {why}")
