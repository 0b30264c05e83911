"""Who calls the API, and what every call is allowed to see: the context that travels with a request.

The rim (HTTP, the in-process client) makes a `Request` once it knows the user; handlers pass it along to
authorization and admission, and put warnings into it that the rim hands to the caller.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ktui.kube.resource import Resource


@dataclass(frozen=True, slots=True)
class User:
    """An authenticated caller (`user.Info`)."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]], hash=False)
    """What the authenticator knows beyond that (the pod a token was made for)."""

    @property
    def is_system(self) -> bool:
        """One of the control plane's own parts."""
        return self.name.startswith("system:")


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Fields that a body gives more than once, of which the last counted."""

    found: Sequence[tuple[int, str]]
    """Where in the body, and which."""
    places: Mapping[str, int]
    """Where each field of the body stands."""

    def among(self, unknown: Sequence[str]) -> list[str]:
        """What strict decoding says of them and of unknown fields, in the order of the body."""
        told = [(self.places.get(path, -1), f'unknown field "{path}"') for path in unknown]
        return [message for _, message in sorted([*told, *self.found], key=lambda each: each[0])]


@dataclass(frozen=True, slots=True)
class Request:
    """One call: its user, the manager its writes are tracked under, and a sink for warnings."""

    user: User
    user_agent: str = ""
    """What the caller calls itself; the field manager of writes that name none."""
    warnings: list[str] = field(default_factory=list[str])
    audit: dict[str, str] = field(default_factory=dict[str, str])
    """What admission notes for the audit log."""
    duplicates: Duplicates | None = None
    """Fields the body gives more than once."""
    validated: bool = False
    """Writes come from ktui's own parts as typed objects: the walk along the schema is spared."""

    def field_manager(self, asked: str) -> str:
        """The manager of a write's fields: as asked, else from the user agent as kube-apiserver takes it."""
        if asked:
            return asked
        return (self.user_agent or self.user.name.rpartition(":")[2]).partition("/")[0][:128] or "unknown"


@dataclass(frozen=True, slots=True)
class Access:
    """What a request wants to do (`authorizer.Attributes`)."""

    user: User
    verb: str
    resource: Resource
    namespace: str
    name: str
    subresource: str = ""
    field_selector: str = ""
    """Of a list, watch or deletecollection: some users may read only what it selects."""


class Authorizer(Protocol):
    """Decides on requests; raises `StatusError` (403) to deny."""

    async def authorize(self, access: Access) -> None: ...

    async def authorize_path(self, user: User, verb: str, path: str) -> None:
        """A request for no resource: health, version, discovery. The verb is the HTTP method in small."""
        ...


class AllowAll:
    """The authorizer of a cluster without rules."""

    async def authorize(self, access: Access) -> None:
        return

    async def authorize_path(self, user: User, verb: str, path: str) -> None:
        return
