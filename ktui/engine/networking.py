"""Which data plane a node gets: the kernel's, one of our own on the loopback address, or none.

In: what the container runtime found. Out: the parts that the engine runs, and what the kubelet has to know.
With root's Podman and nftables Services are the kernel's work. Without the right to that (rootless) node ports
and Ingresses are still served, by relaying; a simulation has no network at all.
"""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from ktui.client.base import Client
from ktui.client.informer import Informers
from ktui.engine.kubelet.container_spec import ClusterDNS
from ktui.engine.kubelet.runtime.base import RuntimeInfo
from ktui.engine.kubelet.stopping import Leave
from ktui.engine.network.dns.stand_in import NameStandIn
from ktui.engine.network.ingress.keeper import ensure_class
from ktui.engine.network.keeper import NETWORK_FOLDER, AgentKeeper, remove_network
from ktui.engine.network.launch import Launch
from ktui.engine.network.services import ServiceView
from ktui.engine.network.settings import NetworkSettings, filters_bridged
from ktui.engine.network.userspace.dialing import Dial, DialSocket, PodDialer
from ktui.engine.network.userspace.node_ports import LoopbackPorts
from ktui.kube.clock import Clock

_DIAL_SOCKET = "dial.sock"
_TOOLS = ("nft", "ip", "conntrack")
_PATH = "/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/sbin:/usr/local/bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFacts:
    """What the choice depends on, and what the data plane is told."""

    node: str
    host_address: str
    pod_cidr: str
    service_cidr: str
    data_dir: Path
    api_socket: Path
    debug: bool = False


class Network:
    """A node's data plane."""

    def __init__(self, info: RuntimeInfo, facts: NodeFacts) -> None:
        self.limits = limits_of(info)
        """What is not available here and why; "" where all is."""
        self.cluster_dns: ClusterDNS | None = None
        self.leave_services: Leave | None = None
        """What a pod that ends waits for."""
        self._info = info
        self._facts = facts
        self._folder = facts.data_dir.absolute() / NETWORK_FOLDER
        self._keeper: AgentKeeper | None = None
        if info.name != "sim":
            self._keep(self._settings())

    def _settings(self) -> NetworkSettings:
        details, facts = self._info.details, self._facts
        in_kernel = not self.limits
        return NetworkSettings(
            engine=details["engine"],
            node=facts.node,
            host_address=facts.host_address,
            bridge=details["bridge"] if in_kernel else "",
            gateway=details["gateway"] if in_kernel else "",
            pod_cidr=facts.pod_cidr if in_kernel else "",
            service_cidr=facts.service_cidr,
            filters_bridged=filters_bridged(),
            dial_socket="" if in_kernel else str(self._folder / _DIAL_SOCKET),
        )

    def _keep(self, settings: NetworkSettings) -> None:
        facts = self._facts
        launch = Launch(socket=str(facts.api_socket.absolute()), settings=settings, debug=facts.debug)
        self._keeper = AgentKeeper(self._folder, launch)
        if settings.is_in_kernel:
            self.cluster_dns = ClusterDNS(servers=[settings.gateway], domain=settings.domain)
            self.leave_services = self._keeper.without

    def parts(
        self, client: Client, informers: Informers, dial: Dial, clock: Clock
    ) -> dict[str, Callable[[], Awaitable[None]]]:
        """What the engine runs, by name. Call it before the informers run."""
        if self._keeper is None:
            return {}
        parts: dict[str, Callable[[], Awaitable[None]]] = {"network": self._keeper.run}
        if not self.limits:
            self._keeper.stand_in = NameStandIn(informers, self._keeper.settings, clock)
            parts["stand-in for DNS"] = self._keeper.stand_in.run
        else:
            dialer = PodDialer(client, dial)
            parts["pod dialer"] = DialSocket(dialer, self._folder / _DIAL_SOCKET).run
            parts["node ports"] = LoopbackPorts(ServiceView(informers), dialer, clock).run
        return parts

    async def remove(self) -> None:
        """Take what was made on the host away, once no pod runs."""
        if self._keeper is not None:
            await remove_network(self._folder)


async def prepare(client: Client, info: RuntimeInfo) -> None:
    """Make what a data plane has in the API of a new cluster: call it before manifests are applied."""
    if info.name != "sim":
        await ensure_class(client)


def limits_of(info: RuntimeInfo) -> str:
    """Why Services are not the kernel's work here, and what is missing then; "" where they are."""
    if info.name == "sim":
        return "the simulation has no network: Services have addresses, but nothing answers there"
    if info.details.get("rootless") == "true":
        why = "Podman runs rootless"
    elif not info.details.get("bridge"):
        why = "the pods have no bridge"
    elif missing := [tool for tool in _TOOLS if shutil.which(tool, path=_PATH) is None]:
        why = f"{', '.join(missing)} not installed"
    else:
        return ""
    return (
        f"{why}: node ports (TCP) answer on 127.0.0.1 and Ingresses are served; cluster IPs, cluster DNS, UDP and "
        "NetworkPolicies are not available"
    )
