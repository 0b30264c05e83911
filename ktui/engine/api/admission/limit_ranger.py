"""LimitRanger: containers get a namespace's default requests and limits, and stay within its bounds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from ktui.engine.api.admission.base import Attributes, View
from ktui.kube.data import items, mapping, section, string
from ktui.kube.errors import forbidden
from ktui.kube.kinds import LIMIT_RANGES, PODS
from ktui.kube.quantity import Quantity, parse_quantity
from ktui.kube.quota import Amounts, amounts, pod_amounts
from ktui.kube.resource import Object

ANNOTATION: Final = "kubernetes.io/limit-ranger"
_CLAIMS: Final = "persistentvolumeclaims"


class LimitRanger:
    """Looks at new pods and claims, and at pods that are resized; what else is there already is left alone."""

    def __init__(self, view: View) -> None:
        self._view = view

    async def admit(self, request: Attributes, obj: Object, old: Object | None) -> Object:
        if not request.is_about(PODS, "CREATE"):
            return obj
        for limit_range in self._view.listed(LIMIT_RANGES.key, request.namespace):
            obj = _with_defaults(obj, limit_range)
        return obj

    async def validate(self, request: Attributes, obj: Object | None, old: Object | None) -> None:
        if obj is None:
            return
        if not request.is_resize and (request.operation != "CREATE" or request.subresource):
            return
        if request.resource.key not in (PODS.key, _CLAIMS):
            return
        problems = [
            problem
            for limit_range in self._view.listed(LIMIT_RANGES.key, request.namespace)
            for item in items(section(limit_range, "spec"), "limits")
            for problem in (_pod(item, obj) if request.resource.key == PODS.key else _claim(item, obj))
        ]
        if problems:
            text = problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]"
            raise forbidden(request.resource, string(section(obj, "metadata"), "name"), text)


def _with_defaults(pod: Object, limit_range: Object) -> Object:
    """The pod with default requests and limits, and an annotation that tells which."""
    limits: dict[str, str] = {}
    requests: dict[str, str] = {}
    for item in items(section(limit_range, "spec"), "limits"):
        if item.get("type") == "Container":
            limits |= mapping(item, "default")
            requests |= mapping(item, "defaultRequest")
    spec, notes = section(pod, "spec"), list[str]()
    if (not limits and not requests) or section(spec, "resources"):
        return pod
    changed = {**spec}
    for field, noun in (("containers", "container"), ("initContainers", "init container")):
        if field in spec:
            changed[field] = [
                _defaulted(container, requests, limits, noun, notes) for container in items(spec, field)
            ]
    if not notes:
        return pod
    metadata = section(pod, "metadata")
    note = "LimitRanger plugin set: " + "; ".join(notes)
    annotations = {**mapping(metadata, "annotations"), ANNOTATION: note}
    return {**pod, "metadata": {**metadata, "annotations": annotations}, "spec": changed}


def _defaulted(
    container: Object, requests: dict[str, str], limits: dict[str, str], noun: str, notes: list[str]
) -> Object:
    resources = section(container, "resources")
    changed = {**resources}
    for which, defaults in (("requests", requests), ("limits", limits)):
        own = mapping(resources, which)
        missing = sorted(name for name in defaults if name not in own)
        if missing:
            changed[which] = {**own, **{name: defaults[name] for name in missing}}
            notes.append(f"{', '.join(missing)} {which[:-1]} for {noun} {string(container, 'name')}")
    return {**container, "resources": changed}


def _pod(item: Object, pod: Object) -> Iterator[str]:
    spec = section(pod, "spec")
    match item.get("type"):
        case "Container":
            for container in [*items(spec, "initContainers"), *items(spec, "containers")]:
                resources = section(container, "resources")
                requests, limits = mapping(resources, "requests"), mapping(resources, "limits")
                yield from _bounds(item, "Container", amounts(requests), amounts(limits))
        case "Pod":
            yield from _bounds(item, "Pod", pod_amounts(spec, "requests"), pod_amounts(spec, "limits"))
        case _:
            return


def _claim(item: Object, claim: Object) -> Iterator[str]:
    if item.get("type") != "PersistentVolumeClaim":
        return
    asked = parse_quantity(mapping(section(claim, "spec", "resources"), "requests").get("storage") or "0")
    for bound, is_broken in (("min", asked.__lt__), ("max", asked.__gt__)):
        limit = mapping(item, bound).get("storage")
        if limit is not None and is_broken(parse_quantity(limit)):
            word = "minimum" if bound == "min" else "maximum"
            yield f"{word} storage usage per PersistentVolumeClaim is {limit}, but request is {asked}"


def _bounds(item: Object, kind: str, requests: Amounts, limits: Amounts) -> Iterator[str]:
    for name, least in _sorted(mapping(item, "min")):
        yield from _least(
            f"minimum {name} usage per {kind} is {least}", least, requests.get(name), limits.get(name)
        )
    for name, most in _sorted(mapping(item, "max")):
        yield from _most(
            f"maximum {name} usage per {kind} is {most}", most, requests.get(name), limits.get(name)
        )
    for name, most in _sorted(mapping(item, "maxLimitRequestRatio")):
        text = f"{name} max limit to request ratio per {kind} is {most}"
        yield from _ratio(text, most, requests.get(name), limits.get(name))


def _sorted(bounds: dict[str, str]) -> Iterable[tuple[str, Quantity]]:
    return [(name, parse_quantity(bounds[name])) for name in sorted(bounds)]


def _least(text: str, least: Quantity, request: Quantity | None, limit: Quantity | None) -> Iterator[str]:
    if request is None:
        yield f"{text}.  No request is specified"
    elif request < least:
        yield f"{text}, but request is {request}"
    elif limit is not None and limit < least:
        yield f"{text}, but limit is {limit}"


def _most(text: str, most: Quantity, request: Quantity | None, limit: Quantity | None) -> Iterator[str]:
    if limit is None:
        yield f"{text}.  No limit is specified"
    elif limit > most:
        yield f"{text}, but limit is {limit}"
    elif request is not None and request > most:
        yield f"{text}, but request is {request}"


def _ratio(text: str, most: Quantity, request: Quantity | None, limit: Quantity | None) -> Iterator[str]:
    if not request:
        yield f"{text}, but no request is specified or request is 0"
    elif not limit:
        yield f"{text}, but no limit is specified or limit is 0"
    elif limit.decimal > most.decimal * request.decimal:
        yield f"{text}, but provided ratio is {limit.decimal / request.decimal:.6f}"
