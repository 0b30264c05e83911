"""Puts the default roles and bindings into a cluster at start, and mends them.

As kube-apiserver does: what is missing is made; an object whose annotation autoupdate is "true" gets back
rules, subjects, labels and annotations it lost, and keeps what it has beyond them. A binding that refers to
another role is replaced. Any other value of the annotation means hands off.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import msgspec

from ktui.client.base import WriteOptions
from ktui.engine.api.documents import decode, with_metadata
from ktui.engine.api.rbac.covering import compact, uncovered
from ktui.engine.api.rbac.defaults import AUTO_UPDATE, default_objects
from ktui.engine.api.rbac.rules import Rule
from ktui.engine.api.request import Request
from ktui.engine.api.server import SERVER, ApiServer
from ktui.kube.data import items, mapping, section
from ktui.kube.errors import StatusError
from ktui.kube.resource import Object, Resource

_OWN = Request(SERVER.user, SERVER.user_agent, validated=True)
_WRITE = WriteOptions(field_manager="kube-apiserver")


async def ensure_default_roles(server: ApiServer) -> None:
    """Reconcile every default; writes go together."""
    await asyncio.gather(*(_ensure(server, resource, wanted) for resource, wanted in default_objects()))


async def _ensure(server: ApiServer, resource: Resource, wanted: Object) -> None:
    metadata = section(wanted, "metadata")
    name, namespace = metadata["name"], metadata.get("namespace") or ""
    wanted = {"apiVersion": resource.api_version, "kind": resource.kind, **wanted}
    try:
        found = decode(await server.get(_OWN, resource, name, namespace))
    except StatusError as error:
        if not error.is_not_found:
            raise
        await server.create(_OWN, resource, wanted, namespace, _WRITE)
        return
    if mapping(section(found, "metadata"), "annotations").get(AUTO_UPDATE) != "true":
        return
    if "roleRef" in wanted and section(found, "roleRef") != wanted["roleRef"]:
        await server.delete(_OWN, resource, name, namespace)
        await server.create(_OWN, resource, wanted, namespace, _WRITE)
        return
    mended = completed(found, wanted)
    if mended != found:
        await server.update(_OWN, resource, name, mended, namespace, _WRITE)


def completed(found: Object, wanted: Object) -> Object:
    """What is stored with what it lacks of a default."""
    before, after = section(found, "metadata"), section(wanted, "metadata")
    mended = with_metadata(
        found,
        labels={**mapping(before, "labels"), **mapping(after, "labels")},
        annotations={**mapping(after, "annotations"), **mapping(before, "annotations")},
    )
    if "aggregationRule" in wanted:
        mended["aggregationRule"] = _with_selectors(section(found, "aggregationRule"), wanted)
    elif "rules" in wanted:
        have, want = items(found, "rules"), items(wanted, "rules")
        missing = uncovered(_typed(have), _typed(want))
        if missing:
            mended["rules"] = [*have, *(msgspec.to_builtins(rule) for rule in compact(missing))]
    if "subjects" in wanted:
        subjects = items(found, "subjects")
        added = [subject for subject in items(wanted, "subjects") if subject not in subjects]
        if added:
            mended["subjects"] = [*subjects, *added]
    return mended


def _with_selectors(rule: Object, wanted: Object) -> Object:
    have = items(rule, "clusterRoleSelectors")
    want = items(section(wanted, "aggregationRule"), "clusterRoleSelectors")
    return {**rule, "clusterRoleSelectors": [*have, *(each for each in want if each not in have)]}


def _typed(rules: Iterable[Object]) -> list[Rule]:
    return [msgspec.convert(rule, Rule) for rule in rules]
