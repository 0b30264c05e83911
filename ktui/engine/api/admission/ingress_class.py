"""DefaultIngressClass: an Ingress without a class gets the one that is marked as the default."""

from __future__ import annotations

from typing import Final

from ktui.engine.api.admission.base import Attributes, Mutating, View
from ktui.engine.api.validation.ingresses import CLASS_ANNOTATION, validate_new_ingress
from ktui.kube.data import mapping, section, string
from ktui.kube.errors import invalid
from ktui.kube.kinds import INGRESS_CLASSES, INGRESSES
from ktui.kube.resource import Object

DEFAULT_ANNOTATION: Final = "ingressclass.kubernetes.io/is-default-class"


class DefaultIngressClass(Mutating):
    """Names the newest default class, and refuses a class that contradicts the annotation of old."""

    def __init__(self, view: View) -> None:
        self._view = view

    async def admit(self, request: Attributes, obj: Object, old: Object | None) -> Object:
        if not request.is_about(INGRESSES, "CREATE"):
            return obj
        spec, metadata = section(obj, "spec"), section(obj, "metadata")
        if causes := validate_new_ingress(obj):
            raise invalid(INGRESSES, string(metadata, "name"), causes)
        if spec.get("ingressClassName") is not None:
            return obj
        if CLASS_ANNOTATION in mapping(metadata, "annotations"):
            return obj
        defaults = [
            (string(found, "creationTimestamp"), string(found, "name"))
            for found in (section(each, "metadata") for each in self._view.listed(INGRESS_CLASSES.key))
            if mapping(found, "annotations").get(DEFAULT_ANNOTATION) == "true"
        ]
        if not defaults:
            return obj
        newest = max(created for created, _ in defaults)
        name = min(name for created, name in defaults if created == newest)
        return {**obj, "spec": {**spec, "ingressClassName": name}}
