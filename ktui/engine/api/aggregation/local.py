"""An APIService for each group version the server serves itself, made and taken away as they come and go."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from ktui.engine.api.aggregation.priorities import DEFINED, OWN, built_in
from ktui.engine.api.aggregation.remotes import Place
from ktui.engine.api.documents import decode, metadata_of
from ktui.engine.api.following import follow
from ktui.engine.api.registry import Registry
from ktui.engine.store.base import Store
from ktui.kube.errors import StatusError
from ktui.kube.kinds import API_SERVICES
from ktui.kube.resource import Object

MANAGED: Final = "kube-aggregator.kubernetes.io/automanaged"
"""The label of those that are made here: `onstart` of what comes with the server, `true` of what is defined."""


def api_service(group: str, version: str) -> Object:
    """The APIService of a group version that is served here."""
    known = built_in(group, version)
    priority, version_priority = known or DEFINED
    return {
        "apiVersion": API_SERVICES.api_version,
        "kind": API_SERVICES.kind,
        "metadata": {"name": f"{version}.{group}", "labels": {MANAGED: "onstart" if known else "true"}},
        "spec": {
            **({"group": group} if group else {}),
            "version": version,
            "groupPriorityMinimum": priority,
            "versionPriority": version_priority,
        },
    }


class LocalApiServices:
    """Keeps them as the registry is; those that people made are left alone."""

    def __init__(
        self,
        store: Store,
        registry: Registry,
        create: Callable[[Object], Awaitable[object]],
        delete: Callable[[str], Awaitable[object]],
    ) -> None:
        self._store = store
        self._registry = registry
        self._create = create
        self._delete = delete

    async def run(self) -> None:
        """Follow the registry, and what becomes of its APIServices, until cancelled."""
        changed = asyncio.Event()
        self._registry.on_change(changed.set)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._follow(changed), name="APIServices that are deleted")
                while True:
                    changed.clear()
                    await self.sync()
                    await changed.wait()
        finally:
            self._registry.no_longer(changed.set)

    async def _follow(self, changed: asyncio.Event) -> None:
        """Whoever deletes one gets it back: what it tells of is still served."""
        async for changes in follow(self._store, API_SERVICES.key):
            if changes is None or any(change.type == "DELETED" for change in changes):
                changed.set()

    async def sync(self) -> None:
        """Make what is missing, and take away what is served no more."""
        wanted: dict[str, Place] = {}
        for declaration in self._registry:
            resource = declaration.resource
            if resource.group != OWN:
                wanted[f"{resource.version}.{resource.group}"] = (resource.group, resource.version)
        present = {entry.key.name: entry.data for entry in self._store.list(API_SERVICES.key).entries}
        work = [self._create(api_service(*place)) for name, place in wanted.items() if name not in present]
        work += [
            self._delete(name)
            for name, data in present.items()
            if name not in wanted and MANAGED in (metadata_of(decode(data)).get("labels") or {})
        ]
        for outcome in await asyncio.gather(*work, return_exceptions=True):
            if isinstance(outcome, BaseException) and not isinstance(outcome, StatusError):
                raise outcome
