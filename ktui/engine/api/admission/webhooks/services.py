"""How webhooks that are Services of the cluster are reached: the seam to whatever knows where a Service's pods are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from ktui.kube.errors import StatusError

Connection = tuple[object, object]
"""An `asyncio.StreamReader` and an `asyncio.StreamWriter`."""


class ServiceError(Exception):
    """A Service that can't be reached; the message says why, as `no endpoints available for service "x"`."""


class Services(Protocol):
    """Connects to Services."""

    async def dial(self, namespace: str, name: str, port: int) -> Connection:
        """A connection to a ready endpoint of a Service's port. Raises ServiceError or OSError."""
        ...


class NoServices:
    """A cluster without Services."""

    async def dial(self, namespace: str, name: str, port: int) -> Connection:
        raise ServiceError(
            f"service {namespace}/{name} can't be reached: this server knows no Services; "
            "use clientConfig.url for a webhook outside of the cluster"
        )


class ClusterServices:
    """The Services of the server's own cluster."""

    def __init__(self, dial: Callable[[str, str, int], Awaitable[Connection]]) -> None:
        self._dial = dial

    async def dial(self, namespace: str, name: str, port: int) -> Connection:
        try:
            return await self._dial(namespace, name, port)
        except StatusError as error:
            raise ServiceError(
                f'service "{name}" not found' if error.is_not_found else error.message
            ) from error
