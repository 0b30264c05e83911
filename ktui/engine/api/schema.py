"""Kubernetes' OpenAPI as data: what fields an object has, of what type, and how lists merge.

`scripts/extract_schema.py` makes the data file from Kubernetes' published definitions; ktui's own group is
declared in `schema_ktui`. Validation, patching, server-side apply and the OpenAPI endpoints read it from here.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.resources import files
from typing import Any, Final, TypeAlias

import msgspec

from ktui.engine.api.schema_ktui import KTUI_DEFINITIONS
from ktui.kube.resource import GroupVersionKind

Definition: TypeAlias = dict[str, Any]
"""A node of the schema, in OpenAPI v2 style. Immutable by convention."""

OBJECT_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
QUANTITY: Final = "io.k8s.apimachinery.pkg.api.resource.Quantity"
INT_OR_STRING: Final = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
TIME: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.Time"
MICRO_TIME: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime"

_REFERENCE: Final = "#/definitions/"


@dataclass(frozen=True)
class Schema:
    """All definitions by name, with `$ref: "#/definitions/…"` between them."""

    version: str
    definitions: dict[str, Definition]

    def resolve(self, node: Definition) -> Definition:
        """The definition a node refers to, or the node itself."""
        name = reference(node)
        return self.definitions[name] if name else node

    def field(self, node: Definition, name: str) -> Definition | None:
        """The declaration of a field (with its merge keys; unresolved), or None if there is no such field."""
        return self.resolve(node).get("properties", {}).get(name)

    @cached_property
    def by_kind(self) -> dict[GroupVersionKind, str]:
        """Names of definitions by the group, version and kind they are the schema of."""
        return {
            GroupVersionKind(kind["group"], kind["version"], kind["kind"]): name
            for name, definition in self.definitions.items()
            if len(kinds := definition.get("x-kubernetes-group-version-kind", ())) == 1
            for kind in kinds
        }


def reference(node: Definition) -> str:
    """The name of the definition a node refers to, "" if it is declared in place."""
    return str(node.get("$ref", ""))[len(_REFERENCE) :]


@lru_cache(maxsize=1)
def load() -> Schema:
    """Read the data file once (milliseconds)."""
    packed = files("ktui.engine.api").joinpath("openapi.json.gz").read_bytes()
    document: dict[str, Any] = msgspec.json.decode(gzip.decompress(packed))
    return Schema(document["info"]["version"], {**document["definitions"], **KTUI_DEFINITIONS})
