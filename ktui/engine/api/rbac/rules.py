"""Rules of roles and what they allow: the pure part of RBAC.

A `Rule` is a PolicyRule as it is stored. `Grants` is an index over many of them that answers one request with
a dozen dictionary lookups, however many rules there are. Rules only ever allow, so more rules never allow less.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product

import msgspec

ALL = "*"


class Rule(
    msgspec.Struct,
    frozen=True,
    omit_defaults=True,
    rename={
        "groups": "apiGroups",
        "names": "resourceNames",
        "urls": "nonResourceURLs",
    },
):
    """What may be done (verbs) with which resources or URLs."""

    verbs: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()

    def allows(self, verb: str, group: str, resource: str, subresource: str, name: str) -> bool:
        """Does this rule allow it?"""
        return (
            _has(self.verbs, verb)
            and _has(self.groups, group)
            and any(wanted in self.resources for wanted in _spellings(resource, subresource))
            and (not self.names or name in self.names)
        )

    def allows_path(self, verb: str, path: str) -> bool:
        """Does this rule allow a request for no resource?"""
        return _has(self.verbs, verb) and any(url_covers(url, path) for url in self.urls)


def _has(allowed: tuple[str, ...], wanted: str) -> bool:
    return ALL in allowed or wanted in allowed


def _spellings(resource: str, subresource: str) -> tuple[str, ...]:
    """How a rule may name a resource or a subresource."""
    if not subresource:
        return (ALL, resource)
    return (ALL, f"{resource}/{subresource}", f"{ALL}/{subresource}")


def url_covers(url: str, path: str) -> bool:
    """Does a rule's URL, which may end with a star, cover a path?"""
    return url in (ALL, path) or (url.endswith(ALL) and path.startswith(url.rstrip(ALL)))


class Grants:
    """All that some rules allow together."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._names: dict[tuple[str, str, str], set[str] | None] = {}
        self._urls: dict[str, list[str]] = {}
        for rule in rules:
            self._add(rule)

    def _add(self, rule: Rule) -> None:
        for key in product(rule.verbs, rule.groups, rule.resources):
            known = self._names.get(key, _NOTHING)
            if known is None:
                continue
            self._names[key] = known | set(rule.names) if rule.names else None
        for verb in rule.verbs if rule.urls else ():
            self._urls.setdefault(verb, []).extend(rule.urls)

    def allows(self, verb: str, group: str, resource: str, subresource: str, name: str) -> bool:
        """Does any of the rules allow it?"""
        return any(
            names is None or name in names
            for names in self._found(verb, group, _spellings(resource, subresource))
        )

    def _found(self, verb: str, group: str, resources: tuple[str, ...]) -> Iterator[set[str] | None]:
        known = self._names
        for resource in resources:
            for asked in (verb, ALL):
                for of_group in (group, ALL):
                    if (key := (asked, of_group, resource)) in known:
                        yield known[key]

    def allows_path(self, verb: str, path: str) -> bool:
        """Does any of the rules allow a request for no resource?"""
        urls = self._urls
        return any(url_covers(url, path) for asked in (verb, ALL) for url in urls.get(asked, ()))


_NOTHING: set[str] = set()
