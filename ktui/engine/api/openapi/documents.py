"""The documents themselves, built when first asked for and kept until the kinds served change."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from ktui.engine.api.aggregation.describing import merged_version_2
from ktui.engine.api.declaration import Declaration
from ktui.engine.api.discovery import served
from ktui.engine.api.openapi import version_2_protobuf
from ktui.engine.api.openapi.components import as_version_3, list_name, reached, with_lists
from ktui.engine.api.openapi.operations import DELETE_OPTIONS, PATCH, STATUS, Operation, Parameter, operations
from ktui.engine.api.schema import load
from ktui.kube import version
from ktui.kube.resource import Object

_INFO: Object = {"title": "Kubernetes", "version": version.GIT_VERSION}
_ANSWERS = ("application/json", "application/yaml")
_BODIES = {
    "patch": (
        "application/apply-patch+yaml",
        "application/json-patch+json",
        "application/merge-patch+json",
        "application/strategic-merge-patch+json",
    )
}


@dataclass(frozen=True, slots=True)
class Document:
    """One document as bytes, and the hash that changes with them."""

    data: bytes
    hash: str


class Documents:
    """All documents of the kinds served at one time."""

    def __init__(
        self, declarations: Sequence[Declaration], remotes: Mapping[str, tuple[Object, str]] | None = None
    ) -> None:
        """`remotes` are those of other servers, by place: the document of version 2, and the hash of version 3's."""
        self._declarations = declarations
        self._remotes = remotes or {}
        # Kinds that are never stored may have no definition: there is nothing to say of them.
        self._described = [d for d in declarations if d.custom is not None or d.schema in load().definitions]
        self._version_3: dict[str, Document] = {}
        self._version_2: dict[str, Document] = {}

    def is_for(
        self, declarations: Sequence[Declaration], remotes: Mapping[str, tuple[Object, str]] | None = None
    ) -> bool:
        """Whether these are the kinds the documents are about."""
        if (remotes or {}) != self._remotes:
            return False
        return len(declarations) == len(self._declarations) and all(
            mine is theirs for mine, theirs in zip(self._declarations, declarations, strict=True)
        )

    def index(self) -> bytes:
        """What `/openapi/v3` says: where each group's document is, with its hash."""
        self._build()
        paths = {
            place: {"serverRelativeURL": f"/openapi/v3/{place}?hash={document.hash}"}
            for place, document in self._version_3.items()
        }
        for place, (_, hash_3) in self._remotes.items():
            if hash_3:
                paths[place] = {"serverRelativeURL": f"/openapi/v3/{place}?hash={hash_3}"}
        return msgspec.json.encode({"paths": paths})

    def group(self, place: str) -> Document | None:
        """The document of `apis/apps/v1`; None if there is no such group."""
        self._build()
        return self._version_3.get(place)

    def version_2(self, *, protobuf: bool = False) -> Document:
        """The one document of version 2, as JSON or in gnostic's protobuf."""
        form = "protobuf" if protobuf else "json"
        if form not in self._version_2:
            content = self._version_2_content()
            if self._remotes:
                others = {f"/{place}": document for place, (document, _) in self._remotes.items()}
                content = merged_version_2(content, others)
            data = version_2_protobuf.encode(content) if protobuf else msgspec.json.encode(content)
            self._version_2[form] = _document(data)
        return self._version_2[form]

    def _version_2_content(self) -> Object:
        definitions = with_lists(load(), self._described, version_2=True)
        found = list(_operations(self._described))
        return {
            "swagger": "2.0",
            "info": _INFO,
            "paths": _paths(found, _operation_2),
            "definitions": reached(definitions, [*_roots(self._described), *_mentioned(found)]),
        }

    def _build(self) -> None:
        if self._version_3:
            return
        definitions = with_lists(load(), self._described)
        groups: dict[str, list[Declaration]] = {}
        for declaration in self._described:
            resource = declaration.resource
            place = (
                f"apis/{resource.group}/{resource.version}" if resource.group else f"api/{resource.version}"
            )
            groups.setdefault(place, []).append(declaration)
        documents: dict[str, Document] = {}
        for place, members in groups.items():
            found = list(_operations(members))
            parts = reached(definitions, [*_roots(members), *_mentioned(found)])
            content = {
                "openapi": "3.0.0",
                "info": _INFO,
                "paths": _paths(found, _operation_3),
                "components": {"schemas": {name: as_version_3(name, part) for name, part in parts.items()}},
            }
            documents[place] = _document(msgspec.json.encode(content))
        self._version_3 = documents


_Convert = Callable[[Operation], Object]


def _document(data: bytes) -> Document:
    return Document(data, hashlib.sha256(data).hexdigest().upper())


def _operations(declarations: Iterable[Declaration]) -> Iterable[Operation]:
    for declaration in declarations:
        yield from operations(served(declaration), declaration.schema, list_name(declaration))


def _roots(declarations: Iterable[Declaration]) -> list[str]:
    names = [STATUS, DELETE_OPTIONS, PATCH]
    for declaration in declarations:
        names += [declaration.schema, list_name(declaration)]
    return names


def _mentioned(found: Iterable[Operation]) -> set[str]:
    return {name for operation in found for name in (operation.body, operation.answer) if name}


def _paths(found: Iterable[Operation], convert: _Convert) -> Object:
    paths: Object = {}
    for operation in found:
        paths.setdefault(operation.path, {})[operation.method] = convert(operation)
    return paths


def _described(operation: Operation) -> Object:
    kind = operation.kind
    return {
        "operationId": operation.id,
        "x-kubernetes-action": operation.action,
        "x-kubernetes-group-version-kind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
    }


def _code(operation: Operation) -> str:
    return "201" if operation.action == "post" else "200"


def _operation_3(operation: Operation) -> Object:
    answer: Object = {"description": "OK"}
    if operation.answer:
        answer["content"] = {media: {"schema": _link_3(operation.answer)} for media in _ANSWERS}
    else:
        answer["content"] = {"text/plain": {"schema": {"type": "string"}}}
    result: Object = {
        **_described(operation),
        "parameters": [
            *(
                {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                for name in operation.path_parameters
            ),
            *(
                {
                    "name": parameter.name,
                    "in": "query",
                    "description": parameter.description,
                    "schema": {"type": parameter.type, "uniqueItems": True},
                }
                for parameter in operation.parameters
            ),
        ],
        "responses": {_code(operation): answer, "401": {"description": "Unauthorized"}},
    }
    if operation.body:
        kinds = _BODIES.get(operation.method, ("application/json", "application/yaml"))
        result["requestBody"] = {
            "content": {kind: {"schema": _link_3(operation.body)} for kind in kinds},
            "required": operation.method != "delete",
        }
    return result


def _link_3(name: str) -> Object:
    return {"$ref": f"#/components/schemas/{name}"}


def _operation_2(operation: Operation) -> Object:
    answer: Object = {"description": "OK", "schema": {"type": "string"}}
    if operation.answer:
        answer["schema"] = {"$ref": f"#/definitions/{operation.answer}"}
    parameters: list[Object] = [
        {"name": name, "in": "path", "required": True, "type": "string", "uniqueItems": True}
        for name in operation.path_parameters
    ]
    if operation.body:
        parameters.append(
            {
                "name": "body",
                "in": "body",
                "required": operation.method != "delete",
                "schema": {"$ref": f"#/definitions/{operation.body}"},
            }
        )
    parameters += [_parameter_2(parameter) for parameter in operation.parameters]
    return {
        **_described(operation),
        "consumes": list(_BODIES.get(operation.method, ("*/*",))),
        "produces": list(_ANSWERS),
        "parameters": parameters,
        "responses": {_code(operation): answer, "401": {"description": "Unauthorized"}},
    }


def _parameter_2(parameter: Parameter) -> Object:
    return {
        "name": parameter.name,
        "in": "query",
        "type": parameter.type,
        "description": parameter.description,
        "uniqueItems": True,
    }
