"""OpenAPI over the wire: complete, consistent, kept by clients until it changes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from http_wire import Wire, served_over_tls

from ktui.engine.api.discovery import served
from ktui.engine.api.openapi.documents import Documents
from ktui.engine.api.registry import default_registry

DECLARATIONS = list(default_registry())


@pytest.fixture
async def wire(tmp_path: Path) -> AsyncIterator[Wire]:
    async with served_over_tls(tmp_path) as wire:
        yield wire


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


async def test_each_group_has_a_document_under_its_hash(wire: Wire):
    code, index = await wire.call("GET", "/openapi/v3")
    assert code == 200
    assert {"api/v1", "apis/apps/v1", "apis/ktui.dev/v1alpha1"} <= set(index["paths"])
    for place, entry in index["paths"].items():
        code, document = await wire.call("GET", entry["serverRelativeURL"])
        assert code == 200, place
        schemas = document["components"]["schemas"]
        missing = {name for name in references(document) if name.rpartition("/")[2] not in schemas}
        assert not missing, place


async def test_a_client_keeps_what_did_not_change(wire: Wire):
    _, index = await wire.call("GET", "/openapi/v3")
    url = wire.secure.url + index["paths"]["api/v1"]["serverRelativeURL"]
    async with wire.session.get(url, ssl=wire.admin) as first:
        assert "immutable" in first.headers["Cache-Control"]
        etag = first.headers["ETag"]
    async with wire.session.get(url, ssl=wire.admin, headers={"If-None-Match": etag}) as second:
        assert second.status == 304


async def test_writes_take_field_validation(wire: Wire):
    """kubectl trusts a server to validate when it finds this parameter."""
    _, index = await wire.call("GET", "/openapi/v3")
    _, document = await wire.call("GET", index["paths"]["apis/apps/v1"]["serverRelativeURL"])
    path = document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]
    for method in ("put", "patch"):
        assert "fieldValidation" in {parameter["name"] for parameter in path[method]["parameters"]}
        assert path[method]["x-kubernetes-group-version-kind"] == {
            "group": "apps",
            "version": "v1",
            "kind": "Deployment",
        }


async def test_version_2_is_there_for_older_clients(wire: Wire):
    code, document = await wire.call("GET", "/openapi/v2")
    assert (code, document["swagger"]) == (200, "2.0")
    names = {name.rpartition("/")[2] for name in references(document)}
    assert names <= set(document["definitions"])
    asked = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
    async with wire.session.get(
        f"{wire.secure.url}/openapi/v2", ssl=wire.admin, headers={"Accept": asked}
    ) as answer:
        assert answer.content_type == "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
        assert (await answer.read()).startswith(b"\x0a\x032.0\x12")


def test_a_kind_without_a_definition_is_left_out():
    nameless = dataclasses.replace(DECLARATIONS[1], schema="")
    documents = Documents([DECLARATIONS[0], nameless])
    document = json.loads(documents.version_2().data)
    assert all(name.rpartition("/")[2] for name in references(document))


async def test_what_is_no_group_is_not_found(wire: Wire):
    for path in ("/openapi/v3/apis/nowhere/v1", "/openapi/v3/api/v2", "/openapi/v4"):
        code, _ = await wire.call("GET", path)
        assert code == 404, path


def test_every_operation_has_a_name_of_its_own():
    documents = Documents(DECLARATIONS)
    paths = json.loads(documents.version_2().data)["paths"]
    ids = [operation["operationId"] for methods in paths.values() for operation in methods.values()]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("declaration", DECLARATIONS, ids=lambda declaration: declaration.resource.key)
def test_every_kind_served_is_described(declaration: Any):
    resource = served(declaration).gvk
    place = f"apis/{resource.group}/{resource.version}" if resource.group else f"api/{resource.version}"
    document = Documents(DECLARATIONS).group(place)
    assert document is not None
    schemas = json.loads(document.data)["components"]["schemas"]
    kinds = schemas[declaration.schema]["x-kubernetes-group-version-kind"]
    assert resource._asdict() in kinds


def test_a_new_kind_makes_new_documents():
    documents = Documents(DECLARATIONS)
    assert documents.is_for(list(DECLARATIONS))
    assert not documents.is_for(DECLARATIONS[:-1])
