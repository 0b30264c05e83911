"""A container's ports by number or name, as probes and hooks refer to them."""

from __future__ import annotations

from lightkube.models.core_v1 import Container


def resolve_port(port: int | str, container: Container) -> int:
    """The number of a port given as number, digits or name. Raises ValueError."""
    if isinstance(port, int):
        number = port
    elif port.isdigit():
        number = int(port)
    else:
        number = next((p.containerPort for p in container.ports or () if p.name == port), 0)
        if not number:
            raise ValueError(f'couldn\'t find port: "{port}" in container {container.name}')
    if not 0 < number < 65536:
        raise ValueError(f"invalid port number: {number}")
    return number
