"""The `Client` protocol: the one door to a cluster, whether embedded, another ktui's or a real one.

Objects travel as the bytes the store keeps; a reader decodes what it needs, to a dict or to a typed object
(`lightkube.models`), and never changes what it was handed. Errors are `ktui.kube.errors.StatusError`.
Verbs, options and their meaning are those of the Kubernetes API
(https://kubernetes.io/docs/reference/using-api/api-concepts/).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, Protocol, TypeVar

import msgspec

from ktui.kube.resource import Object, ObjectKey, Resource

T = TypeVar("T")

_decode_object = msgspec.json.Decoder(dict[str, Any]).decode


class PatchType(StrEnum):
    """The content types of a PATCH."""

    JSON = "application/json-patch+json"
    MERGE = "application/merge-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"
    APPLY = "application/apply-patch+yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOptions:
    """Query of a list. `resource_version` and its match follow Kubernetes' semantics; None: most recent."""

    label_selector: str = ""
    field_selector: str = ""
    limit: int | None = None
    continue_token: str = ""
    resource_version: str | None = None
    resource_version_match: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchOptions:
    """Query of a watch. Without `resource_version` the watch starts with ADDED events of what exists."""

    label_selector: str = ""
    field_selector: str = ""
    resource_version: str | None = None
    allow_bookmarks: bool = True
    send_initial_events: bool = False
    timeout_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOptions:
    """How a create, update or patch is made."""

    field_manager: str = ""
    force: bool = False
    dry_run: bool = False
    field_validation: Literal["Strict", "Warn", "Ignore"] = "Warn"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteOptions:
    """`DeleteOptions` of meta/v1. `grace_period_seconds` None: the object's own."""

    grace_period_seconds: int | None = None
    propagation_policy: Literal["", "Background", "Foreground", "Orphan"] = ""
    uid: str = ""
    resource_version: str = ""
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOptions:
    """`PodLogOptions` of core/v1."""

    container: str = ""
    follow: bool = False
    previous: bool = False
    since_seconds: int | None = None
    since_time: str = ""
    timestamps: bool = False
    tail_lines: int | None = None
    limit_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecOptions:
    """`PodExecOptions` (a `command`) or `PodAttachOptions` (none) of core/v1."""

    container: str = ""
    command: tuple[str, ...] = ()
    stdin: bool = False
    stdout: bool = True
    stderr: bool = True
    tty: bool = False


class ExecSession(Protocol):
    """A running exec or attach. Iterating gives (channel, data): 1 is stdout, 2 is stderr."""

    async def send(self, data: bytes) -> None: ...

    async def close_stdin(self) -> None: ...

    async def resize(self, width: int, height: int) -> None: ...

    def __aiter__(self) -> AsyncIterator[tuple[int, bytes]]: ...

    async def wait(self) -> int:
        """The command's exit code, once the output has ended."""
        ...

    async def close(self) -> None: ...


class PortStream(Protocol):
    """A connection to a port of a pod. Calls raise OSError, with the server's reason where it gives one."""

    async def read(self) -> bytes:
        """The next bytes; b"" once the pod has sent everything."""
        ...

    async def write(self, data: bytes) -> None: ...

    async def end(self) -> None:
        """Everything was sent; the answer may still be read."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class ObjectList:
    """A list's items as bytes, in key order, and where a watch can go on from."""

    raw: Sequence[bytes]
    resource_version: str
    continue_token: str = ""
    remaining: int | None = None

    @property
    def metadata(self) -> Object:
        """Its `ListMeta`."""
        found: Object = {}
        if self.resource_version:
            found["resourceVersion"] = self.resource_version
        if self.continue_token:
            found["continue"] = self.continue_token
        if self.remaining is not None:
            found["remainingItemCount"] = self.remaining
        return found

    @property
    def items(self) -> list[Object]:
        """The items decoded to dicts (each call decodes anew)."""
        return [_decode_object(item) for item in self.raw]


EventType = Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """One change. A table watch carries a `Table` with the changed row instead of the object."""

    type: EventType
    raw: bytes
    key: ObjectKey = field(default=ObjectKey("", ""))

    @property
    def object(self) -> Object:
        """The object decoded to a dict (each call decodes anew)."""
        return _decode_object(self.raw)


class Client(Protocol):
    """A cluster's API. All calls raise `StatusError`; `namespace` "" means all namespaces or none."""

    async def resources(self) -> Sequence[Resource]:
        """Discovery: every resource type served, preferred versions first."""
        ...

    async def get(
        self, resource: Resource, name: str, namespace: str = "", *, subresource: str = ""
    ) -> Object: ...

    async def list(
        self, resource: Resource, namespace: str = "", *, options: ListOptions = ...
    ) -> ObjectList: ...

    def watch(
        self, resource: Resource, namespace: str = "", *, options: WatchOptions = ..., table: bool = False
    ) -> AbstractAsyncContextManager[AsyncIterator[Sequence[WatchEvent]]]:
        """Changes in batches as they come. The iterator ends when the server closes the watch (timeout, slow
        reader: watch again from the last version seen) and raises `expired` when it must list again."""
        ...

    async def table(
        self, resource: Resource, namespace: str = "", *, name: str = "", options: ListOptions = ...
    ) -> Object:
        """A `Table` of meta/v1 (`columnDefinitions`, `rows` with `cells` and `object` metadata)."""
        ...

    async def create(
        self,
        resource: Resource,
        obj: Object,
        namespace: str = "",
        *,
        name: str = "",
        subresource: str = "",
        options: WriteOptions = ...,
    ) -> Object:
        """POST. `name` and `subresource` go together (binding, eviction, token)."""
        ...

    async def update(
        self, resource: Resource, obj: Object, *, subresource: str = "", options: WriteOptions = ...
    ) -> Object: ...

    async def patch(
        self,
        resource: Resource,
        name: str,
        patch: Object | Sequence[Object],
        namespace: str = "",
        *,
        patch_type: PatchType = PatchType.MERGE,
        subresource: str = "",
        options: WriteOptions = ...,
    ) -> Object: ...

    async def delete(
        self, resource: Resource, name: str, namespace: str = "", *, options: DeleteOptions = ...
    ) -> Object:
        """The object as it is being deleted (finalizers, grace period); once gone as it was, or a Success `Status`."""
        ...

    async def delete_collection(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        options: DeleteOptions = ...,
        list_options: ListOptions = ...,
    ) -> None: ...

    def logs(
        self, pod: str, namespace: str, *, options: LogOptions = ...
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Chunks of whole lines, as kubectl would print them."""
        ...

    async def exec(self, pod: str, namespace: str, *, options: ExecOptions) -> ExecSession:
        """Run `options.command` in a container, or attach to its main process when it is empty."""
        ...

    async def port_forward(self, pod: str, namespace: str, port: int) -> PortStream:
        """One connection to a port of a running pod; raises OSError when nothing answers there (or the first
        read does)."""
        ...

    async def close(self) -> None: ...
