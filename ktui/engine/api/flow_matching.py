"""Which flow schema a request belongs to: the first, by precedence, with a rule for its user and for what it asks.

In: who asks for what. Out: the UIDs of the schema and of its priority level. Schemas are read anew when one was
written; what was found for a kind of request is remembered until then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from ktui.engine.api.documents import decode
from ktui.engine.api.request import User
from ktui.engine.store.base import Key, Store
from ktui.kube.data import items, section, string, strings
from ktui.kube.kinds import FLOW_SCHEMAS, PRIORITY_LEVEL_CONFIGURATIONS
from ktui.kube.resource import Object

_ALL: Final = "*"
_ACCOUNT: Final = "system:serviceaccount:"
_MOST_REMEMBERED: Final = 2000


class Asked(NamedTuple):
    """What a request is about: a resource (with its subresource), or else a path."""

    verb: str
    group: str = ""
    resource: str = ""
    namespace: str = ""
    path: str = ""


class FlowIds(NamedTuple):
    """UIDs of the flow schema and the priority level a request is served by."""

    schema: str
    level: str


@dataclass(frozen=True, slots=True)
class _Schema:
    ids: FlowIds
    rules: list[Object]


class FlowMatcher:
    """The schemas of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen = (-1, -1)
        self._schemas: list[_Schema] = []
        self._known: dict[tuple[str, tuple[str, ...], Asked], FlowIds | None] = {}

    def of(self, user: User, asked: Asked) -> FlowIds | None:
        """None: the cluster has no schema for it."""
        changed = (
            self._store.changed(FLOW_SCHEMAS.key),
            self._store.changed(PRIORITY_LEVEL_CONFIGURATIONS.key),
        )
        if changed != self._seen or len(self._known) > _MOST_REMEMBERED:
            self._seen, self._known = changed, {}
            self._schemas = self._read()
        key = (user.name, tuple(user.groups), asked)
        if key not in self._known:
            found = (s.ids for s in self._schemas if any(_matches(rule, user, asked) for rule in s.rules))
            self._known[key] = next(found, None)
        return self._known[key]

    def _read(self) -> list[_Schema]:
        found: list[tuple[int, str, _Schema]] = []
        for entry in self._store.list(FLOW_SCHEMAS.key).entries:
            schema = decode(entry.data)
            spec = section(schema, "spec")
            level = self._store.get(
                Key(
                    PRIORITY_LEVEL_CONFIGURATIONS.key,
                    "",
                    string(section(spec, "priorityLevelConfiguration"), "name"),
                )
            )
            if level is None:
                continue
            ids = FlowIds(_uid(schema), _uid(decode(level.data)))
            precedence = int(spec.get("matchingPrecedence") or 0)
            found.append((precedence, entry.key.name, _Schema(ids, items(spec, "rules"))))
        return [schema for _, _, schema in sorted(found, key=lambda each: each[:2])]


def _uid(obj: Object) -> str:
    return string(section(obj, "metadata"), "uid")


def _matches(rule: Object, user: User, asked: Asked) -> bool:
    if not any(_is(subject, user) for subject in items(rule, "subjects")):
        return False
    if asked.resource:
        return any(_allows(each, asked) for each in items(rule, "resourceRules"))
    return any(_leads_to(each, asked) for each in items(rule, "nonResourceRules"))


def _is(subject: Object, user: User) -> bool:
    match string(subject, "kind"):
        case "User":
            return string(section(subject, "user"), "name") in (_ALL, user.name)
        case "Group":
            group = string(section(subject, "group"), "name")
            return group == _ALL or group in user.groups
        case _:
            account = section(subject, "serviceAccount")
            name, prefix = string(account, "name"), f"{_ACCOUNT}{string(account, 'namespace')}:"
            return user.name.startswith(prefix) and name in (_ALL, user.name.removeprefix(prefix))


def _has(rule: Object, field: str, value: str) -> bool:
    found = strings(rule, field)
    return _ALL in found or value in found


def _allows(rule: Object, asked: Asked) -> bool:
    return (
        _has(rule, "verbs", asked.verb)
        and _has(rule, "apiGroups", asked.group)
        and _has(rule, "resources", asked.resource)
        and (_has(rule, "namespaces", asked.namespace) if asked.namespace else bool(rule.get("clusterScope")))
    )


def _leads_to(rule: Object, asked: Asked) -> bool:
    return _has(rule, "verbs", asked.verb) and any(
        asked.path == path or path == _ALL or (path.endswith("/*") and asked.path.startswith(path[:-1]))
        for path in strings(rule, "nonResourceURLs")
    )
