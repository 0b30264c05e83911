"""The authorizer by roles: masters may everything, others what their bindings give them.

A decision costs microseconds: what a user holds is indexed once and asked with dictionary lookups. Denials
are worded as kube-apiserver words them.
"""

from __future__ import annotations

from dataclasses import dataclass

from ktui.engine.api.authorization import MASTERS, denied, denied_path
from ktui.engine.api.rbac.node import NodeAuthorizer, node_of
from ktui.engine.api.rbac.policies import Policies, held_rules
from ktui.engine.api.request import Access, User
from ktui.engine.store.base import Store


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict and why."""

    allowed: bool
    reason: str = ""


class Rbac:
    """Decides by the roles and bindings in a store."""

    def __init__(self, store: Store) -> None:
        self.policies = Policies(store)
        self._nodes = NodeAuthorizer(store)

    async def authorize(self, access: Access) -> None:
        if self.allows(access):
            return
        error = denied(access)
        if why := self._why_not(access):
            error.status["message"] += f": {why}"
        raise error

    async def authorize_path(self, user: User, verb: str, path: str) -> None:
        if not self.allows_path(user, verb, path):
            raise denied_path(user, verb, path)

    def allows(self, access: Access) -> bool:
        """May the user do that?"""
        user, resource, namespace = access.user, access.resource, access.namespace
        if MASTERS in user.groups:
            return True
        if (node := node_of(user)) and self._nodes.refusal(node, access) is None:
            return True
        asked = (access.verb, resource.group, resource.plural, access.subresource, access.name)
        return self.policies.grants(user, "").allows(*asked) or (
            namespace != "" and self.policies.grants(user, namespace).allows(*asked)
        )

    def allows_path(self, user: User, verb: str, path: str) -> bool:
        """May the user ask for that path?"""
        return MASTERS in user.groups or self.policies.grants(user, "").allows_path(verb, path)

    def decide(self, access: Access) -> Decision:
        """The verdict with its reason, for those who ask about access instead of having it."""
        if not self.allows(access):
            return Decision(False, self._why_not(access))
        resource = access.resource
        asked = (access.verb, resource.group, resource.plural, access.subresource, access.name)
        for held, rules in held_rules(self.policies, access.user, access.namespace):
            if any(rule.allows(*asked) for rule in rules):
                return Decision(True, f"RBAC: allowed by {held}")
        return Decision(True)

    def _why_not(self, access: Access) -> str:
        """What there is to say on a denial."""
        node = node_of(access.user)
        why = self._nodes.refusal(node, access) if node else ""
        _, missing = self.policies.rules_for(access.user, access.namespace)
        return why or ("RBAC: " + _listed(missing) if missing else "")

    def decide_path(self, user: User, verb: str, path: str) -> Decision:
        """The verdict on a path with its reason."""
        if not self.allows_path(user, verb, path):
            return Decision(False)
        for held, rules in held_rules(self.policies, user, ""):
            if any(rule.allows_path(verb, path) for rule in rules):
                return Decision(True, f"RBAC: allowed by {held}")
        return Decision(True)


def _listed(problems: list[str]) -> str:
    return problems[0] if len(problems) == 1 else "[" + ", ".join(problems) + "]"
