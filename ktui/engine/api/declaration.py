"""What a kind is: one `Declaration` feeds the API, validation, tables, discovery and selectors.

A kind's module in `engine.api.resources` builds its declarations and lists them; the registry collects them.
All functions are pure: they get an object, leave it as it is, and return a new one or a list of errors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeAlias

from ktui.client.base import DeleteOptions
from ktui.engine.api.patching.shape import Shape, shape_of
from ktui.engine.api.schema import Definition
from ktui.engine.api.validation.structure import SchemaReport
from ktui.kube.errors import Cause
from ktui.kube.resource import Object, Resource

Cell: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of `kubectl get` (`TableColumnDefinition` in meta/v1). Priority 1 is shown by `-o wide`."""

    name: str
    read: Callable[[Object], Any]
    """What the cell is made from, in an object: plain data, kept as long as the object stays as it is."""
    show: Callable[[Any, datetime], Cell] | None = None
    """What was read as a cell at a moment (ages); None: as it was read."""
    type: str = "string"
    format: str = ""
    description: str = ""
    priority: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Where the scale subresource finds replicas and selector (dotted paths, as in a CRD)."""

    spec_replicas: str = ".spec.replicas"
    status_replicas: str = ".status.replicas"
    label_selector: str = ".spec.selector"


class Conversion(Protocol):
    """Changes objects between the version they are stored in and the one they are served in."""

    async def shown(self, data: Sequence[bytes]) -> Sequence[bytes]:
        """Stored objects in the served version."""
        ...

    async def stored(self, obj: Object) -> Object:
        """A served object in the stored version."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Custom:
    """What a CustomResourceDefinition says of a version of its kind, in place of Kubernetes' OpenAPI."""

    decode: Callable[[Object], SchemaReport]
    """Prune unknown fields."""
    shape: Shape
    """How objects merge."""
    openapi: Definition
    """The structural schema as it was declared."""
    stored_version: str
    from_storage: Callable[[bytes], bytes] | None
    """A stored object as this version has it; None: it is stored so."""
    conversion: Conversion | None = None
    """Of definitions whose versions a webhook converts, before `from_storage`; None: the apiVersion says it all."""
    validate_update: Callable[[Object, Object], list[Cause]]
    """(new, old): all rules on an update, also of status; what was wrong before and is unchanged may stay."""
    is_terminating: bool = False
    """The definition is being deleted: no more objects are made."""


@dataclass(frozen=True, slots=True)
class Converted:
    """A version of a built-in kind that is stored as another one."""

    from_storage: Callable[[bytes], bytes]
    to_storage: Callable[[Object], Object]


def _unchanged(obj: Object) -> Object:
    return obj


def _unchanged_update(new: Object, old: Object) -> Object:
    return new


def _valid(obj: Object) -> list[Cause]:
    return []


def _valid_update(new: Object, old: Object) -> list[Cause]:
    return []


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """One kind, declared once."""

    resource: Resource
    schema: str
    """Its definition in Kubernetes' OpenAPI: `io.k8s.api.core.v1.Pod`."""
    columns: Sequence[Column]
    default: Callable[[Object], Object] = _unchanged
    """Fill in what Kubernetes defaults."""
    prepare_create: Callable[[Object], Object] = _unchanged
    """Drop what a client may not set at creation (status)."""
    identify: Callable[[Object], Object] = _unchanged
    """Add what follows from the name and UID that a new object just got (a Job's selector)."""
    prepare_update: Callable[[Object, Object], Object] = _unchanged_update
    """(new, old) -> new: keep what an update of the main resource may not change (status)."""
    prepare_status: Callable[[Object, Object], Object] = _unchanged_update
    """(new, old) -> old with new's status, for an update of the status subresource."""
    validate_create: Callable[[Object], list[Cause]] = _valid
    """Rules beyond the schema: names, quantities, cross-field checks. All errors, with field paths."""
    validate_new: Callable[[Object], list[Cause]] = _valid
    """What only a new object is held to, on top of validate_create."""
    validate_update: Callable[[Object, Object], list[Cause]] = _valid_update
    """(new, old): immutable fields on top of validate_create, which is called too."""
    validate_status: Callable[[Object, Object], list[Cause]] = _valid_update
    """(new, old): rules on what an update of the status subresource writes."""
    has_status: bool = False
    """Has a status subresource."""
    has_generation: bool = False
    """`metadata.generation` counts changes outside metadata and status."""
    scale: Scale | None = None
    selectable_fields: Mapping[str, Callable[[Object], str]] = field(
        default_factory=dict[str, Callable[[Object], str]]
    )
    """Field selectors beyond metadata.name and metadata.namespace."""
    grace_period: Callable[[Object, DeleteOptions], int] | None = None
    """Kinds deleted gracefully (pods): the seconds between mark and removal. None: removed at once."""
    creates_on_update: bool = False
    """PUT makes what is not there, as for kinds whose strategy in Kubernetes allows create on update."""
    needs_version: bool = False
    """PUT has to say which version it replaces, as for kinds without unconditional update in Kubernetes."""
    returns_deleted: bool = False
    """A delete that removes at once answers with the object as it was, not with a `Status`."""
    orphans_by_default: bool = False
    """A delete without propagation policy orphans dependents (only legacy kinds)."""
    read_only: bool = False
    """Kinds of group ktui.dev that only the engine writes."""
    forgettable: bool = False
    """Read-only, but users may delete one: if it still means something, the engine writes it anew."""
    prepare_delete: Callable[[Object], Object] = _unchanged
    """What a delete does to an object before it is marked: finalizers that have to be worked off."""
    converted: Converted | None = None
    """Of versions that are stored as another one; None: as they are."""
    shows: Resource | None = None
    """Of kinds that are another view of a kind's stored objects: that kind. None: it has objects of its own."""
    warning: str = ""
    """Told to everyone who uses a deprecated version."""
    custom: Custom | None = None
    """Of kinds declared by a CustomResourceDefinition; `schema` is the name it is published by."""

    @property
    def stored_key(self) -> str:
        """The `Resource.key` its objects are stored under."""
        return (self.shows or self.resource).key

    @property
    def shape(self) -> Shape:
        """How objects of this kind merge."""
        return self.custom.shape if self.custom else shape_of(self.schema)

    @property
    def is_shown_as_stored(self) -> bool:
        """No object of it has to be converted to be read."""
        return self.converted is None and (self.custom is None or self.custom.from_storage is None)

    async def shown(self, data: bytes) -> bytes:
        """A stored object as this version of its kind has it."""
        return data if self.is_shown_as_stored else (await self.all_shown([data]))[0]

    async def all_shown(self, data: Sequence[bytes]) -> Sequence[bytes]:
        """Stored objects as this version of their kind has them."""
        if self.converted is not None:
            return [self.converted.from_storage(each) for each in data]
        custom = self.custom
        if custom is None or custom.from_storage is None:
            return data
        if custom.conversion is not None:
            data = await custom.conversion.shown(data)
        return [custom.from_storage(each) for each in data]

    async def stored(self, obj: Object) -> Object:
        """An object of this version as it is stored."""
        if self.converted is not None:
            return self.converted.to_storage(obj)
        if self.custom is None or self.custom.stored_version == self.resource.version:
            return obj
        if self.custom.conversion is not None:
            return await self.custom.conversion.stored(obj)
        return {**obj, "apiVersion": f"{self.resource.group}/{self.custom.stored_version}"}
