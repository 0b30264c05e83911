"""What a remote API server says of itself: the resources of its version, and its OpenAPI documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

import msgspec

from ktui.engine.api.aggregation.reaching import Reaching
from ktui.engine.api.aggregation.remotes import Remote
from ktui.kube.data import items, string, strings
from ktui.kube.resource import Object, Resource

_JSON: Final = "application/json"
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class DescriptionError(Exception):
    """An answer that describes nothing; the message says which."""


@dataclass(frozen=True, slots=True)
class Described:
    """A version of a group as its server describes it."""

    resources: Sequence[Resource]
    version_2: Object = field(default_factory=dict[str, Any])
    """Its OpenAPI 2 document; empty without one."""
    hash_3: str = ""
    """Of its OpenAPI 3 document; "" without one."""


async def described(reaching: Reaching, remote: Remote) -> Described:
    """What a remote serves. It has to say which resources; its OpenAPI is taken if it has any."""
    head, content = await reaching.get(remote, remote.path, _JSON)
    if not 200 <= head.status < 300:
        raise DescriptionError(f"bad status: {head.status}")
    resources = _resources(remote, _object(content))
    version_2 = await _document(reaching, remote, "/openapi/v2")
    places: Mapping[str, Any] = (await _document(reaching, remote, "/openapi/v3")).get("paths") or {}
    link: Any = places.get(remote.path.strip("/")) or {}
    _, _, hash_3 = string(link, "serverRelativeURL").partition("?hash=")
    return Described(resources, version_2, hash_3 or ("-" if link else ""))


async def _document(reaching: Reaching, remote: Remote, path: str) -> Object:
    head, content = await reaching.get(remote, path, _JSON)
    return _object(content) if head.status == 200 else {}


def _object(content: bytes) -> Object:
    try:
        return _decode(content)
    except msgspec.DecodeError as error:
        raise DescriptionError(f"the answer is not JSON: {error}") from error


def _resources(remote: Remote, listed: Object) -> list[Resource]:
    """The resources of an `APIResourceList`."""
    found = items(listed, "resources")
    parts: dict[str, list[str]] = {}
    for each in found:
        name, slash, part = string(each, "name").partition("/")
        if slash:
            parts.setdefault(name, []).append(part)
    return [
        Resource(
            remote.group,
            remote.version,
            name,
            string(each, "kind"),
            bool(each.get("namespaced")),
            string(each, "singularName"),
            tuple(strings(each, "shortNames")),
            tuple(strings(each, "categories")),
            verbs=tuple(strings(each, "verbs")),
            subresources=tuple(sorted(parts.get(name, ()))),
        )
        for each in found
        if "/" not in (name := string(each, "name"))
    ]


def merged_version_2(own: Object, remotes: Mapping[str, Object]) -> Object:
    """The server's own OpenAPI 2 document with the paths of remotes (by where their resources are), and the
    definitions those need. Of two definitions of one name the server's own counts."""
    paths: Object = dict(own["paths"])
    definitions: Object = dict(own["definitions"])
    for prefix, document in remotes.items():
        theirs: Object = document.get("definitions") or {}
        served: Object = document.get("paths") or {}
        kept = {
            path: what for path, what in served.items() if path == prefix or path.startswith(f"{prefix}/")
        }
        paths = {**kept, **paths}
        waiting = list(_links(kept))
        while waiting:
            name = waiting.pop()
            if name in theirs and name not in definitions:
                definitions[name] = theirs[name]
                waiting += _links(theirs[name])
    return {**own, "paths": paths, "definitions": definitions}


def _links(node: Any) -> list[str]:
    """The names of definitions that are referred to."""
    found: list[str] = []
    waiting = [node]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            content = cast("Object", value)
            link = content.get("$ref")
            if isinstance(link, str):
                found.append(link.removeprefix("#/definitions/"))
            waiting += content.values()
        elif isinstance(value, list):
            waiting += cast("list[Any]", value)
    return found
