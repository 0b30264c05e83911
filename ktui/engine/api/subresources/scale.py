"""The scale subresource: one `Scale` (autoscaling/v1) for every kind that has replicas."""

from __future__ import annotations

from typing import Any, cast

from ktui.engine.api.declaration import Declaration, Scale
from ktui.engine.api.documents import metadata_of
from ktui.engine.api.resources.columns import AGE, NAME, number
from ktui.kube.data import section
from ktui.kube.errors import Cause, bad_request, invalid
from ktui.kube.resource import Object, Resource
from ktui.kube.selector import Selector

SCALE_DEFINITION = "io.k8s.api.autoscaling.v1.Scale"
_SCALE = Resource("autoscaling", "v1", "scales", "Scale", True)
SCALE = Declaration(
    resource=_SCALE,
    schema=SCALE_DEFINITION,
    columns=(
        NAME,
        number("Desired", lambda scale: section(scale, "spec").get("replicas"), "How many are wanted."),
        number("Available", lambda scale: section(scale, "status").get("replicas"), "How many there are."),
        AGE,
    ),
)
"""How a `Scale` is printed."""


def scale_of(obj: Object, scale: Scale) -> Object:
    """The `Scale` of an object."""
    metadata = metadata_of(obj)
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    status: Object = {"replicas": _at(obj, scale.status_replicas) or 0}
    selector = _at(obj, scale.label_selector)
    if isinstance(selector, str):
        status["selector"] = selector
    elif selector is not None:
        status["selector"] = str(
            Selector.of(selector) if _is_set_based(selector) else Selector.of_labels(selector)
        )
    replicas = _at(obj, scale.spec_replicas)
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {name: metadata[name] for name in kept if name in metadata},
        "spec": {"replicas": replicas} if replicas is not None else {},
        "status": status,
    }


def scaled(obj: Object, wanted: Object, scale: Scale) -> Object:
    """The object with the replicas (and the expected version) of a `Scale`; checks them."""
    metadata = metadata_of(wanted)
    spec: Any = wanted.get("spec") or {}
    if wanted.get("kind") not in (None, "", "Scale"):
        raise bad_request(f"expected input object type to be Scale, but {wanted.get('kind')}")
    if not isinstance(spec, dict):
        raise bad_request("Scale.spec must be an object")
    fields = cast("Object", spec)
    replicas = fields.get("replicas") or 0
    if type(replicas) is not int or replicas >= 2**31:
        raise bad_request(
            'Scale in version "v1" cannot be handled as a Scale: json: cannot unmarshal into Go struct field '
            "ScaleSpec.spec.replicas of type int32"
        )
    if replicas < 0:
        cause = Cause(
            "spec.replicas",
            "FieldValueInvalid",
            f"Invalid value: {replicas}: must be greater than or equal to 0",
        )
        raise invalid(_SCALE, str(metadata.get("name", "")), [cause])
    changed = _put(obj, scale.spec_replicas.strip(".").split("."), replicas)
    version = metadata.get("resourceVersion") or metadata_of(obj).get("resourceVersion")
    return {**changed, "metadata": {**metadata_of(obj), "resourceVersion": version}}


def replicas_of(wanted: Object, scale: Scale, name: str) -> Object:
    """What a `Scale` that is applied says of the object behind it."""
    return {"metadata": {"name": name}, **_only_replicas(scaled({}, wanted, scale))}


def _only_replicas(obj: Object) -> Object:
    return {field: value for field, value in obj.items() if field != "metadata"}


def _is_set_based(selector: Any) -> bool:
    return not selector or "matchLabels" in selector or "matchExpressions" in selector


def _at(obj: Object, path: str) -> Any:
    value: Any = obj
    for name in path.strip(".").split("."):
        value = cast("Object", value).get(name) if isinstance(value, dict) else None
    return value


def _put(obj: Object, path: list[str], value: Any) -> Object:
    name, *rest = path
    inner: Object = obj.get(name) or {}
    return {**obj, name: _put(inner, rest, value) if rest else value}
