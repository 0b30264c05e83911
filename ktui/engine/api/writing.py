"""Create and update: from what a client sent to what is stored.

Every write goes the same way: decode and default, field managers, mutating admission, schema and declared
rules, validating admission, store. An update is a function from the stored object to the wanted one, tried
again when another writer was faster and the client did not insist on a version.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from ktui.client.base import WriteOptions
from ktui.engine.api import checks
from ktui.engine.api.admission.base import Attributes
from ktui.engine.api.admission.chain import Admission
from ktui.engine.api.allocation.base import Claim, Nothing, Stocks
from ktui.engine.api.apply.managers import Managers, Managing
from ktui.engine.api.declaration import Declaration
from ktui.engine.api.documents import decode, encode, metadata_of, with_metadata
from ktui.engine.api.metadata import (
    born,
    carried_over,
    check_name,
    checked_body,
    in_namespace,
    is_finished,
    name_required,
    next_generation,
    update_errors,
)
from ktui.engine.api.reading import Reader
from ktui.engine.api.request import Request
from ktui.engine.api.subresources.partial import PARTIAL
from ktui.engine.api.validation.metadata import check_annotations, check_labels
from ktui.engine.store.base import Entry, Key, RevisionConflictError, Store
from ktui.kube.clock import Clock
from ktui.kube.data import items
from ktui.kube.errors import Cause, StatusError, already_exists, bad_request, conflict, invalid
from ktui.kube.names import generate_name
from ktui.kube.resource import GroupVersionKind, Object

MODIFIED: Final = (
    "the object has been modified; please apply your changes to the latest version and try again"
)
_ATTEMPTS: Final = 100
"""How often a write without a version is tried against other writers."""
_NAMES: Final = 8
"""How many generated names are tried."""


class Written(NamedTuple):
    """What came of a write that may make an object or change one."""

    data: bytes
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class Write:
    """One write of one object: who, what kind, where, and how."""

    request: Request
    declaration: Declaration
    namespace: str
    name: str
    options: WriteOptions
    subresource: str = ""

    @property
    def key(self) -> Key:
        return Key(self.declaration.stored_key, self.namespace, self.name)

    @property
    def follows_main_rules(self) -> bool:
        """Defaulting, preparation and declared rules of the main resource hold."""
        return self.subresource in ("", "scale")

    @property
    def counts_as_change(self) -> bool:
        """A new generation begins when it changes what is wanted; where a pod runs nobody has wished for."""
        return self.subresource != "binding"

    @property
    def managing(self) -> Managing:
        """Whose fields the write makes."""
        declaration = self.declaration
        return Managing(
            self.request.field_manager(self.options.field_manager),
            declaration.shape,
            declaration.resource.api_version,
            declaration.has_status,
            self.subresource,
        )

    def attributes(self, operation: str) -> Attributes:
        return Attributes(
            "CREATE" if operation == "CREATE" else "UPDATE",
            self.declaration,
            self.namespace,
            self.name,
            self.request.user,
            self.subresource,
            self.options.dry_run,
            self.request.warnings,
            self.options,
            self.request.audit,
        )


class Writer:
    """Writes to one store."""

    def __init__(
        self,
        store: Store,
        reader: Reader,
        clock: Clock,
        admission: Admission,
        managers: Managers,
        stocks: Stocks | None = None,
    ) -> None:
        self._store = store
        self._reader = reader
        self._clock = clock
        self._admission = admission
        self._managers = managers
        self._stocks = stocks or Stocks()

    async def create(self, write: Write, body: object) -> bytes:
        """POST of an object."""
        declaration = write.declaration
        obj = in_namespace(declaration, checked_body(declaration, body), write.namespace)
        if metadata_of(obj).get("resourceVersion"):
            raise bad_request("resourceVersion should not be set on objects to be created")
        obj = declaration.default(self.decoded(write, obj))
        if write.name and (metadata_of(obj).get("name") or write.name) != write.name:
            check_name(obj, write.name)
        return await self._insert(write, self._managers.created(write.managing, obj))

    async def _insert(self, write: Write, obj: Object) -> bytes:
        """Admit, check and store a new, defaulted object."""
        declaration = write.declaration
        asked: str = metadata_of(obj).get("name") or write.name
        base: str = metadata_of(obj).get("generateName") or ""
        if not asked and not base:
            raise name_required(declaration)
        attributes = replace(write, name=asked).attributes("CREATE")
        obj = declaration.prepare_create(await self._admission.admit(attributes, obj, None))
        name = asked or base
        for _ in range(1 if asked else _NAMES):
            name = asked or generate_name(base)
            stored = declaration.identify(born(declaration, obj, name, self._clock.now()))
            if not asked:
                stored = declaration.default(stored)
            key = Key(declaration.stored_key, write.namespace, name)
            with self._stocks.claim(key, stored, None, dry_run=write.options.dry_run) as claim:
                stored = claim.object
                if errors := [*declaration.validate_create(stored), *declaration.validate_new(stored)]:
                    raise invalid(declaration.resource, name, errors)
                await self._admission.validate(attributes, stored, None)
                try:
                    if not write.options.dry_run:
                        writing = self._store.write(key, await declaration.stored(stored), expected=0)
                        return await declaration.shown((await claim.settle(writing)).data)
                    if self._store.get(key) is None:
                        return encode(stored)
                except RevisionConflictError:
                    continue
        raise self._exists(write, name, generated=not asked)

    def _exists(self, write: Write, name: str, *, generated: bool) -> StatusError:
        error = already_exists(write.declaration.resource, name)
        entry = self._store.get(Key(write.declaration.stored_key, write.namespace, name))
        if generated:
            error.status["message"] += ", the server was not able to generate a unique name for the object"
            error.status["details"]["retryAfterSeconds"] = 1
        elif entry is not None and metadata_of(decode(entry.data)).get("deletionTimestamp"):
            error.status["message"] = f"object is being deleted: {error.message}"
        return error

    @staticmethod
    def decoded(write: Write, obj: Object) -> Object:
        """The object with known fields of the right types only; typed writes of ktui's own parts are that."""
        if write.request.validated:
            return obj
        return checks.decoded(write.request, write.declaration, obj, write.options.field_validation)

    def would_create(self, write: Write) -> bool:
        """Whether a PUT makes the object: its kind allows that, and it is not there."""
        return (
            write.declaration.creates_on_update
            and not write.subresource
            and self._store.get(write.key) is None
        )

    async def update(self, write: Write, body: object) -> Written:
        """PUT of an object, or of its status."""
        declaration = write.declaration
        obj = in_namespace(declaration, checked_body(declaration, body), write.namespace)
        check_name(obj, write.name)
        if self.would_create(write):
            _check_uid(write, obj, {})
            return Written(await self.create(write, with_metadata(obj, resourceVersion=None)), is_new=True)
        obj = self.decoded(write, obj)

        if declaration.needs_version:
            await self._check_version(write, obj)

        def build(old: Object) -> Object:
            _check_uid(write, obj, old)
            return obj

        return Written(await self.change(write, build))

    async def _check_version(self, write: Write, obj: Object) -> None:
        """A write that replaces no version in particular is refused, if there is something to replace."""
        if metadata_of(obj).get("resourceVersion") not in (None, "", "0"):
            return
        resource = write.declaration.resource
        await self._reader.get(write.declaration, write.namespace, write.name)
        raise invalid(
            replace(resource, kind=resource.plural),
            write.name,
            [
                Cause(
                    "metadata.resourceVersion",
                    "FieldValueInvalid",
                    "Invalid value: 0x0: must be specified for an update",
                )
            ],
        )

    async def patch(self, write: Write, change: Callable[[Object], Object]) -> bytes:
        """PATCH: `change` gives the patched object, which is decoded as a body is."""
        declaration = write.declaration

        def build(old: Object) -> Object:
            return self.decoded(write, checked_body(declaration, change(old)))

        return await self.change(write, build)

    async def apply(self, write: Write, body: object) -> Written:
        """Server-side apply, which creates what is not there."""
        declaration = write.declaration
        config = in_namespace(declaration, checked_body(declaration, body), write.namespace)
        if not write.request.validated:
            validation = write.options.field_validation
            config = checks.applicable(write.request, declaration, config, validation)
        metadata = metadata_of(config)
        check_name(config if "name" in metadata else with_metadata(config, name=write.name), write.name)
        config = with_metadata(config, name=write.name)
        if metadata.get("managedFields") is not None:
            raise bad_request("metadata.managedFields must be nil")
        force = write.options.force

        def build(old: Object) -> Object:
            _check_uid(write, config, old)
            new = self._managers.applied(write.managing, old, config, force=force)
            version = metadata.get("resourceVersion")
            return with_metadata(new, resourceVersion=version) if version else new

        for _ in range(_ATTEMPTS):
            if self._store.get(write.key) is not None or write.subresource:
                return Written(await self.change(write, build, tracked=True))
            if metadata.get("uid"):
                raise conflict(
                    declaration.resource,
                    write.name,
                    f"uid mismatch: the provided object specified uid {metadata['uid']}, and no existing object "
                    "was found",
                )
            new = self._managers.applied(write.managing, None, config, force=force)
            try:
                return Written(await self._insert(write, declaration.default(new)), is_new=True)
            except StatusError as error:
                if not error.is_already_exists:
                    raise
        raise conflict(declaration.resource, write.name, MODIFIED)

    async def change(
        self, write: Write, build: Callable[[Object], Object], *, tracked: bool = False
    ) -> bytes:
        """Replace the stored object by what `build` makes of it; `tracked` when that knows its managers."""
        resource = write.declaration.resource
        for _ in range(_ATTEMPTS):
            entry = await self._reader.get(write.declaration, write.namespace, write.name)
            old = decode(entry.data)
            new = build(old)
            version = metadata_of(new).get("resourceVersion")
            if version not in (None, "", "0", str(entry.revision)):
                raise conflict(resource, write.name, MODIFIED)
            try:
                return await self._replace(write, entry, old, new, tracked=tracked)
            except RevisionConflictError:
                continue
        raise conflict(resource, write.name, MODIFIED)

    @staticmethod
    def _errors(write: Write, obj: Object, old: Object) -> list[Cause]:
        """What the declared rules find; status and what the server changes itself are not their matter."""
        declaration = write.declaration
        if declaration.custom is not None:
            return declaration.custom.validate_update(obj, old)
        if write.follows_main_rules:
            found = [*declaration.validate_update(obj, old), *declaration.validate_create(obj)]
            return list(dict.fromkeys(found))
        if write.subresource == "status":
            return [*_marks(obj), *declaration.validate_status(obj, old)]
        if (declaration.resource.key, write.subresource) in PARTIAL:
            return declaration.validate_create(obj)
        return []

    async def _replace(self, write: Write, entry: Entry, old: Object, new: Object, *, tracked: bool) -> bytes:
        declaration = write.declaration
        obj = carried_over(new, old)
        if errors := update_errors(obj, old):
            raise invalid(declaration.resource, write.name, errors)
        if write.follows_main_rules:
            obj = declaration.prepare_update(declaration.default(obj), old)
        elif write.subresource == "status":
            obj = declaration.prepare_status(declaration.default(obj) if declaration.custom else obj, old)
        elif prepare := PARTIAL.get((declaration.resource.key, write.subresource)):
            obj = prepare(declaration.default(obj), old)
        if not tracked:
            obj = self._managers.updated(write.managing, old, obj)
        attributes = write.attributes("UPDATE")
        obj = await self._admission.admit(attributes, obj, old)
        with self._claim(write, entry.key, obj, old) as claim:
            obj = claim.object
            if errors := self._errors(write, obj, old):
                raise invalid(declaration.resource, write.name, errors)
            if write.counts_as_change:
                obj = next_generation(declaration, obj, old)
            await self._admission.validate(attributes, obj, old)
            if obj == old or _same_but_for_times(obj, old):
                if self._is_stored_as_now(write, entry.key):
                    return entry.data
                obj = old
            if write.options.dry_run:
                return encode(obj)
            if is_finished(obj):
                kept = await declaration.stored(obj)
                deletion = self._store.delete(entry.key, expected=entry.revision, obj=kept)
                gone = await self._stocks.release(entry.key, deletion)
                return await declaration.shown(gone.data)
            kept = await declaration.stored(obj)
            writing = self._store.write(entry.key, kept, expected=entry.revision)
            return await declaration.shown((await claim.settle(writing)).data)

    def _is_stored_as_now(self, write: Write, key: Key) -> bool:
        """Is an object stored in the version its kind is stored in? Custom kinds may have changed theirs."""
        custom = write.declaration.custom
        if custom is None or write.options.dry_run:
            return True
        entry = self._store.get(key)
        found = GroupVersionKind.of(decode(entry.data)).version if entry else custom.stored_version
        return found == custom.stored_version

    def _claim(self, write: Write, key: Key, new: Object, old: Object) -> Claim:
        """What a change needs; writes of subresources need nothing new."""
        if not write.follows_main_rules:
            return Nothing(new)
        return self._stocks.claim(key, new, old, dry_run=write.options.dry_run)


def _same_but_for_times(new: Object, old: Object) -> bool:
    """Has nothing changed but when a manager last wrote? That is no reason for a new version."""
    if new.keys() != old.keys() or any(new[name] != old[name] for name in new if name != "metadata"):
        return False
    before, after = metadata_of(old), metadata_of(new)
    return with_metadata(old, managedFields=_timeless(before)) == with_metadata(
        new, managedFields=_timeless(after)
    )


def _marks(obj: Object) -> list[Cause]:
    """What is wrong with labels and annotations that came with a status."""
    metadata = metadata_of(obj)
    return [
        *check_labels(metadata.get("labels"), "metadata.labels"),
        *check_annotations(metadata.get("annotations"), "metadata.annotations"),
    ]


def _timeless(metadata: Object) -> list[Object]:
    entries = ({**entry, "time": ""} for entry in items(metadata, "managedFields"))
    return sorted(entries, key=lambda entry: str(entry.get("manager")))


def _check_uid(write: Write, sent: Object, old: Object) -> None:
    """A uid that was sent means that incarnation of the object and no other."""
    uid: str = metadata_of(sent).get("uid") or ""
    found: str = metadata_of(old).get("uid") or ""
    if uid and uid != found:
        raise conflict(
            write.declaration.resource,
            write.name,
            f"Precondition failed: UID in precondition: {uid}, UID in object meta: {found}",
        )
