"""Keeps the flow schemas and priority levels every cluster has, and tells schemas whether their level is there.

In: the stored objects of both kinds. Out: creates of what is missing, and the condition `Dangling` of each
schema. A watch that the store drops is opened again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from ktui.engine.api.documents import decode
from ktui.engine.api.following import follow
from ktui.engine.api.resources.flow_objects import (
    MANDATORY_LEVELS,
    MANDATORY_SCHEMAS,
    SUGGESTED_LEVELS,
    SUGGESTED_SCHEMAS,
)
from ktui.engine.store.base import Entry, Key, RevisionConflictError, Store
from ktui.kube.clock import Clock, rfc3339
from ktui.kube.data import items, section, string
from ktui.kube.errors import StatusError
from ktui.kube.kinds import FLOW_SCHEMAS, PRIORITY_LEVEL_CONFIGURATIONS
from ktui.kube.resource import Object, Resource

Create = Callable[[Resource, Object], Awaitable[object]]
_WANTED: Final = (
    (PRIORITY_LEVEL_CONFIGURATIONS, (*MANDATORY_LEVELS, *SUGGESTED_LEVELS)),
    (FLOW_SCHEMAS, (*MANDATORY_SCHEMAS, *SUGGESTED_SCHEMAS)),
)


class FlowUpkeep:
    """Of one store; `create` makes objects as the server itself."""

    def __init__(self, store: Store, clock: Clock, create: Create) -> None:
        self._store = store
        self._clock = clock
        self._create = create
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            for resource, _ in _WANTED:
                group.create_task(self._follow(resource.key), name=f"{resource.plural} watch")
            while True:
                await self._changed.wait()
                self._changed.clear()
                await self._tend()

    async def _follow(self, key: str) -> None:
        async for _ in follow(self._store, key):
            self._changed.set()

    async def _tend(self) -> None:
        for resource, wanted in _WANTED:
            missing = [
                obj
                for obj in wanted
                if self._store.get(Key(resource.key, "", obj["metadata"]["name"])) is None
            ]
            await asyncio.gather(*(self._make(resource, obj) for obj in missing))
        for entry in list(self._store.list(FLOW_SCHEMAS.key).entries):
            await self._tell(entry)

    async def _make(self, resource: Resource, obj: Object) -> None:
        """Create it, unless somebody else was faster or the server has no such kind."""
        try:
            await self._create(resource, obj)
        except StatusError as error:
            if not (error.is_already_exists or error.is_not_found):
                raise

    async def _tell(self, entry: Entry) -> None:
        schema = decode(entry.data)
        conditions = items(section(schema, "status"), "conditions")
        nothing: Object = {}
        before = next((each for each in conditions if each.get("type") == "Dangling"), nothing)
        condition = self._dangling(string(section(schema, "spec", "priorityLevelConfiguration"), "name"))
        if all(before.get(field) == value for field, value in condition.items()):
            return
        since = before.get("lastTransitionTime") if before.get("status") == condition["status"] else None
        condition["lastTransitionTime"] = since or rfc3339(self._clock.now())
        others = [each for each in conditions if each.get("type") != "Dangling"]
        status = {**section(schema, "status"), "conditions": [*others, condition]}
        try:
            await self._store.write(entry.key, {**schema, "status": status}, expected=entry.revision)
        except RevisionConflictError:
            self._changed.set()

    def _dangling(self, level: str) -> Object:
        said = f'This FlowSchema references the PriorityLevelConfiguration object named "{level}"'
        if self._store.get(Key(PRIORITY_LEVEL_CONFIGURATIONS.key, "", level)) is None:
            message = f"{said} but there is no such object"
            return {"type": "Dangling", "status": "True", "reason": "NotFound", "message": message}
        return {
            "type": "Dangling",
            "status": "False",
            "reason": "Found",
            "message": f"{said} and it exists",
        }
