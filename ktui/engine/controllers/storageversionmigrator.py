"""Storage version migrator: writes every object of a kind anew, so that none is left in an older stored version.

A migration first notes the version of the cluster at which it starts; objects that somebody has written since then
need nothing. When all are done, a definition of a custom kind no longer lists the versions that were left behind.
"""

from __future__ import annotations

from typing import Any, Final

from ktui.client.base import Client, ListOptions, WriteOptions
from ktui.client.informer import Informers
from ktui.engine.controllers.runtime import Controller, Result, enqueue_object
from ktui.engine.controllers.workqueue import WorkQueue
from ktui.kube.clock import Clock, parse_time, rfc3339
from ktui.kube.data import items, section, string, strings
from ktui.kube.errors import StatusError
from ktui.kube.kinds import CUSTOM_RESOURCE_DEFINITIONS, STORAGE_VERSION_MIGRATIONS
from ktui.kube.resource import Object, ObjectKey, Resource

_PAGE: Final = 200
_PATIENCE: Final = 60.0
"""Seconds that a kind has to be defined after its migration was asked for."""
_NEEDED: Final = frozenset(("list", "patch"))
_DONE: Final = ("Succeeded", "Failed")


class StorageVersionMigrator(Controller[ObjectKey]):
    """One key a migration."""

    name = "storage-version-migrator-controller"

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    def setup(self, informers: Informers, queue: WorkQueue[ObjectKey]) -> None:
        self._migrations = informers.of(STORAGE_VERSION_MIGRATIONS, dict[str, Any])
        self._migrations.add_handler(enqueue_object(queue))

    async def reconcile(self, key: ObjectKey) -> Result | None:
        migration = self._migrations.get(key)
        if migration is None or any(_holds(migration, kind) for kind in _DONE):
            return None
        resource = await self._resource(section(migration, "spec", "resource"))
        if resource is None:
            return await self._missing(migration)
        if not set(resource.verbs) >= _NEEDED:
            why = f'resource "{resource.key}" does not support discovery operations: {sorted(_NEEDED)}'
            return await self._fail(migration, why)
        started = string(section(migration, "status"), "resourceVersion")
        if not started:
            first = await self._client.list(resource, options=ListOptions(limit=1))
            status = {**section(migration, "status"), "resourceVersion": first.resource_version}
            running = self._condition(
                "Running", "StorageVersionMigrationInProgress", "The migration is running"
            )
            await self._write(migration, status, running)
            return None
        return await self._migrate(migration, resource, int(started))

    async def _resource(self, wanted: Object) -> Resource | None:
        """The kind, in the version that discovery prefers."""
        named = (string(wanted, "group"), string(wanted, "resource"))
        served = await self._client.resources()
        return next((each for each in served if (each.group, each.plural) == named), None)

    async def _missing(self, migration: Object) -> Result | None:
        created = parse_time(string(section(migration, "metadata"), "creationTimestamp"))
        left = _PATIENCE - (self._clock.now() - created).total_seconds()
        if left > 0:
            return Result(min(left, 5.0))
        return await self._fail(migration, "resource does not exist in discovery")

    async def _migrate(self, migration: Object, resource: Resource, started: int) -> None:
        token, count = "", 0
        while True:
            page = await self._client.list(resource, options=ListOptions(limit=_PAGE, continue_token=token))
            for obj in page.items:
                metadata = section(obj, "metadata")
                count += 1
                if int(string(metadata, "resourceVersion") or 0) > started:
                    continue
                try:
                    await self._touch(resource, metadata)
                except StatusError as error:
                    if error.is_conflict or error.is_not_found:
                        continue
                    if error.code == 429 or error.code >= 500:
                        raise
                    await self._fail(migration, str(error))
                    return
            token = page.continue_token
            if not token:
                break
        await self._forget_old_versions(resource)
        verified = f", {count} objects verified migrated" if count else ""
        await self._write(
            migration,
            section(migration, "status"),
            self._condition(
                "Running", "StorageVersionMigrationInProgress", f"The migration is running{verified}"
            ),
            self._condition("Succeeded", "StorageVersionMigrationSucceeded", "Migration completed"),
        )

    async def _touch(self, resource: Resource, metadata: Object) -> None:
        """A write that changes nothing: the server stores the object in the version it has now."""
        same = {field: metadata[field] for field in ("uid", "resourceVersion")}
        patch: Object = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": same}
        options = WriteOptions(field_manager=self.name)
        name, namespace = string(metadata, "name"), string(metadata, "namespace")
        await self._client.patch(resource, name, patch, namespace, options=options)

    async def _forget_old_versions(self, resource: Resource) -> None:
        try:
            definition = await self._client.get(CUSTOM_RESOURCE_DEFINITIONS, resource.key)
        except StatusError as error:
            if error.is_not_found:
                return
            raise
        stored = [
            string(v, "name") for v in items(section(definition, "spec"), "versions") if v.get("storage")
        ]
        if strings(section(definition, "status"), "storedVersions") != stored:
            version = section(definition, "metadata").get("resourceVersion")
            patch = {"metadata": {"resourceVersion": version}, "status": {"storedVersions": stored}}
            await self._client.patch(CUSTOM_RESOURCE_DEFINITIONS, resource.key, patch, subresource="status")

    async def _fail(self, migration: Object, why: str) -> None:
        message = f"migration encountered unhandled error: {why}"
        failed = self._condition("Failed", "StorageVersionMigrationFailed", message)
        await self._write(migration, section(migration, "status"), failed)

    def _condition(self, kind: str, reason: str, message: str) -> Object:
        return {
            "type": kind,
            "status": "True",
            "lastTransitionTime": rfc3339(self._clock.now()),
            "reason": reason,
            "message": message,
        }

    async def _write(self, migration: Object, status: Object, *conditions: Object) -> None:
        """The status with these conditions; one that held before keeps the time since when."""
        found = {string(each, "type"): each for each in items(status, "conditions")}
        for condition in conditions:
            before: Object = found.get(condition["type"]) or {}
            since = before.get("lastTransitionTime") or condition["lastTransitionTime"]
            found[condition["type"]] = {**condition, "lastTransitionTime": since}
        wanted = {**migration, "status": {**status, "conditions": list(found.values())}}
        await self._client.update(STORAGE_VERSION_MIGRATIONS, wanted, subresource="status")


def _holds(migration: Object, kind: str) -> bool:
    conditions = items(section(migration, "status"), "conditions")
    return any(each.get("type") == kind and each.get("status") == "True" for each in conditions)
