"""The variables of admission's expressions and their types: object, oldObject, request, namespaceObject and more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

from ktui.engine.api import schema
from ktui.engine.api.cel.checking import Checked, check
from ktui.engine.api.cel.types import (
    BOOL,
    DYN,
    PATCH_TYPES,
    STRING,
    TYPE,
    ListType,
    MapType,
    Struct,
    Type,
    of_schema,
)

_KIND: Final = Struct("kubernetes.GroupVersionKind", {"group": STRING, "version": STRING, "kind": STRING})
_RESOURCE: Final = Struct(
    "kubernetes.GroupVersionResource", {"group": STRING, "version": STRING, "resource": STRING}
)
_USER: Final = Struct(
    "kubernetes.UserInfo",
    {
        "username": STRING,
        "uid": STRING,
        "groups": ListType(STRING),
        "extra": MapType(STRING, ListType(STRING)),
    },
)
_REQUEST: Final = Struct(
    "kubernetes.AdmissionRequest",
    {
        "kind": _KIND,
        "resource": _RESOURCE,
        "subResource": STRING,
        "requestKind": _KIND,
        "requestResource": _RESOURCE,
        "requestSubResource": STRING,
        "name": STRING,
        "namespace": STRING,
        "operation": STRING,
        "userInfo": _USER,
        "dryRun": BOOL,
        "options": DYN,
    },
)


@lru_cache(maxsize=1)
def _namespace() -> Type:
    return of_schema(schema.load().definitions["io.k8s.api.core.v1.Namespace"], "kubernetes.Namespace")


def declared(
    *,
    obj: Type = DYN,
    params: Type | None = None,
    authorizer: bool = True,
    patches: bool = False,
    variables: Iterable[tuple[str, str]] | None = None,
) -> Mapping[str, Type]:
    """What an expression may name. `params` None: there are none; `variables` are those of a policy, by name and
    expression, of which each sees the ones before it. `patches`: the types by which objects are changed."""
    found: dict[str, Type] = {
        "object": obj,
        "oldObject": obj,
        "request": _REQUEST,
        "namespaceObject": _namespace(),
    }
    if params is not None:
        found["params"] = params
    if authorizer:
        found["authorizer"] = DYN
    if patches:
        found |= dict.fromkeys(PATCH_TYPES, TYPE)
    if variables is not None:
        fields: dict[str, Type] = {}
        for name, expression in variables:
            fields[name] = _type_of(
                expression, {**found, "variables": Struct("kubernetes.variables", dict(fields))}
            )
        found["variables"] = Struct("kubernetes.variables", fields)
    return found


def _type_of(expression: str, scope: Mapping[str, Type]) -> Type:
    checked: Checked = check(expression, scope)
    return DYN if checked.problems else checked.type
