"""Delete: at once, after a grace period, or when the last finalizer is gone.

Pods get time to end (the kubelet's delete with grace 0 removes them); objects with finalizers stay, marked,
until an update takes the last one away; a propagation policy becomes a finalizer that the garbage collector
works off. Namespaces wait for their controller.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

from ktui.client.base import DeleteOptions, ListOptions
from ktui.engine.api.admission.base import Attributes
from ktui.engine.api.admission.chain import Admission
from ktui.engine.api.allocation.base import Stocks
from ktui.engine.api.declaration import Declaration
from ktui.engine.api.documents import decode, encode, metadata_of, success, with_metadata
from ktui.engine.api.metadata import is_finished, marked_deleted
from ktui.engine.api.reading import Reader
from ktui.engine.api.request import Request
from ktui.engine.api.writing import MODIFIED
from ktui.engine.store.base import Entry, RevisionConflictError, Store
from ktui.kube.clock import Clock, parse_time, rfc3339
from ktui.kube.errors import StatusError, conflict
from ktui.kube.kinds import NAMESPACES
from ktui.kube.resource import Object

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"
_ATTEMPTS = 100
_TOGETHER = 100
"""Objects of a collection deleted at the same time: their writes share a commit."""


class Deleter:
    """Deletes from one store."""

    def __init__(
        self,
        store: Store,
        reader: Reader,
        clock: Clock,
        admission: Admission,
        stocks: Stocks | None = None,
    ) -> None:
        self._store = store
        self._reader = reader
        self._clock = clock
        self._admission = admission
        self._stocks = stocks or Stocks()

    async def delete(
        self,
        request: Request,
        declaration: Declaration,
        namespace: str,
        name: str,
        options: DeleteOptions,
        *,
        is_admitted: bool = False,
    ) -> bytes:
        """The marked object while it lingers; what is gone as it was, or as a Success `Status`, as its kind has it.
        `is_admitted`: admission has seen what the deletion follows from (an eviction)."""
        resource = declaration.resource
        attributes = Attributes(
            "DELETE",
            declaration,
            namespace,
            name,
            request.user,
            dry_run=options.dry_run,
            warnings=request.warnings,
            options=options,
            audit=request.audit,
        )
        for _ in range(_ATTEMPTS):
            entry = await self._reader.get(declaration, namespace, name)
            old = decode(entry.data)
            _check_preconditions(declaration, old, options)
            if not is_admitted:
                await self._admission.validate(attributes, None, old)
            marked = self._marked(declaration, old, options)
            try:
                return await self._write(declaration, entry, old, marked, options)
            except RevisionConflictError:
                continue
        raise conflict(resource, name, MODIFIED)

    def _marked(self, declaration: Declaration, old: Object, options: DeleteOptions) -> Object | None:
        """The object as it lingers on; None: remove it now."""
        if declaration.resource.key == NAMESPACES.key:
            return self._marked_namespace(old, options)
        held = _with_policy(declaration, declaration.prepare_delete(old), options)
        grace = self._grace(declaration, old, options)
        if grace is None:
            if declaration.grace_period:
                return old
            return None if is_finished(held) else held
        if metadata_of(held).get("finalizers"):
            return self._mark(held, grace or 0)
        return self._mark(held, grace) if grace else None

    def _grace(self, declaration: Declaration, old: Object, options: DeleteOptions) -> int | None:
        """Seconds from the first request to removal; None if a delete changes nothing any more."""
        metadata = metadata_of(old)
        pending = metadata.get("deletionGracePeriodSeconds")
        if metadata.get("deletionTimestamp") is None:
            return declaration.grace_period(old, options) if declaration.grace_period else 0
        if pending is None or not declaration.grace_period:
            return 0 if not metadata.get("finalizers") else None
        asked = options.grace_period_seconds
        if asked is None or asked >= int(pending):
            return None if pending or metadata.get("finalizers") else 0
        return max(asked, 0) if asked >= 0 else 1

    def _mark(self, obj: Object, grace: int) -> Object:
        metadata = metadata_of(obj)
        deleted = metadata.get("deletionTimestamp")
        if not deleted:
            return marked_deleted(obj, self._clock.now() + timedelta(seconds=grace), grace)
        started = parse_time(deleted) - timedelta(
            seconds=int(metadata.get("deletionGracePeriodSeconds") or 0)
        )
        return marked_deleted(obj, started + timedelta(seconds=grace), grace)

    def _marked_namespace(self, old: Object, options: DeleteOptions) -> Object | None:
        if metadata_of(old).get("deletionTimestamp"):
            return None if is_finished(old) else old
        status: Object = old.get("status") or {}
        marked = {
            **with_metadata(old, deletionTimestamp=rfc3339(self._clock.now())),
            "status": {**status, "phase": "Terminating"},
        }
        return None if is_finished(marked) else marked

    async def _write(
        self,
        declaration: Declaration,
        entry: Entry,
        old: Object,
        marked: Object | None,
        options: DeleteOptions,
    ) -> bytes:
        if marked is old:
            return entry.data
        if marked is not None:
            if options.dry_run:
                return encode(marked)
            kept = await declaration.stored(marked)
            written = await self._store.write(entry.key, kept, expected=entry.revision)
            return await declaration.shown(written.data)
        last = entry
        if not options.dry_run:
            deletion = self._store.delete(entry.key, expected=entry.revision)
            last = await self._stocks.release(entry.key, deletion)
        if declaration.returns_deleted:
            return await declaration.shown(last.data)
        resource = declaration.resource
        return encode(
            success(
                name=entry.key.name,
                group=resource.group,
                kind=resource.plural,
                uid=metadata_of(old).get("uid"),
            )
        )

    async def delete_collection(
        self,
        request: Request,
        declaration: Declaration,
        namespace: str,
        options: DeleteOptions,
        list_options: ListOptions,
    ) -> list[bytes]:
        """Delete what is selected, and return it as it was; what is gone already is not missed."""
        entries, _, _, _ = await self._reader.entries(declaration, namespace, list_options)
        each = replace(options, uid="", resource_version="")
        for start in range(0, len(entries), _TOGETHER):
            results = await asyncio.gather(
                *(
                    self.delete(request, declaration, entry.key.namespace, entry.key.name, each)
                    for entry in entries[start : start + _TOGETHER]
                ),
                return_exceptions=True,
            )
            for result in results:
                if isinstance(result, BaseException) and not _is_not_found(result):
                    raise result
        return [entry.data for entry in entries]


def _is_not_found(error: BaseException) -> bool:
    return isinstance(error, StatusError) and error.is_not_found


def _check_preconditions(declaration: Declaration, obj: Object, options: DeleteOptions) -> None:
    metadata = metadata_of(obj)
    name = metadata.get("name", "")
    if options.uid and options.uid != metadata.get("uid"):
        raise conflict(
            declaration.resource,
            name,
            f"the UID in the precondition ({options.uid}) does not match the UID in record "
            f"({metadata.get('uid')}). The object might have been deleted and then recreated",
        )
    if options.resource_version and options.resource_version != metadata.get("resourceVersion"):
        raise conflict(
            declaration.resource,
            name,
            f"the ResourceVersion in the precondition ({options.resource_version}) does not match the "
            f"ResourceVersion in record ({metadata.get('resourceVersion')}). The object might have been modified",
        )


def _with_policy(declaration: Declaration, obj: Object, options: DeleteOptions) -> Object:
    """The object with the finalizer its propagation policy asks for, and not the other one."""
    finalizers: list[str] = metadata_of(obj).get("finalizers") or []
    policy = options.propagation_policy
    if not policy:
        if ORPHAN in finalizers or (declaration.orphans_by_default and FOREGROUND not in finalizers):
            policy = "Orphan"
        elif FOREGROUND in finalizers:
            policy = "Foreground"
    kept = [name for name in finalizers if name not in (ORPHAN, FOREGROUND)]
    if policy == "Orphan":
        kept.append(ORPHAN)
    elif policy == "Foreground":
        kept.append(FOREGROUND)
    if set(kept) == set(finalizers):
        return obj
    return with_metadata(obj, finalizers=kept or None)
