"""Who holds which rules: the stored roles and bindings as an index by subject.

The index is made anew when a role or a binding has changed, which the store tells with an integer; objects
that stayed are not decoded again. What a user holds is put together once and kept until then.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from ktui.engine.api.rbac.rules import Grants, Rule
from ktui.engine.api.request import User
from ktui.engine.store.base import Entry, Key, Store
from ktui.kube.kinds import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES

log = logging.getLogger(__name__)

_KINDS = (CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES)
_ACCOUNT = "system:serviceaccount:"
_MOST_USERS = 2048
"""How many users' grants are kept."""


class _Role(msgspec.Struct, frozen=True):
    rules: tuple[Rule, ...] | None = None


class RoleRef(msgspec.Struct, frozen=True):
    """The role a binding grants."""

    name: str
    kind: str


class Subject(msgspec.Struct, frozen=True):
    """Whom a binding grants it to."""

    kind: str
    name: str
    namespace: str = ""

    def user_name(self, namespace: str) -> str:
        """The user this is, if it is no group. A binding's own namespace is that of accounts that name none."""
        if self.kind != "ServiceAccount":
            return self.name
        return f"{_ACCOUNT}{self.namespace or namespace}:{self.name}"

    def __str__(self) -> str:
        name = f"{self.name}/{self.namespace}" if self.namespace else self.name
        return f'{self.kind} "{name}"'


class _Binding(msgspec.Struct, frozen=True):
    reference: RoleRef = msgspec.field(name="roleRef")
    subjects: tuple[Subject, ...] | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """One binding that applies to a user."""

    binding: Key
    reference: RoleRef
    subject: Subject

    def __str__(self) -> str:
        """As kube-apiserver gives reasons."""
        kind, name = "ClusterRoleBinding", self.binding.name
        if self.binding.namespace:
            kind, name = "RoleBinding", f"{name}/{self.binding.namespace}"
        return f'{kind} "{name}" of {self.reference.kind} "{self.reference.name}" to {self.subject}'


_decode_role = msgspec.json.Decoder(_Role).decode
_decode_binding = msgspec.json.Decoder(_Binding).decode


class Policies:
    """The roles and bindings of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen: tuple[int, ...] | None = None
        self._decoded: dict[Key, tuple[int, _Role | _Binding | None]] = {}
        self._by_user: dict[tuple[str, str], list[Held]] = {}
        self._by_group: dict[tuple[str, str], list[Held]] = {}
        self._grants: dict[tuple[str, tuple[str, ...], str], Grants] = {}

    def grants(self, user: User, namespace: str) -> Grants:
        """What bindings in a namespace ("": of the whole cluster) give a user."""
        self._refresh()
        key = (user.name, user.groups, namespace)
        found = self._grants.get(key)
        if found is None:
            if len(self._grants) >= _MOST_USERS:
                self._grants.clear()
            rules = [rule for held in self._held_in(user, namespace) for rule in self.rules_of(held) or ()]
            found = self._grants[key] = Grants(rules)
        return found

    def held(self, user: User, namespace: str) -> list[Held]:
        """The bindings that count for a user's requests in a namespace, the cluster's first."""
        self._refresh()
        found = list(self._held_in(user, ""))
        return found + list(self._held_in(user, namespace)) if namespace else found

    def rules_of(self, held: Held) -> tuple[Rule, ...] | None:
        """The rules a binding gives; None if there is no such role."""
        return self.role(held.reference, held.binding.namespace)

    def role(self, reference: RoleRef, namespace: str) -> tuple[Rule, ...] | None:
        """The rules of a role that a binding in `namespace` refers to; None if there is no such role."""
        if reference.kind == "Role":
            key = Key(ROLES.key, namespace, reference.name)
        else:
            key = Key(CLUSTER_ROLES.key, "", reference.name)
        entry = self._store.get(key)
        role = self._decode(entry) if entry else None
        return (role.rules or ()) if isinstance(role, _Role) else None

    def rules_for(self, user: User, namespace: str) -> tuple[list[Rule], list[str]]:
        """All rules that count for a user's requests in a namespace, and what kept some from being found."""
        rules: list[Rule] = []
        missing: list[str] = []
        for held in self.held(user, namespace):
            found = self.rules_of(held)
            if found is None:
                missing.append(missing_role(held.reference))
            else:
                rules += found
        return rules, missing

    def _held_in(self, user: User, namespace: str) -> Iterator[Held]:
        yield from self._by_user.get((namespace, user.name), ())
        for group in user.groups:
            yield from self._by_group.get((namespace, group), ())

    def _refresh(self) -> None:
        seen = tuple([self._store.changed(resource.key) for resource in _KINDS])
        if seen == self._seen:
            return
        self._seen = seen
        self._grants.clear()
        self._by_user.clear()
        self._by_group.clear()
        known: set[Key] = set()
        for entry in self._entries():
            known.add(entry.key)
            binding = self._decode(entry)
            if isinstance(binding, _Binding):
                self._index(entry.key, binding)
        self._decoded = {key: found for key, found in self._decoded.items() if key in known}

    def _entries(self) -> Iterator[Entry]:
        for resource in _KINDS:
            yield from self._store.list(resource.key).entries

    def _index(self, key: Key, binding: _Binding) -> None:
        for subject in binding.subjects or ():
            held = Held(key, binding.reference, subject)
            if subject.kind == "Group":
                self._by_group.setdefault((key.namespace, subject.name), []).append(held)
            else:
                name = subject.user_name(key.namespace)
                self._by_user.setdefault((key.namespace, name), []).append(held)

    def _decode(self, entry: Entry) -> _Role | _Binding | None:
        revision, found = self._decoded.get(entry.key, (0, None))
        if revision != entry.revision:
            is_role = entry.key.resource in (ROLES.key, CLUSTER_ROLES.key)
            try:
                found = _decode_role(entry.data) if is_role else _decode_binding(entry.data)
            except msgspec.DecodeError:
                log.exception("%s can't be read and grants nothing", entry.key)
                found = None
            self._decoded[entry.key] = (entry.revision, found)
        return found


def missing_role(reference: RoleRef) -> str:
    """As kube-apiserver words it."""
    resource = ROLES if reference.kind == "Role" else CLUSTER_ROLES
    return f'{resource.key} "{reference.name}" not found'


def held_rules(policies: Policies, user: User, namespace: str) -> Sequence[tuple[Held, tuple[Rule, ...]]]:
    """The bindings that count for a user's requests, with their rules."""
    return [(held, policies.rules_of(held) or ()) for held in policies.held(user, namespace)]
