"""Follows admission policies, and writes into their status what checking their types found."""

from __future__ import annotations

import logging
from typing import Final

from ktui.engine.api.admission.policies.type_checking import expression_warnings
from ktui.engine.api.documents import decode, metadata_of
from ktui.engine.api.following import follow
from ktui.engine.api.registry import Registry
from ktui.engine.store.base import Key, RevisionConflictError, Store
from ktui.kube.data import section
from ktui.kube.kinds import VALIDATING_ADMISSION_POLICIES
from ktui.kube.resource import Object

log = logging.getLogger(__name__)

_KEY: Final = VALIDATING_ADMISSION_POLICIES.key


class PolicyStatus:
    """Keeps `status.observedGeneration` and `status.typeChecking` of every policy."""

    def __init__(self, store: Store, registry: Registry) -> None:
        self._store = store
        self._registry = registry

    async def run(self) -> None:
        """Follow the policies until cancelled."""
        async for changes in follow(self._store, _KEY):
            changed = list(self._store.list(_KEY).entries) if changes is None else changes
            for name in dict.fromkeys(each.key.name for each in changed):
                await self._sync(name)

    async def _sync(self, name: str) -> None:
        while True:
            entry = self._store.get(Key(_KEY, "", name))
            if entry is None:
                return
            policy = decode(entry.data)
            generation = int(metadata_of(policy).get("generation") or 0)
            status = section(policy, "status")
            if generation <= int(status.get("observedGeneration") or 0):
                return
            checked = {"observedGeneration": generation, "typeChecking": self._checked(policy)}
            try:
                await self._store.write(
                    entry.key, {**policy, "status": {**status, **checked}}, expected=entry.revision
                )
            except RevisionConflictError:
                continue
            return

    def _checked(self, policy: Object) -> Object:
        try:
            warnings = expression_warnings(policy, self._registry)
        except Exception:
            log.exception(
                "the types of admission policy %s can't be checked", metadata_of(policy).get("name")
            )
            warnings = []
        return {"expressionWarnings": warnings} if warnings else {}
