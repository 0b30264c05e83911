"""Nobody hands out more than they hold: what writes of roles and bindings are checked with.

A role may have the rules its writer holds, or any if the writer may `escalate` it. A binding may grant a role
whose rules its writer holds, or any the writer may `bind`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from ktui.engine.api.admission.base import Attributes, Validating
from ktui.engine.api.authorization import MASTERS
from ktui.engine.api.rbac.covering import compact, quoted, shown, uncovered
from ktui.engine.api.rbac.policies import Policies, RoleRef
from ktui.engine.api.rbac.rules import ALL, Rule
from ktui.engine.api.request import Access, Authorizer, User
from ktui.kube.data import items, section, string
from ktui.kube.errors import StatusError, forbidden, not_found
from ktui.kube.kinds import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES
from ktui.kube.resource import Object, Resource

_ROLES: Final = (ROLES.key, CLUSTER_ROLES.key)
_BINDINGS: Final = (ROLE_BINDINGS.key, CLUSTER_ROLE_BINDINGS.key)
_EVERYTHING: Final = (
    Rule(verbs=(ALL,), groups=(ALL,), resources=(ALL,)),
    Rule(verbs=(ALL,), urls=(ALL,)),
)


class Escalation(Validating):
    """The admission plugin that refuses to grant what the writer doesn't hold."""

    def __init__(self, authorizer: Authorizer, policies: Policies) -> None:
        self._authorizer = authorizer
        self._policies = policies

    async def validate(self, request: Attributes, obj: Object | None, old: Object | None) -> None:
        if obj is None or request.subresource or MASTERS in request.user.groups:
            return
        resource = request.resource
        if resource.key in _ROLES:
            await self._check_role(request, obj, old)
        elif resource.key in _BINDINGS:
            await self._check_binding(request, obj, old)

    async def _check_role(self, request: Attributes, role: Object, old: Object | None) -> None:
        rules = items(role, "rules")
        is_same = old is not None and items(old, "rules") == rules
        if is_same and old is not None and old.get("aggregationRule") == role.get("aggregationRule"):
            return
        if await self._may(request, "escalate", request.resource, request.name):
            return
        resource, user, namespace = request.resource, request.user, request.namespace
        self._confirm(resource, request.name, user, namespace, _typed(rules))
        if role.get("aggregationRule"):
            held, _ = self._policies.rules_for(user, namespace)
            if uncovered(held, _EVERYTHING):
                why = "must have cluster-admin privileges to use the aggregationRule"
                raise forbidden(resource, request.name, why)

    async def _check_binding(self, request: Attributes, binding: Object, old: Object | None) -> None:
        fields = ("roleRef", "subjects")
        if old is not None and all(binding.get(field) == old.get(field) for field in fields):
            return
        found = section(binding, "roleRef")
        reference = RoleRef(string(found, "name"), string(found, "kind"))
        resource = ROLES if reference.kind == "Role" else CLUSTER_ROLES
        if await self._may(request, "bind", resource, reference.name):
            return
        rules = self._policies.role(reference, request.namespace)
        if rules is None:
            raise not_found(resource, reference.name)
        self._confirm(request.resource, request.name, request.user, request.namespace, rules)

    async def _may(self, request: Attributes, verb: str, resource: Resource, name: str) -> bool:
        try:
            await self._authorizer.authorize(Access(request.user, verb, resource, request.namespace, name))
        except StatusError:
            return False
        return True

    def _confirm(
        self, resource: Resource, name: str, user: User, namespace: str, rules: Sequence[Rule]
    ) -> None:
        """Raise 403 naming what is granted and not held."""
        held, problems = self._policies.rules_for(user, namespace)
        missing = uncovered(held, rules)
        if not missing:
            return
        listed = "\n".join(sorted({shown(rule) for rule in compact(missing)}))
        message = (
            f'user "{user.name}" (groups={quoted(user.groups)}) is attempting to grant RBAC permissions not '
            f"currently held:\n{listed}"
        )
        if problems:
            message += f"; resolution errors: [{', '.join(problems)}]"
        raise forbidden(resource, name, message)


def _typed(rules: Sequence[Object]) -> list[Rule]:
    return [msgspec.convert(rule, Rule) for rule in rules]
