"""The kinds a cluster serves, found by any name people type: plural, singular, kind, short name, alias.

In: discovery (`Client.resources`). Out: a `Resource` for a word, and completions for the start of one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ktui.kube.resource import GroupVersionKind, Object, Resource

ALIASES = {
    "dp": "deployments", "dep": "deployments", "pod": "pods", "cj": "cronjobs", "jo": "jobs", "sec": "secrets",
    "np": "networkpolicies", "cr": "clusterroles", "crb": "clusterrolebindings", "ro": "roles",
    "rb": "rolebindings", "manifests": "manifestfiles", "files": "manifestfiles",
}  # fmt: skip
"""Names k9s and habit have taught people, on top of those the cluster declares."""


class Catalog:
    """Every listable resource type of a cluster."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self.resources: Sequence[Resource] = [
            resource for resource in resources if not resource.verbs or "list" in resource.verbs
        ]
        self._by_name: dict[str, Resource] = {}
        for resource in self.resources:
            for name in (
                resource.plural,
                resource.key,
                resource.singular,
                resource.kind.lower(),
                *resource.short_names,
            ):
                if name:
                    self._by_name.setdefault(name.lower(), resource)
        for alias, plural in ALIASES.items():
            if plural in self._by_name:
                self._by_name.setdefault(alias, self._by_name[plural])

    def find(self, word: str) -> Resource | None:
        """The resource type a word names (any case, `deployments.apps` too)."""
        return self._by_name.get(word.lower())

    def of_reference(self, reference: Object) -> Resource | None:
        """The resource type of an owner or object reference (`apiVersion`, `kind`)."""
        group, _, kind = GroupVersionKind.of(reference)
        return next((r for r in self.resources if r.group == group and r.kind == kind), None)

    def complete(self, start: str) -> list[str]:
        """Names that continue `start`: plurals first, then the other names, shortest first."""
        start = start.lower()
        plurals = sorted(
            {r.plural for r in self.resources if r.plural.startswith(start)}, key=lambda n: (len(n), n)
        )
        others = sorted(
            (n for n in self._by_name if n.startswith(start) and n not in plurals), key=lambda n: (len(n), n)
        )
        return plurals + others
