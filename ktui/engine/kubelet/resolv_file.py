"""The /etc/resolv.conf of pods whose wishes Podman can't be told.

Pods on the node's network get the node's file from it, and where `.` is among the search domains it leaves out all.
"""

from __future__ import annotations

from lightkube.models.core_v1 import Pod

from ktui.engine.kubelet import pod as pods
from ktui.engine.kubelet.container_spec import ClusterDNS, pod_dns
from ktui.engine.kubelet.runtime.base import DNSConfig

_ROOT = "."


def resolv_file(pod: Pod, cluster: ClusterDNS | None, host: DNSConfig) -> str | None:
    """The file's text; None where the runtime makes the file."""
    dns = pod_dns(pod, cluster, host)
    if dns is None or not (pods.spec(pod).hostNetwork or _ROOT in dns.searches):
        return None
    lines = [f"search {' '.join(dns.searches)}"] if dns.searches else []
    lines += [f"nameserver {server}" for server in dns.servers]
    lines += [f"options {' '.join(dns.options)}"] if dns.options else []
    return "\n".join(lines) + "\n"
