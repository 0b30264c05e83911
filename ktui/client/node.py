"""What the API server asks of a node's agent: the streams that don't live in the store.

The kubelet implements it, the engine hands it to the API server under its node's name, and the pod
subresources `log`, `exec`, `attach`, `portforward` and `proxy` and the metrics API are answered through it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from ktui.client.base import ExecOptions, ExecSession, LogOptions
from ktui.kube.resource import Object


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePage:
    """What a node's agent serves at one of its own paths: all at once, or as it comes."""

    content_type: str = "text/plain; charset=utf-8"
    body: bytes = b""
    stream: AbstractAsyncContextManager[AsyncIterator[bytes]] | None = None


class NodeAgent(Protocol):
    """Calls raise StatusError (BadRequest with the kubelet's wording where a container is not ready)."""

    def logs(self, pod: Object, options: LogOptions) -> AbstractAsyncContextManager[AsyncIterator[bytes]]: ...

    async def exec(self, pod: Object, options: ExecOptions) -> ExecSession: ...

    async def attach(self, pod: Object, options: ExecOptions) -> ExecSession: ...

    async def dial(self, pod: Object, port: int) -> tuple[object, object]:
        """An (asyncio.StreamReader, asyncio.StreamWriter) to a port of the pod; OSError when nothing answers."""
        ...

    async def stats(self) -> Sequence[Object]:
        """`PodMetrics` of metrics.k8s.io/v1beta1, one a pod."""
        ...

    async def page(self, path: str, query: Mapping[str, str]) -> NodePage:
        """One of the agent's own pages: `/healthz`, `/pods`, `/stats/summary`, …; NotFound for others."""
        ...
