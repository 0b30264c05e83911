"""How webhooks that are Services of the cluster are found: the seam to whatever knows where a Service's pods are."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Endpoint(NamedTuple):
    """Where to connect."""

    host: str
    port: int


class ServiceError(Exception):
    """A Service that can't be reached; the message says why, as `service "x" not found`."""


class ServiceResolver(Protocol):
    """Knows a ready endpoint for a port of a Service."""

    async def resolve(self, namespace: str, name: str, port: int) -> Endpoint:
        """Raises ServiceError."""
        ...


class NoServices:
    """The resolver of a cluster without Services."""

    async def resolve(self, namespace: str, name: str, port: int) -> Endpoint:
        raise ServiceError(
            f"service {namespace}/{name} can't be reached: this server knows no Services; "
            "use clientConfig.url for a webhook outside of the cluster"
        )
