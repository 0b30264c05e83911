"""Do some rules give all that others give? What nobody may hand out more than they hold is checked with.

Both sides are taken apart into atoms (one verb on one resource of one group); what is missing is put together
again to be shown the way kube-apiserver shows it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from ktui.engine.api.rbac.rules import ALL, Grants, Rule, url_covers


def uncovered(held: Sequence[Rule], wanted: Iterable[Rule]) -> list[Rule]:
    """The atoms of `wanted` that `held` doesn't give."""
    grants = Grants(held)
    return [atom for rule in wanted for atom in atoms(rule) if not _covered(grants, held, atom)]


def atoms(rule: Rule) -> Iterator[Rule]:
    """A rule as the smallest rules that together are it."""
    for group in rule.groups:
        for resource in rule.resources:
            for verb in rule.verbs:
                for names in [(name,) for name in rule.names] or [()]:
                    yield Rule(verbs=(verb,), groups=(group,), resources=(resource,), names=names)
    for url in rule.urls:
        for verb in rule.verbs:
            yield Rule(verbs=(verb,), urls=(url,))


def _covered(grants: Grants, held: Sequence[Rule], atom: Rule) -> bool:
    verb = atom.verbs[0]
    if atom.urls:
        return any(
            (ALL in rule.verbs or verb in rule.verbs)
            and any(url_covers(url, atom.urls[0]) for url in rule.urls)
            for rule in held
        )
    resource, _, subresource = atom.resources[0].partition("/")
    return grants.allows(verb, atom.groups[0], resource, subresource, atom.names[0] if atom.names else "")


def compact(rules: Iterable[Rule]) -> list[Rule]:
    """Verbs on the same resource in one rule."""
    whole: list[Rule] = []
    simple: dict[tuple[object, ...], Rule] = {}
    for rule in rules:
        if rule.urls or len(rule.groups) != 1 or len(rule.resources) != 1 or len(rule.names) > 1:
            whole.append(rule)
            continue
        key = (rule.groups, rule.resources, rule.names)
        known = simple.get(key)
        simple[key] = msgspec.structs.replace(rule, verbs=known.verbs + rule.verbs) if known else rule
    return whole + list(simple.values())


def shown(rule: Rule) -> str:
    """`{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}`."""
    parts = (
        ("APIGroups", rule.groups),
        ("Resources", rule.resources),
        ("NonResourceURLs", rule.urls),
        ("ResourceNames", rule.names),
        ("Verbs", rule.verbs),
    )
    return "{" + ", ".join(f"{name}:{quoted(values)}" for name, values in parts if values) + "}"


def quoted(values: Iterable[str]) -> str:
    """As Go prints strings with %q: `["a" "b"]`."""
    return "[" + " ".join(json.dumps(value, ensure_ascii=False) for value in values) + "]"
