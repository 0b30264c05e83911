"""Rules for Jobs: numbers, modes, policies, the selector that is made for them, and what stays as it is."""

from __future__ import annotations

from typing import Any, Final

from ktui.engine.api.validation.fields import (
    IMMUTABLE,
    immutable,
    invalid,
    non_negative,
    required,
    too_long,
    unsupported,
)
from ktui.engine.api.validation.job_policies import (
    check_pod_failure_policy,
    check_replacement_policy,
    check_success_policy,
)
from ktui.engine.api.validation.metadata import check_metadata, check_metadata_update
from ktui.engine.api.validation.pod_template import check_template
from ktui.engine.api.validation.selectors import check_label_selector
from ktui.engine.api.validation.workloads import check_picks_template
from ktui.kube import names
from ktui.kube.data import items, mapping, section, string
from ktui.kube.errors import Cause
from ktui.kube.resource import Object
from ktui.kube.selector import Selector, SelectorError

_NUMBERS: Final = (
    "parallelism",
    "completions",
    "activeDeadlineSeconds",
    "backoffLimit",
    "ttlSecondsAfterFinished",
    "backoffLimitPerIndex",
    "maxFailedIndexes",
)
_MODES: Final = ("NonIndexed", "Indexed")
_MOST_INDEXES: Final = 100_000
_MOST_WITH_MANY_INDEXES: Final = 10_000
_LONGEST_MANAGER: Final = 63
_IMMUTABLE: Final = (
    "selector",
    "completionMode",
    "podFailurePolicy",
    "backoffLimitPerIndex",
    "managedBy",
    "successPolicy",
)
_PREFIX: Final = "batch.kubernetes.io/"


def validate_job(job: Object) -> list[Cause]:
    spec = section(job, "spec")
    metadata = section(job, "metadata")
    causes = check_metadata(job, namespaced=True)
    causes += _generated_labels(spec, string(metadata, "name"), string(metadata, "uid"))
    causes += check_job_spec(spec, "spec")
    causes += _selector(spec)
    completions: int = spec.get("completions") or 0
    if _is_indexed(spec) and completions > 0:
        name = string(metadata, "name")
        longest = f"{name}-{completions - 1}"
        if names.dns_label(longest):
            why = f"will not able to create pod with invalid DNS label: {longest}"
            causes.append(invalid("metadata.name", name, why))
    return causes


def _is_indexed(spec: Object) -> bool:
    return spec.get("completionMode") == "Indexed"


def _generated_labels(spec: Object, name: str, uid: str) -> list[Cause]:
    """Labels and selector as the server makes them, unless the Job selects its pods by itself."""
    selector: Object | None = spec.get("selector")
    if spec.get("manualSelector") or selector is None:
        return []
    causes = [] if uid else [required("metadata.uid")]
    expected: dict[str, str] = {}
    for prefix in ("", _PREFIX):
        expected |= {f"{prefix}controller-uid": uid, f"{prefix}job-name": name}
    labels = mapping(section(spec, "template", "metadata"), "labels")
    path = "spec.template.metadata.labels"
    for label, value in expected.items():
        if label not in labels:
            causes.append(required(path, f"must be '{value}'"))
        elif labels[label] != value:
            causes.append(invalid(path, labels, f"must be '{value}'"))
    try:
        if not Selector.of(selector).matches(expected):
            causes.append(invalid("spec.selector", selector, "`selector` not auto-generated"))
    except SelectorError:
        pass
    return causes


def _selector(spec: Object) -> list[Cause]:
    selector: Object | None = spec.get("selector")
    if selector is None:
        return [required("spec.selector")]
    return check_label_selector(selector, "spec.selector") + check_picks_template(spec)


def check_job_spec(spec: Object, path: str) -> list[Cause]:
    """What a Job's spec, or that of a CronJob's template, has to be like; the selector apart."""
    causes: list[Cause] = []
    for field in _NUMBERS:
        causes += non_negative(f"{path}.{field}", spec.get(field))
    if spec.get("maxFailedIndexes") is not None and spec.get("backoffLimitPerIndex") is None:
        causes.append(required(f"{path}.backoffLimitPerIndex", "when maxFailedIndexes is specified"))
    causes += _manager(spec, f"{path}.managedBy")
    mode = spec.get("completionMode")
    if mode is not None and mode not in _MODES:
        causes.append(unsupported(f"{path}.completionMode", mode, _MODES))
    if _is_indexed(spec):
        causes += _indexes(spec, path)
    elif mode in (None, "NonIndexed"):
        for field in ("backoffLimitPerIndex", "maxFailedIndexes"):
            if spec.get(field) is not None:
                causes.append(invalid(f"{path}.{field}", spec[field], "requires indexed completion mode"))
    if spec.get("podFailurePolicy") is not None:
        causes += check_pod_failure_policy(spec, f"{path}.podFailurePolicy")
    if spec.get("successPolicy") is not None:
        causes += check_success_policy(spec, f"{path}.successPolicy")
    causes += check_replacement_policy(spec, f"{path}.podReplacementPolicy")
    causes += check_template(section(spec, "template"), f"{path}.template")
    return causes + _restart_policy(spec, f"{path}.template.spec.restartPolicy")


def _manager(spec: Object, path: str) -> list[Cause]:
    manager: str | None = spec.get("managedBy")
    if manager is None:
        return []
    causes: list[Cause] = []
    domain, slash, rest = manager.partition("/")
    if not slash or not domain or not rest:
        causes.append(invalid(path, manager, 'must be a domain-prefixed path (such as "acme.io/foo")'))
    else:
        causes += [invalid(path, domain, problem) for problem in names.dns_subdomain(domain)]
    if len(manager) > _LONGEST_MANAGER:
        causes.append(too_long(path, _LONGEST_MANAGER))
    return causes


def _indexes(spec: Object, path: str) -> list[Cause]:
    completions: int | None = spec.get("completions")
    parallelism: int = spec.get("parallelism") or 0
    failed: int | None = spec.get("maxFailedIndexes")
    causes: list[Cause] = []
    if completions is None:
        causes.append(required(f"{path}.completions", "when completion mode is Indexed"))
    if parallelism > _MOST_INDEXES:
        why = f"must be less than or equal to {_MOST_INDEXES} when completion mode is Indexed"
        causes.append(invalid(f"{path}.parallelism", parallelism, why))
    if completions is not None and failed is not None and failed > completions:
        causes.append(
            invalid(f"{path}.maxFailedIndexes", failed, "must be less than or equal to completions")
        )
    if failed is not None and failed > _MOST_INDEXES:
        why = f"must be less than or equal to {_MOST_INDEXES}"
        causes.append(invalid(f"{path}.maxFailedIndexes", failed, why))
    if completions is None or completions <= _MOST_INDEXES or spec.get("backoffLimitPerIndex") is None:
        return causes
    if failed is None:
        why = f"must be specified when completions is above {_MOST_INDEXES}"
        causes.append(required(f"{path}.maxFailedIndexes", why))
    for field, value in (("parallelism", parallelism), ("maxFailedIndexes", failed or 0)):
        if value > _MOST_WITH_MANY_INDEXES:
            why = (
                f"must be less than or equal to {_MOST_WITH_MANY_INDEXES} when completions are above "
                f"{_MOST_INDEXES} and used with backoff limit per index"
            )
            causes.append(invalid(f"{path}.{field}", value, why))
    return causes


def _restart_policy(spec: Object, path: str) -> list[Cause]:
    policy = string(section(spec, "template", "spec"), "restartPolicy")
    if policy in ("", "Always"):
        return [required(path, 'valid values: "OnFailure", "Never"')]
    if policy not in ("OnFailure", "Never"):
        return [unsupported(path, policy, ("OnFailure", "Never"))]
    if spec.get("podFailurePolicy") is not None and policy != "Never":
        return [invalid(path, policy, 'only "Never" is supported when podFailurePolicy is specified')]
    return []


def validate_job_update(new: Object, old: Object) -> list[Cause]:
    after, before = section(new, "spec"), section(old, "spec")
    causes = check_metadata_update(new, old)
    causes += _completions_update(after, before)
    for field in _IMMUTABLE:
        causes += immutable(f"spec.{field}", after.get(field), before.get(field))
    started = section(old, "status").get("startTime") is not None
    return causes + _template_update(after, before, started=started)


def _completions_update(after: Object, before: Object) -> list[Cause]:
    """Only the number of indexes may change, and only together with the parallelism."""
    new, old = after.get("completions"), before.get("completions")
    if not _is_indexed(after) or new is None:
        return [] if new == old else [invalid("spec.completions", new, IMMUTABLE)]
    if new != old and new != after.get("parallelism"):
        return [invalid("spec.completions", new, "can only be modified in tandem with spec.parallelism")]
    return []


def _template_update(after: Object, before: Object, *, started: bool) -> list[Cause]:
    """Where pods go, and what they ask for, may change while the Job is suspended; the former before it started."""
    new, old = section(after, "template"), section(before, "template")
    if not before.get("suspend"):
        return immutable("spec.template", new, old)
    mine, theirs = _without_resources(new), _without_resources(old)
    if not started:
        mine, theirs = _without_directives(mine), _without_directives(theirs)
    return [] if mine == theirs else [invalid("spec.template", new, IMMUTABLE)]


def _without_resources(template: Object) -> Object:
    spec = section(template, "spec")
    changed: dict[str, Any] = {
        field: [{k: v for k, v in each.items() if k != "resources"} for each in items(spec, field)]
        for field in ("containers", "initContainers")
    }
    return {**template, "spec": {**spec, **changed}}


def _without_directives(template: Object) -> Object:
    spec = {
        field: value
        for field, value in section(template, "spec").items()
        if field not in ("nodeSelector", "tolerations", "schedulingGates", "affinity") and value
    }
    affinity = {k: v for k, v in section(template, "spec", "affinity").items() if k != "nodeAffinity" and v}
    metadata = {
        field: value
        for field, value in section(template, "metadata").items()
        if field not in ("labels", "annotations", "creationTimestamp") and value
    }
    return {"metadata": metadata, "spec": {**spec, "affinity": affinity}}
