"""Which requests a webhook or a policy is about: rules on resources, and selectors on namespace and object.

A match names the version of the resource by which the rule knows it: with matchPolicy Equivalent a request in
another version matches too, and the object is shown in the rule's version.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ktui.engine.api.admission.base import Attributes, View
from ktui.engine.api.declaration import Declaration
from ktui.engine.api.registry import Registry
from ktui.kube.data import items, mapping, section, string, strings
from ktui.kube.errors import not_found
from ktui.kube.kinds import NAMESPACES
from ktui.kube.resource import Object
from ktui.kube.selector import Selector

_GROUP: Final = "admissionregistration.k8s.io"


def is_exempt(request: Attributes) -> bool:
    """Nothing may keep people from repairing what decides on admission. Of a binding and an eviction admission has
    seen the body; what they then write into the pod is the server's own doing."""
    if request.resource.group == _GROUP:
        return True
    return request.kind is None and request.subresource in ("binding", "eviction")


@dataclass(frozen=True, slots=True)
class Rule:
    """`RuleWithOperations`, and the names a policy's rule may have."""

    operations: frozenset[str]
    groups: frozenset[str]
    versions: frozenset[str]
    resources: Sequence[tuple[str, str]]
    scope: str
    names: frozenset[str]

    @classmethod
    def of(cls, rule: Object) -> Rule:
        split = [name.partition("/") for name in strings(rule, "resources")]
        return cls(
            frozenset(strings(rule, "operations")),
            frozenset(strings(rule, "apiGroups")),
            frozenset(strings(rule, "apiVersions")),
            [(resource, subresource) for resource, _, subresource in split],
            string(rule, "scope") or "*",
            frozenset(strings(rule, "resourceNames")),
        )

    def matches(self, request: Attributes) -> bool:
        """In any version of the resource."""
        resource = request.resource
        return (
            bool(self.operations & {"*", request.operation})
            and bool(self.groups & {"*", resource.group})
            and any(
                plural in ("*", resource.plural) and subresource in ("*", request.subresource)
                for plural, subresource in self.resources
            )
            and self.scope in ("*", "Namespaced" if resource.namespaced else "Cluster")
            and (not self.names or request.name in self.names)
        )

    def takes(self, version: str) -> bool:
        return bool(self.versions & {"*", version})


@dataclass(frozen=True, slots=True)
class Match:
    """Rules with their exceptions and selectors."""

    rules: Sequence[Rule]
    excluded: Sequence[Rule]
    is_equivalent: bool
    namespaces: Selector
    objects: Selector

    @classmethod
    def of(cls, match: Object, rules: str = "resourceRules") -> Match:
        """Of a webhook (whose field is `rules`), or of `MatchResources`."""
        return cls(
            [Rule.of(rule) for rule in items(match, rules)],
            [Rule.of(rule) for rule in items(match, "excludeResourceRules")],
            string(match, "matchPolicy") != "Exact",
            Selector.of(section(match, "namespaceSelector")),
            Selector.of(section(match, "objectSelector")),
        )


class Matcher:
    """Matches requests with what the cluster has: other versions of a kind, labels of namespaces."""

    def __init__(self, view: View, registry: Registry) -> None:
        self._view = view
        self._registry = registry

    def matched(
        self, match: Match, request: Attributes, obj: Object | None, old: Object | None
    ) -> Declaration | None:
        """The kind in the version it was matched in; None if the request is not meant.

        Raises 404 when the rules match and the namespace whose labels decide is missing.
        """
        if match.excluded and self._resource(match, match.excluded, request) is not None:
            return None
        found = self._resource(match, match.rules, request) if match.rules else request.declaration
        if found is None or not _selects(match.objects, obj, old):
            return None
        return found if self._selects_namespace(match.namespaces, request, obj) else None

    def _resource(self, match: Match, rules: Iterable[Rule], request: Attributes) -> Declaration | None:
        resource = request.resource
        about = [rule for rule in rules if rule.matches(request)]
        if any(rule.takes(resource.version) for rule in about):
            return request.declaration
        if not about or not match.is_equivalent:
            return None
        others = [
            declaration
            for declaration in self._registry
            if declaration.resource.key == resource.key and declaration.resource.version != resource.version
        ]
        return next((other for rule in about for other in others if rule.takes(other.resource.version)), None)

    def _selects_namespace(self, selector: Selector, request: Attributes, obj: Object | None) -> bool:
        if selector.empty:
            return True
        if request.resource.key == NAMESPACES.key:
            if obj is not None and not request.subresource and request.operation != "DELETE":
                return selector.matches(mapping(section(obj, "metadata"), "labels"))
            name = request.name
        elif request.namespace:
            name = request.namespace
        else:
            return True
        namespace = self._view.lookup(NAMESPACES.key, "", name)
        if namespace is None:
            raise not_found(NAMESPACES, name)
        return selector.matches(mapping(section(namespace, "metadata"), "labels"))


def _selects(selector: Selector, obj: Object | None, old: Object | None) -> bool:
    """Either of the two; what has no labels to speak of is selected by an empty selector only."""
    return selector.empty or any(
        each is not None
        and "metadata" in each
        and selector.matches(mapping(section(each, "metadata"), "labels"))
        for each in (obj, old)
    )
