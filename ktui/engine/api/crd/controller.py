"""Follows CustomResourceDefinitions: accepts their names, serves their kinds, deletes their objects with them.

In: every change of a definition in the store. Out: declarations in the registry, and the definition's status
(acceptedNames, storedVersions, the conditions NamesAccepted, Established and Terminating), as kube-apiserver's
naming, establishing and finalizing controllers write it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from ktui.engine.api.admission.webhooks.calling import WebhookCaller
from ktui.engine.api.crd.acceptance import accepted
from ktui.engine.api.crd.conditions import with_condition
from ktui.engine.api.crd.declare import declarations
from ktui.engine.api.crd.facts import CLEANUP, is_condition
from ktui.engine.api.declaration import Declaration
from ktui.engine.api.documents import decode, metadata_of, with_metadata
from ktui.engine.api.following import follow
from ktui.engine.api.registry import Registry
from ktui.engine.store.base import Change, Entry, Key, RevisionConflictError, Store
from ktui.kube.clock import Clock
from ktui.kube.data import section, strings
from ktui.kube.errors import StatusError, status
from ktui.kube.kinds import CUSTOM_RESOURCE_DEFINITIONS
from ktui.kube.resource import Object, Resource

log = logging.getLogger(__name__)

_KEY: Final = CUSTOM_RESOURCE_DEFINITIONS.key
_RETRY_SECONDS: Final = 1.0

DeleteAll = Callable[[Declaration], Awaitable[None]]
"""Deletes every object of a kind."""


def being_deleted(resource: Resource) -> StatusError:
    """405: no more objects of a kind whose definition is being deleted."""
    return StatusError(
        status(
            405,
            "MethodNotAllowed",
            f'create is not supported on resources of kind "{resource.key}" while its '
            "CustomResourceDefinition is terminating",
        )
    )


class CustomResources:
    """Keeps the registry as the definitions in the store say."""

    def __init__(
        self,
        store: Store,
        registry: Registry,
        clock: Clock,
        delete_all: DeleteAll,
        webhooks: WebhookCaller,
        end_watches: Callable[[Resource], None],
    ) -> None:
        self._store = store
        self._registry = registry
        self._clock = clock
        self._delete_all = delete_all
        self._webhooks = webhooks
        self._end_watches = end_watches
        """Called for what is no longer served, or no longer as it was."""
        self._served: dict[str, list[Declaration]] = {}
        """By the definition's name."""
        self._specs: dict[str, Object] = {}
        """What they are served by."""
        self._cleanups: dict[str, asyncio.Task[None]] = {}

    async def load(self) -> None:
        """Serve what is defined already."""
        for entry in self._entries():
            await self._sync(entry.key.name)

    async def run(self) -> None:
        """Follow the definitions until cancelled."""
        try:
            async for changes in follow(self._store, _KEY):
                if changes is None:
                    await self.load()
                else:
                    await self._take_in(changes)
        finally:
            for task in self._cleanups.values():
                task.cancel()
            await asyncio.gather(*self._cleanups.values(), return_exceptions=True)
            self._cleanups.clear()

    async def _take_in(self, changes: Sequence[Change]) -> None:
        for name in dict.fromkeys(change.key.name for change in changes):
            await self._sync(name)
        if any(change.type == "DELETED" for change in changes):
            await self.load()

    def _entries(self) -> list[Entry]:
        return list(self._store.list(_KEY).entries)

    async def _sync(self, name: str) -> None:
        """Make status and registry follow one definition."""
        try:
            definition = await self._with_status(name)
            if definition is None:
                self._withdraw(name)
            elif is_condition(definition, "Established"):
                self._serve(name, definition)
                if metadata_of(definition).get("deletionTimestamp"):
                    self._clean_up(name)
            elif metadata_of(definition).get("deletionTimestamp"):
                await self._let_go(name)
        except Exception:
            log.exception("custom resource definition %s can't be served", name)

    async def _with_status(self, name: str) -> Object | None:
        """The definition with its status as it should be, written if it was not."""
        while True:
            entry = self._store.get(Key(_KEY, "", name))
            if entry is None:
                return None
            definition = decode(entry.data)
            others = [decode(other.data) for other in self._entries() if other.key.name != name]
            wanted = accepted(definition, others, self._built_in(name), self._clock.now())
            if wanted == definition:
                return definition
            try:
                return decode((await self._store.write(entry.key, wanted, expected=entry.revision)).data)
            except RevisionConflictError:
                continue

    def _built_in(self, name: str) -> list[Resource]:
        """Kinds that no definition brought."""
        custom = {id(declaration) for served in self._served.values() for declaration in served}
        return [declaration.resource for declaration in self._registry if id(declaration) not in custom]

    def _serve(self, name: str, definition: Object) -> None:
        wanted = declarations(definition, self._webhooks)
        spec = section(definition, "spec")
        self._withdraw(name, is_other=self._specs.get(name) != spec)
        for declaration in wanted:
            self._registry.add(declaration)
        self._served[name] = wanted
        self._specs[name] = spec

    def _withdraw(self, name: str, *, is_other: bool = True) -> None:
        self._specs.pop(name, None)
        for declaration in self._served.pop(name, ()):
            self._registry.remove(declaration.resource)
            if is_other:
                self._end_watches(declaration.resource)

    def _clean_up(self, name: str) -> None:
        if CLEANUP not in strings(metadata_of(self._definition(name)), "finalizers"):
            return
        if name not in self._cleanups:
            task = asyncio.create_task(self._delete_objects(name), name=f"custom resources of {name}")
            self._cleanups[name] = task
            task.add_done_callback(lambda done: self._cleanups.pop(name, None))

    def _definition(self, name: str) -> Object:
        entry = self._store.get(Key(_KEY, "", name))
        return decode(entry.data) if entry else {}

    async def _delete_objects(self, name: str) -> None:
        """Delete all objects of a definition, then let it go; tried again until nothing is left."""
        await self._note(name, "True", "InstanceDeletionInProgress", "CustomResource deletion is in progress")
        while True:
            served = self._served.get(name) or []
            try:
                if served:
                    await self._delete_all(min(served, key=_is_converted))
            except Exception as error:
                log.warning("objects of %s can't be deleted yet: %s", name, error)
                message = f"could not list instances: {error}"
                await self._note(name, "True", "InstanceDeletionFailed", message)
            if not self._store.list(name, limit=1).entries:
                break
            await self._clock.sleep(_RETRY_SECONDS)
        await self._note(name, "False", "InstanceDeletionCompleted", "removed all instances")
        await self._let_go(name)

    async def _note(self, name: str, value: str, reason: str, message: str) -> None:
        """Set the condition Terminating."""

        def noted(definition: Object) -> Object:
            return with_condition(definition, "Terminating", value, reason, message, self._clock.now())

        await self._change(name, noted)

    async def _let_go(self, name: str) -> None:
        """Take the finalizer away, and the definition with it if it was the last."""

        def without(definition: Object) -> Object:
            finalizers = [each for each in strings(metadata_of(definition), "finalizers") if each != CLEANUP]
            return with_metadata(definition, finalizers=finalizers or None)

        await self._change(name, without)

    async def _change(self, name: str, change: Callable[[Object], Object]) -> None:
        while True:
            entry = self._store.get(Key(_KEY, "", name))
            if entry is None:
                return
            old = decode(entry.data)
            new = change(old) if "finalizers" in metadata_of(old) else old
            metadata = metadata_of(new)
            if new == old and metadata.get("finalizers"):
                return
            try:
                if metadata.get("deletionTimestamp") and not metadata.get("finalizers"):
                    await self._store.delete(entry.key, expected=entry.revision, obj=new)
                elif new != old:
                    await self._store.write(entry.key, new, expected=entry.revision)
                return
            except RevisionConflictError:
                continue


def _is_converted(declaration: Declaration) -> bool:
    """Whether objects are stored in another version: to read them, a webhook may have to be asked."""
    custom = declaration.custom
    return custom is not None and custom.stored_version != declaration.resource.version
