"""What every pod worker of a node shares: clients, runtime, clock, and the node-wide parts of the kubelet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from lightkube.models.core_v1 import Pod

from ktui.client.base import Client
from ktui.engine.kubelet import pod as pods
from ktui.engine.kubelet.backoff import Backoff
from ktui.engine.kubelet.container_spec import ClusterDNS
from ktui.engine.kubelet.environment import NodeFacts
from ktui.engine.kubelet.images import ImagePuller
from ktui.engine.kubelet.observed import Waiting
from ktui.engine.kubelet.probes.base import Connect
from ktui.engine.kubelet.recording import PodEvents, Recorder
from ktui.engine.kubelet.references import ReferenceReader
from ktui.engine.kubelet.runtime.base import DNSConfig, Runtime, RuntimeCallError
from ktui.engine.kubelet.stopping import Stopper
from ktui.engine.kubelet.volumes.pod_certificates import PodCertificates
from ktui.engine.kubelet.volumes.pod_volumes import PodVolumes
from ktui.engine.kubelet.volumes.tokens import TokenSource
from ktui.engine.kubelet.volumes.trust_anchors import TrustAnchors
from ktui.kube.clock import Clock


@dataclass(slots=True, kw_only=True)
class KubeletContext:
    """Shared by the workers of one node."""

    client: Client
    runtime: Runtime
    scheme: str
    """The runtime's name in container IDs."""
    clock: Clock
    node_name: str
    data_dir: Path
    recorder: Recorder | None
    references: ReferenceReader
    puller: ImagePuller
    volumes: PodVolumes
    tokens: TokenSource
    certificates: PodCertificates
    anchors: TrustAnchors
    stopper: Stopper
    backoff: Backoff
    allocatable: Mapping[str, str]
    memory_bytes: int
    cluster_dns: ClusterDNS | None
    host_dns: DNSConfig
    pods_reachable: bool
    """Pod addresses can be connected to from here; otherwise probes go through the runtime."""
    service_variables: Callable[[Pod], Mapping[str, str]] = field(default=lambda pod: {})
    """The variables that tell a pod where Services are."""
    admit: Callable[[Pod], Waiting | None] = field(default=lambda pod: None)
    node_labels: Callable[[], Mapping[str, str]] = field(default=dict)
    """This node's labels as they are now."""
    fits_resized: Callable[[Pod], Waiting | None] = field(default=lambda pod: None)
    """Why the node can't give a running pod what it now asks for."""
    """Whether a pod may start here; the reason why not."""

    @property
    def host_ip(self) -> str:
        return self.runtime.host_ip

    def events(self, pod: Pod) -> PodEvents:
        return PodEvents(self.recorder, pod)

    def facts(self, pod: Pod, pod_ips: list[str]) -> NodeFacts:
        host_network = bool(pods.spec(pod).hostNetwork)
        return NodeFacts(
            node_name=self.node_name,
            host_ip=self.host_ip,
            pod_ips=[self.host_ip] if host_network else pod_ips,
            allocatable=self.allocatable,
            memory_bytes=self.memory_bytes,
            node_labels=self.node_labels(),
        )

    def connect(self, pod: Pod, sandbox_id: str) -> Connect:
        """How probes and hooks reach ports of a pod."""
        host_network = bool(pods.spec(pod).hostNetwork)

        async def connect(host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            if not host and self.pods_reachable:
                host = self.host_ip if host_network else await self._address(pod, sandbox_id)
            if host:
                return await asyncio.open_connection(host, port)
            try:
                streams = await self.runtime.dial(sandbox_id, port)
            except RuntimeCallError as error:
                raise ConnectionRefusedError(str(error)) from error
            return cast(tuple[asyncio.StreamReader, asyncio.StreamWriter], streams)

        return connect

    async def _address(self, pod: Pod, sandbox_id: str) -> str:
        """The sandbox's own address: the status may not have it yet."""
        records = await self.runtime.pod(pods.uid(pod))
        return next((r.ips[0] for r in records if r.id == sandbox_id and r.ips), "")

    def termination_file(self, pod: Pod, container: str, attempt: int) -> Path:
        return self.volumes.pod_dir(pods.uid(pod)) / "containers" / container / f"{attempt}.termination-log"
