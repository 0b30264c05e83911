"""LimitRange: what a container, pod or claim of a namespace must, may and by default does ask for."""

from __future__ import annotations

from typing import Final

from ktui.engine.api.declaration import Declaration
from ktui.engine.api.resources.columns import NAME, text
from ktui.engine.api.validation.compute import check_amount
from ktui.engine.api.validation.fields import duplicate, each_invalid, forbidden, invalid, required
from ktui.engine.api.validation.metadata import check_metadata, check_metadata_update
from ktui.kube import names
from ktui.kube.data import items, mapping, section, string
from ktui.kube.errors import Cause
from ktui.kube.kinds import LIMIT_RANGES
from ktui.kube.quantity import parse_quantity
from ktui.kube.resource import Object

_LISTS: Final = ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio")


def default(limit_range: Object) -> Object:
    """A container's default limit is the maximum, its default request the default limit, or else the minimum."""
    spec = section(limit_range, "spec")
    limits = [_defaulted(item) for item in items(spec, "limits")]
    return (
        {**limit_range, "spec": {**spec, "limits": limits}}
        if limits != items(spec, "limits")
        else limit_range
    )


def _defaulted(item: Object) -> Object:
    if item.get("type") != "Container":
        return item
    limit = {**mapping(item, "max"), **mapping(item, "default")}
    request = {**mapping(item, "min"), **limit, **mapping(item, "defaultRequest")}
    filled = {"default": limit, "defaultRequest": request}
    return {**item, **{name: value for name, value in filled.items() if value}}


def validate(limit_range: Object) -> list[Cause]:
    causes = check_metadata(limit_range, namespaced=True)
    seen: set[str] = set()
    for index, item in enumerate(items(section(limit_range, "spec"), "limits")):
        at, kind = f"spec.limits[{index}]", string(item, "type")
        if not kind:
            causes.append(required(f"{at}.type"))
            continue
        if kind in seen:
            causes.append(duplicate(f"{at}.type", kind))
        seen.add(kind)
        causes += _item(item, kind, at)
    return causes


def _item(item: Object, kind: str, path: str) -> list[Cause]:
    causes: list[Cause] = []
    if kind not in ("Container", "Pod", "PersistentVolumeClaim"):
        causes += each_invalid(f"{path}.type", kind, names.qualified_name(kind))
        if "/" not in kind:
            causes.append(invalid(f"{path}.type", kind, "must be a standard limit type or fully qualified"))
    for name in _LISTS:
        for resource, amount in mapping(item, name).items():
            causes += check_amount(resource, amount, f"{path}.{name}[{resource}]")
    if kind == "Pod":
        for name in ("default", "defaultRequest"):
            if mapping(item, name):
                causes.append(forbidden(f"{path}.{name}", "may not be specified when `type` is 'Pod'"))
    if kind == "PersistentVolumeClaim" and "storage" not in {**mapping(item, "min"), **mapping(item, "max")}:
        causes.append(
            required(
                f"{path}.limits",
                "either minimum or maximum storage value is required, but neither was provided",
            )
        )
    for resource in {name: None for each in _LISTS for name in mapping(item, each)}:
        causes += _order(item, resource, path)
    return causes


def _order(item: Object, resource: str, path: str) -> list[Cause]:
    """Minimum, default request, default limit and maximum have to come in this order."""
    causes: list[Cause] = []
    for low, high, at, why in (
        ("min", "max", "min", "min value {} is greater than max value {}"),
        ("min", "defaultRequest", "defaultRequest", "min value {} is greater than default request value {}"),
        ("defaultRequest", "max", "defaultRequest", "default request value {} is greater than max value {}"),
        ("defaultRequest", "default", "defaultRequest", "default request value {} is greater than default limit value {}"),
        ("min", "default", "default", "min value {} is greater than default value {}"),
        ("default", "max", "default", "default value {} is greater than max value {}"),
    ):  # fmt: skip
        small, large = mapping(item, low).get(resource), mapping(item, high).get(resource)
        if small is not None and large is not None and parse_quantity(small) > parse_quantity(large):
            value = mapping(item, at)[resource]
            causes.append(invalid(f"{path}.{at}[{resource}]", value, why.format(small, large)))
    ratio = mapping(item, "maxLimitRequestRatio").get(resource)
    if ratio is not None and parse_quantity(ratio) < parse_quantity("1"):
        causes.append(
            invalid(f"{path}.maxLimitRequestRatio[{resource}]", ratio, f"ratio {ratio} is less than 1")
        )
    return causes


def _created(limit_range: Object) -> str:
    return string(section(limit_range, "metadata"), "creationTimestamp")


DECLARATIONS = (
    Declaration(
        resource=LIMIT_RANGES,
        schema="io.k8s.api.core.v1.LimitRange",
        creates_on_update=True,
        columns=(NAME, text("Created At", _created, "When it was created.")),
        default=default,
        validate_create=validate,
        validate_update=check_metadata_update,
    ),
)
