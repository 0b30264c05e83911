"""Which of a definition's names are free: the status a CustomResourceDefinition should have.

A name is taken when another definition of the group has had it accepted, or a built-in kind of the group has
it. Names once accepted stay while the wanted ones are taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from ktui.engine.api.crd.conditions import with_condition
from ktui.engine.api.crd.facts import is_condition, storage_version
from ktui.kube.data import items, section, string, strings
from ktui.kube.resource import Object, Resource

_REASONS: Final = {
    "plural": "PluralConflict",
    "singular": "SingularConflict",
    "shortNames": "ShortNamesConflict",
    "kind": "KindConflict",
    "listKind": "ListKindConflict",
}


def accepted(
    definition: Object, others: Iterable[Object], built_in: Sequence[Resource], now: datetime
) -> Object:
    """The definition with acceptedNames, storedVersions, NamesAccepted and Established as they should be."""
    spec = section(definition, "spec")
    names, had = section(spec, "names"), section(definition, "status", "acceptedNames")
    resources, kinds = _taken(string(spec, "group"), others, built_in)
    kept, reason, problems = _chosen(names, had, resources, kinds)
    found = _with_storage(definition)
    found = {**found, "status": {**section(found, "status"), "acceptedNames": kept}}
    if problems:
        found = with_condition(found, "NamesAccepted", "False", reason, "; ".join(problems), now)
        if not is_condition(found, "Established"):
            text = "not all names are accepted"
            found = with_condition(found, "Established", "False", "NotAccepted", text, now)
        return found
    found = with_condition(found, "NamesAccepted", "True", "NoConflicts", "no conflicts found", now)
    if is_condition(found, "Established"):
        return found
    text = "the initial names have been accepted"
    return with_condition(found, "Established", "True", "InitialNamesAccepted", text, now)


def _with_storage(definition: Object) -> Object:
    """Every version that objects may be stored in is listed in status.storedVersions."""
    found = section(definition, "status")
    stored, version = strings(found, "storedVersions"), storage_version(definition)
    if not version or version in stored:
        return definition
    return {**definition, "status": {**found, "storedVersions": [*stored, version]}}


def _taken(group: str, others: Iterable[Object], built_in: Sequence[Resource]) -> tuple[set[str], set[str]]:
    """Names of resources and of kinds in use in a group."""
    resources: set[str] = set()
    kinds: set[str] = set()
    for other in others:
        if section(other, "spec").get("group") == group:
            names = section(other, "status", "acceptedNames")
            resources |= {string(names, "plural"), string(names, "singular"), *strings(names, "shortNames")}
            kinds |= {string(names, "kind"), string(names, "listKind")}
    for resource in built_in:
        if resource.group == group:
            resources |= {resource.plural, resource.singular, *resource.short_names}
            kinds |= {resource.kind, f"{resource.kind}List"}
    return resources - {""}, kinds - {""}


def _chosen(
    names: Object, had: Object, resources: set[str], kinds: set[str]
) -> tuple[Object, str, list[str]]:
    """The accepted names, the reason of the last conflict, and every conflict in words."""
    kept: Object = dict(had)
    reason, problems = "", list[str]()
    for field, used in (
        ("plural", resources),
        ("singular", resources),
        ("shortNames", resources),
        ("kind", kinds),
        ("listKind", kinds),
    ):
        wanted = strings(names, field) if field == "shortNames" else [string(names, field)]
        conflicts = [name for name in wanted if name in used]
        if conflicts:
            reason = _REASONS[field]
            problems += [f'"{name}" is already in use' for name in conflicts]
        elif names.get(field):
            kept[field] = names[field]
        else:
            kept.pop(field, None)
    if items(names, "categories"):
        kept["categories"] = names["categories"]
    else:
        kept.pop("categories", None)
    return kept, reason, problems
