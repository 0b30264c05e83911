"""What the tests of kinds share: an object as the API would take it in, and its errors as text."""

from __future__ import annotations

from typing import Any

from ktui.engine.api.declaration import Declaration
from ktui.engine.api.registry import default_registry
from ktui.engine.api.validation.structure import validate_schema

REGISTRY = default_registry()

LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)


def kind(name: str) -> Declaration:
    found = REGISTRY.find(name)
    assert found is not None, name
    return found


def created(name: str, obj: dict[str, Any]) -> dict[str, Any]:
    """An object as the server keeps it: walked along the schema, defaulted, prepared."""
    declaration = kind(name)
    report = validate_schema(declaration.schema, obj)
    assert not report.causes, report.causes
    assert not report.unknown_fields, report.unknown_fields
    return declaration.prepare_create(declaration.default(report.object))


def errors(name: str, obj: dict[str, Any]) -> list[str]:
    """What is wrong with a new object, a line each."""
    return [f"{c.field}: {c.message}" for c in kind(name).validate_create(created(name, obj))]


def update_errors(name: str, new: dict[str, Any], old: dict[str, Any]) -> list[str]:
    """What is wrong with an update, beyond what would be wrong with a new object."""
    declaration = kind(name)
    before, after = created(name, old), declaration.prepare_update(created(name, new), created(name, old))
    return [f"{c.field}: {c.message}" for c in declaration.validate_update(after, before)]


def pod(spec: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    """A small sound pod; `spec` replaces fields of its spec."""
    base = {"containers": [{"name": "main", "image": "web:1"}]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "namespace": "default", **metadata},
        "spec": {**base, **(spec or {})},
    }


def container(**fields: Any) -> dict[str, Any]:
    """The spec of a pod whose one container has these fields."""
    return {"containers": [{"name": "main", "image": "web:1", **fields}]}


def deployment(spec: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    base = {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "main", "image": "web:1"}]},
        },
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default", **metadata},
        "spec": {**base, **(spec or {})},
    }
