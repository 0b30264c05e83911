"""Addresses and failed connections in the words of Go's net package, which people know from Kubernetes."""

from __future__ import annotations


def join_host_port(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def dial_failure(address: str, error: BaseException) -> str:
    """A failed connection."""
    if isinstance(error, TimeoutError):
        return f"dial tcp {address}: i/o timeout"
    if isinstance(error, ConnectionRefusedError):
        return f"dial tcp {address}: connect: connection refused"
    if isinstance(error, OSError) and error.strerror:
        return f"dial tcp {address}: connect: {error.strerror.lower()}"
    return f"dial tcp {address}: {error}"
