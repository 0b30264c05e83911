"""What the data plane of one node is told by the engine that starts it."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import msgspec


class NetworkSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Names and addresses; everything made on the host carries the engine's id, so that two engines never meet."""

    engine: str
    """The engine's id: 8 hexadecimal digits."""
    node: str
    host_address: str
    """The node's InternalIP: where NodePorts, LoadBalancers and Ingresses answer."""
    bridge: str = ""
    """The pods' bridge; none where pods have no network of the host's (rootless, sim)."""
    gateway: str = ""
    """The host's address on the bridge, where DNS answers."""
    pod_cidr: str = ""
    service_cidr: str = ""
    domain: str = "cluster.local"
    dial_socket: str = ""
    """Where the engine connects to pods whose network the host can't reach; set where it can't."""
    filters_bridged: bool = True
    """Whether packets from pod to pod pass the IP hooks (`net.bridge.bridge-nf-call-iptables`)."""

    @property
    def is_in_kernel(self) -> bool:
        """Whether Services are the kernel's work; else only what a proxy of ours can do is done."""
        return not self.dial_socket

    @property
    def table(self) -> str:
        """The engine's nftables table (family ip)."""
        return f"ktui-{self.engine}"

    @property
    def policy_table(self) -> str:
        """Its table of network policies."""
        return f"{self.table}-policy"

    @property
    def anchor(self) -> str:
        """The interface that keeps the bridge while no pod runs."""
        return f"ktui{self.engine}a"

    @property
    def anchor_peer(self) -> str:
        """Its other end, which leads nowhere (not every kernel has dummy interfaces)."""
        return f"ktui{self.engine}b"

    @property
    def cluster_dns(self) -> str:
        """The tenth address of the services' network, as is the custom: the Service kube-dns."""
        return str(ipaddress.ip_network(self.service_cidr)[10])


def filters_bridged() -> bool:
    """Whether this host's packets from pod to pod pass the IP hooks."""
    try:
        return Path("/proc/sys/net/bridge/bridge-nf-call-iptables").read_text().strip() == "1"
    except OSError:
        return False
