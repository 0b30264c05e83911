"""The aggregator: what is served, here and elsewhere, and whatever keeps that up to date."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from ktui.engine.api.admission.view import StoreView
from ktui.engine.api.aggregation.availability import Availability
from ktui.engine.api.aggregation.describing import Described
from ktui.engine.api.aggregation.local import LocalApiServices
from ktui.engine.api.aggregation.priorities import in_order
from ktui.engine.api.aggregation.reaching import Dial, Reaching
from ktui.engine.api.aggregation.remotes import ApiServices, Place, Remote
from ktui.engine.api.discovery import served
from ktui.engine.api.documents import decode
from ktui.engine.api.registry import Registry
from ktui.engine.store.base import Store
from ktui.kube.clock import Clock
from ktui.kube.errors import StatusError, status, unavailable
from ktui.kube.resource import Object, Resource

_SECONDS: Final = 30.0


class Aggregator:
    """One server's aggregation."""

    def __init__(
        self,
        store: Store,
        registry: Registry,
        clock: Clock,
        dial: Dial,
        create: Callable[[Object], Awaitable[object]],
        delete: Callable[[str], Awaitable[object]],
    ) -> None:
        view = StoreView(store)
        self.reaching = Reaching(dial)
        self.api_services = ApiServices(view)
        self._registry = registry
        self._local = LocalApiServices(store, registry, create, delete)
        self._availability = Availability(store, view, clock, self.api_services, self.reaching)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._local.run(), name="local APIServices")
            group.create_task(self._availability.run(), name="availability")

    async def check(self) -> bool:
        """Look now whether all remotes can be reached."""
        return await self._availability.check()

    def resources(self, *, stale: bool = False) -> Sequence[Resource]:
        """All that discovery tells of, in order; `stale` ones too, whose server can't be reached now."""
        remotes = self.api_services.remotes
        own = [
            served(declaration)
            for declaration in self._registry
            if (declaration.resource.group, declaration.resource.version) not in remotes
        ]
        for _, found in self.described(stale=stale):
            own += found.resources
        return in_order(own, self.api_services.priorities)

    def described(self, *, stale: bool = False) -> list[tuple[Remote, Described]]:
        """The remotes that have been reached, and what they serve."""
        remotes, known = self.api_services.remotes, self._availability.described
        return [
            (remotes[place], found)
            for place, found in known.items()
            if place in remotes and (stale or remotes[place].is_available)
        ]

    def versions(self, group: str) -> Sequence[str]:
        """The versions of a group that a remote serves now, the one to be preferred first."""
        found = [place for place, _ in self.api_services.remotes.items() if place[0] == group]
        priorities = self.api_services.priorities
        return [
            version for _, version in sorted(found, key=lambda each: (priorities[each], each), reverse=True)
        ]

    async def read(self, path: str) -> Object:
        """The document of a remote at a path, for one of our own parts. Raises StatusError."""
        remote = self.api_services.at(path)
        if remote is None or not remote.is_available:
            raise unavailable("service unavailable")
        try:
            async with asyncio.timeout(_SECONDS):
                head, body = await self.reaching.get(remote, path, "application/json")
            found = decode(body)
        except (OSError, TimeoutError, ValueError) as error:
            raise unavailable(f"{remote.server_name}: {error or type(error).__name__}") from error
        if head.status != 200:
            is_status = found.get("kind") == "Status"
            raise StatusError(found if is_status else status(head.status, "", head.reason))
        return found

    def stale(self) -> frozenset[Place]:
        """What was served by servers that can't be reached now."""
        return frozenset(
            (remote.group, remote.version)
            for remote, _ in self.described(stale=True)
            if not remote.is_available
        )
