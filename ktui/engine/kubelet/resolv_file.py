"""The /etc/resolv.conf of pods on the node's network that want other names than the node's: Podman gives them none."""

from __future__ import annotations

from lightkube.models.core_v1 import Pod

from ktui.engine.kubelet import pod as pods
from ktui.engine.kubelet.container_spec import ClusterDNS, pod_dns
from ktui.engine.kubelet.runtime.base import DNSConfig


def resolv_file(pod: Pod, cluster: ClusterDNS | None, host: DNSConfig) -> str | None:
    """The file's text; None where the runtime makes the file."""
    dns = pod_dns(pod, cluster, host) if pods.spec(pod).hostNetwork else None
    if dns is None:
        return None
    lines = [f"search {' '.join(dns.searches)}"] if dns.searches else []
    lines += [f"nameserver {server}" for server in dns.servers]
    lines += [f"options {' '.join(dns.options)}"] if dns.options else []
    return "\n".join(lines) + "\n"
