"""Binding: the scheduler's verdict on a pod. Never stored; creating one binds the pod of its name."""

from __future__ import annotations

from ktui.engine.api.declaration import Declaration
from ktui.engine.api.resources.columns import AGE, NAME
from ktui.engine.api.validation.fields import one_of, required
from ktui.kube.errors import Cause
from ktui.kube.kinds import BINDINGS
from ktui.kube.resource import Object


def validate(binding: Object) -> list[Cause]:
    target: Object = binding.get("target") or {}
    causes = one_of("target.kind", target.get("kind") or "", ("", "Node"))
    if not target.get("name"):
        causes.append(required("target.name"))
    return causes


DECLARATIONS = (
    Declaration(
        resource=BINDINGS,
        schema="io.k8s.api.core.v1.Binding",
        columns=(NAME, AGE),
        validate_create=validate,
    ),
)
