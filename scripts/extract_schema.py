"""Extract Kubernetes' OpenAPI from the development dependency kubernetes-validate into ktui's data file.

Run with the virtual environment's Python after a new release of kubernetes-validate: it reads one version's
definitions, keeps those that the stable API groups reach, undoes what that package rewrites (nullable types,
IntOrString, Quantity, enums of kind and apiVersion) and writes `ktui/engine/api/openapi.json.gz`.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate

VERSION = "1.37.0"
OUTPUT = Path(__file__).parent.parent / "ktui" / "engine" / "api" / "openapi.json.gz"

ROOTS = (
    "io.k8s.api.admissionregistration.v1.",
    "io.k8s.api.apps.v1.",
    "io.k8s.api.authentication.v1.",
    "io.k8s.api.authorization.v1.",
    "io.k8s.api.autoscaling.v1.",
    "io.k8s.api.autoscaling.v2.",
    "io.k8s.api.batch.v1.",
    "io.k8s.api.certificates.v1.",
    "io.k8s.api.coordination.v1.",
    "io.k8s.api.core.v1.",
    "io.k8s.api.discovery.v1.",
    "io.k8s.api.events.v1.",
    "io.k8s.api.flowcontrol.v1.",
    "io.k8s.api.networking.v1.",
    "io.k8s.api.node.v1.",
    "io.k8s.api.policy.v1.",
    "io.k8s.api.rbac.v1.",
    "io.k8s.api.resource.v1.",
    "io.k8s.api.scheduling.v1.",
    "io.k8s.api.storage.v1.",
    "io.k8s.api.storagemigration.v1.",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.",
    "io.k8s.apimachinery.pkg.apis.meta.v1.",
    "io.k8s.apimachinery.pkg.version.",
    "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.",
)
REWRITTEN: dict[str, dict[str, Any]] = {
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {"type": "string", "format": "int-or-string"},
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {"type": "string"},
}


def main() -> int:
    package = Path(kubernetes_validate.__file__).parent
    source = package / "kubernetes-json-schema" / f"v{VERSION}-local" / "_definitions.json"
    definitions: dict[str, Any] = json.loads(source.read_text())["$defs"]
    kept = {name: restored(definitions[name], name) for name in sorted(reachable(definitions))}
    document = {
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": f"v{VERSION}"},
        "definitions": kept,
    }
    encoded = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    OUTPUT.write_bytes(gzip.compress(encoded, 9, mtime=0))
    print(
        f"{OUTPUT.name}: {len(kept)} definitions, {OUTPUT.stat().st_size:,} bytes ({len(encoded):,} unpacked)"
    )
    return 0


def reachable(definitions: dict[str, Any]) -> set[str]:
    """The definitions of the stable groups and all that they refer to."""
    found: set[str] = set()
    waiting = [name for name in definitions if name.startswith(ROOTS)]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += references(definitions[name])
    return found


def references(node: Any) -> list[str]:
    if isinstance(node, list):
        return [name for item in node for name in references(item)]
    if not isinstance(node, dict):
        return []
    own = [node["$ref"].rsplit("/", 1)[1]] if isinstance(node.get("$ref"), str) else []
    return own + [name for value in node.values() for name in references(value)]


def restored(definition: dict[str, Any], name: str) -> dict[str, Any]:
    """A definition as Kubernetes publishes it."""
    if name in REWRITTEN:
        kept = {"description": definition["description"]} if "description" in definition else {}
        return {**kept, **REWRITTEN[name]}
    return schema(definition)


def schema(node: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in node.items():
        match key:
            case "properties":
                result[key] = {field: schema(declared) for field, declared in value.items()}
            case "items" | "additionalProperties" if isinstance(value, dict):
                result[key] = schema(value)
            case "type":
                result[key] = value[0] if isinstance(value, list) else value
            case "$ref":
                result[key] = "#/definitions/" + value.rsplit("/", 1)[1]
            case "enum":
                pass
            case _:
                result[key] = value
    return result


if __name__ == "__main__":
    sys.exit(main())
