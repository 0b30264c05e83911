"""Reviews: questions about access and identity, asked by creating them and never stored."""

from __future__ import annotations

from ktui.engine.api.declaration import Declaration
from ktui.engine.api.resources.columns import AGE, NAME
from ktui.kube.resource import Resource

AUTHORIZATION, AUTHENTICATION = "authorization.k8s.io", "authentication.k8s.io"


def _review(group: str, kind: str, *, namespaced: bool = False) -> Declaration:
    singular = kind.lower()
    resource = Resource(
        group, "v1", f"{singular}s", kind, namespaced, singular, verbs=("create",), subresources=()
    )
    schema = f"io.k8s.api.{group.partition('.')[0]}.v1.{kind}"
    return Declaration(resource=resource, schema=schema, columns=(NAME, AGE))


DECLARATIONS = (
    _review(AUTHENTICATION, "SelfSubjectReview"),
    _review(AUTHENTICATION, "TokenReview"),
    _review(AUTHORIZATION, "LocalSubjectAccessReview", namespaced=True),
    _review(AUTHORIZATION, "SelfSubjectAccessReview"),
    _review(AUTHORIZATION, "SelfSubjectRulesReview"),
    _review(AUTHORIZATION, "SubjectAccessReview"),
)
