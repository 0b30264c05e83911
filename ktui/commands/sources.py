"""The objects in files given with `-f`, with their places, and mistakes told as `path:line:column: …`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ktui.commands.session import UserError
from ktui.commands.targets import ResourceIndex
from ktui.kube.errors import StatusError
from ktui.kube.kind_hints import unknown_kind
from ktui.kube.manifest import Document, ManifestError, parse
from ktui.kube.manifest_problem import Problem, explain
from ktui.kube.resource import GroupVersionKind, Object, Resource

_SUFFIXES = (".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True)
class Source:
    """One object of a file."""

    path: str
    document: Document
    resource: Resource
    object: Object
    namespace: str

    @property
    def name(self) -> str:
        return self.object["metadata"]["name"]

    def explain(self, error: StatusError) -> list[str]:
        """An API error in terms of the file, a line for each cause."""
        return [problem.at(self.path) for problem in explain(self.document, error)]


def read_sources(
    filenames: Sequence[str],
    *,
    recursive: bool,
    index: ResourceIndex,
    namespace: str,
    explicit_namespace: bool,
) -> tuple[list[Source], list[str]]:
    """Every object in the files, in order, and a line for each mistake."""
    found: list[Source] = []
    mistakes: list[str] = []
    if not filenames:
        raise UserError("must specify one of -f")
    for path, data in _contents(filenames, recursive):
        try:
            documents = parse(data, is_json=path.endswith(".json"))
        except ManifestError as error:
            mistakes.append(Problem.of(error).at(path))
            continue
        for document in documents:
            source = _source(path, document, index, namespace, explicit_namespace)
            if isinstance(source, Problem):
                mistakes.append(source.at(path))
            else:
                found.append(source)
    if not found and not mistakes:
        raise UserError("no objects passed: the files hold no manifests")
    return found, mistakes


def _contents(filenames: Sequence[str], recursive: bool) -> Iterator[tuple[str, bytes]]:
    for filename in filenames:
        if filename == "-":
            yield "<stdin>", sys.stdin.buffer.read()
            continue
        if filename.startswith(("http://", "https://")):
            raise UserError(f"manifests are not fetched: download {filename} first and name the file")
        path = Path(filename)
        if path.is_dir():
            walk = path.rglob("*") if recursive else path.iterdir()
            files = sorted(file for file in walk if file.suffix in _SUFFIXES and file.is_file())
        elif path.exists():
            files = [path]
        else:
            raise UserError(f'the path "{filename}" does not exist')
        for file in files:
            yield str(file), file.read_bytes()


def _source(
    path: str, document: Document, index: ResourceIndex, namespace: str, explicit_namespace: bool
) -> Source | Problem:
    obj = document.object
    gvk = GroupVersionKind.of(obj)
    metadata = obj.get("metadata")
    if not gvk.version or not gvk.kind:
        missing = "kind" if gvk.version else "apiVersion"
        return Problem("Required value: every object needs it", document.position, missing)
    resource = index.of_object(obj)
    if resource is None:
        return Problem.in_field(document, "kind", unknown_kind(gvk, index.resources))
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        return Problem.in_field(document, "metadata.name", "Required value: name is required")
    if not resource.namespaced:
        return Source(path, document, resource, obj, "")
    own = metadata.get("namespace")
    if own and explicit_namespace and own != namespace:
        message = (
            f'the namespace from the provided object "{own}" does not match the namespace "{namespace}"; '
            f"you must pass '--namespace={own}' to perform this operation"
        )
        return Problem.in_field(document, "metadata.namespace", message)
    place = own or namespace
    return Source(path, document, resource, {**obj, "metadata": {**metadata, "namespace": place}}, place)
