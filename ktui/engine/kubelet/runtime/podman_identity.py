"""Who an engine is to Podman: an id and a subnet of its own, kept in its data folder.

The id goes into the names and labels of everything the engine makes; the subnet is derived from it and moved
along until it meets no route of the host and no other Podman network. A copied data folder is another engine
(the original still lies where the copy says it was), a moved one stays the same.
"""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

_FILE = "podman.json"
_POOL = ipaddress.ip_network("10.128.0.0/9")
"""Pod subnets come from here: clear of the service network, and of where most home and office networks lie."""


class ChosenRuntime(msgspec.Struct, frozen=True):
    """Which OCI runtime worked, and on what; another Podman or hierarchy means trying anew."""

    name: str
    tried_with: str
    rootless_bridge: bool = True


class Identity(msgspec.Struct, frozen=True):
    """What is kept in `podman.json`."""

    engine: str
    folder: str
    inode: int
    subnet: str = ""
    runtime: ChosenRuntime | None = None

    @property
    def network(self) -> str:
        """The name of the engine's Podman network."""
        return f"ktui-{self.engine}"

    @property
    def bridge(self) -> str:
        """The name of its interface on the host (at most 15 characters)."""
        return f"ktui{self.engine}"

    @property
    def gateway(self) -> str:
        """The host's address on the bridge."""
        return str(ipaddress.ip_network(self.subnet)[1])


def read_identity(data_dir: Path) -> Identity | None:
    """What the data folder has; None when there is none, or none that can be read."""
    try:
        return msgspec.json.decode((data_dir / _FILE).read_bytes(), type=Identity)
    except (OSError, msgspec.MsgspecError):
        return None


def load_identity(data_dir: Path) -> Identity:
    """The identity of the data folder, made and written when it has none of its own."""
    folder = data_dir.resolve()
    inode = folder.stat().st_ino
    known = read_identity(folder)
    if known is not None and not _is_copy(known, folder, inode):
        if (known.folder, known.inode) == (str(folder), inode):
            return known
        identity = msgspec.structs.replace(known, folder=str(folder), inode=inode)
    else:
        identity = Identity(engine=secrets.token_hex(4), folder=str(folder), inode=inode)
    save_identity(data_dir, identity)
    return identity


def save_identity(data_dir: Path, identity: Identity) -> None:
    """Write it, whole or not at all."""
    temporary = data_dir / f".{_FILE}.new"
    temporary.write_bytes(msgspec.json.format(msgspec.json.encode(identity), indent=2) + b"\n")
    temporary.rename(data_dir / _FILE)


def _is_copy(known: Identity, folder: Path, inode: int) -> bool:
    original = Path(known.folder)
    if original == folder or known.inode == inode:
        return False
    there = read_identity(original)
    return there is not None and there.engine == known.engine


@dataclass(frozen=True, slots=True)
class Taken:
    """Networks that a subnet must not meet."""

    networks: tuple[ipaddress.IPv4Network, ...]

    def free(self, subnet: ipaddress.IPv4Network) -> bool:
        """Whether `subnet` overlaps none of them."""
        return not any(subnet.overlaps(network) for network in self.networks)


def candidate_subnets(engine: str, taken: Taken) -> Iterator[str]:
    """Free /24 networks in an order that is the engine's own."""
    count = _POOL.num_addresses // 256
    start = int.from_bytes(hashlib.blake2s(engine.encode(), digest_size=4).digest()) % count
    for step in range(count):
        address = _POOL.network_address + ((start + step * 97) % count) * 256
        subnet = ipaddress.IPv4Network((address, 24))
        if taken.free(subnet):
            yield str(subnet)


def host_routes(table: Path = Path("/proc/net/route")) -> tuple[ipaddress.IPv4Network, ...]:
    """The host's IPv4 routes, the default one apart."""
    try:
        rows = table.read_text().splitlines()[1:]
    except OSError:
        return ()
    routes: list[ipaddress.IPv4Network] = []
    for row in rows:
        fields = row.split()
        destination, mask = (int.from_bytes(bytes.fromhex(fields[i]), "little") for i in (1, 7))
        if mask:
            routes.append(ipaddress.IPv4Network((destination, mask.bit_count())))
    return tuple(routes)


def parse_networks(subnets: Iterable[str]) -> tuple[ipaddress.IPv4Network, ...]:
    """The IPv4 ones among `subnets`."""
    parsed = (ipaddress.ip_network(subnet, strict=False) for subnet in subnets)
    return tuple(network for network in parsed if isinstance(network, ipaddress.IPv4Network))
