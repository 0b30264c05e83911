"""ClusterRole aggregation: a role with an aggregationRule has the rules of all roles its selectors match."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from typing import Any

import msgspec
from lightkube.models.rbac_v1 import ClusterRole

from ktui.client.base import Client, PatchType
from ktui.client.informer import Delta, Informers
from ktui.engine.controllers.objects import is_deleting, labels_of
from ktui.engine.controllers.runtime import Controller, Result
from ktui.engine.controllers.workqueue import WorkQueue
from ktui.kube.errors import StatusError
from ktui.kube.kinds import CLUSTER_ROLES
from ktui.kube.resource import ObjectKey
from ktui.kube.selector import Selector


class ClusterRoleAggregation(Controller[ObjectKey]):
    """Keeps the rules of aggregated roles what their parts make them."""

    name = "clusterrole-aggregation-controller"

    def __init__(self, client: Client) -> None:
        self._client = client

    def setup(self, informers: Informers, queue: WorkQueue[ObjectKey]) -> None:
        self._queue = queue
        self._roles = informers.of(CLUSTER_ROLES, ClusterRole)
        self._roles.add_handler(self._role_changed)

    def _role_changed(self, delta: Delta[ClusterRole]) -> None:
        for key, role in self._roles.items():
            if role.aggregationRule is not None:
                self._queue.add(key)

    async def reconcile(self, key: ObjectKey) -> Result | None:
        role = self._roles.get(key)
        if role is None or role.aggregationRule is None or is_deleting(role):
            return None
        rules = self._aggregated(key, role)
        if rules == [msgspec.to_builtins(rule) for rule in role.rules or ()]:
            return None
        try:
            await self._client.patch(CLUSTER_ROLES, key.name, {"rules": rules}, patch_type=PatchType.MERGE)
        except StatusError as error:
            if not error.is_not_found:
                raise
        return None

    def _aggregated(self, key: ObjectKey, role: ClusterRole) -> list[Any]:
        """The rules of the matching roles in order of names, each once."""
        assert role.aggregationRule is not None
        rules: list[Any] = []
        selectors = [Selector.of(each) for each in role.aggregationRule.clusterRoleSelectors or ()]
        for selector in selectors:
            for part_key, part in sorted(self._roles.items()):
                if part_key == key or not selector.matches(labels_of(part)):
                    continue
                for rule in part.rules or ():
                    plain: Any = msgspec.to_builtins(rule)
                    if plain not in rules:
                        rules.append(plain)
        return rules
