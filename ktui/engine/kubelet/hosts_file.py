"""The /etc/hosts that the kubelet makes for a pod's containers: its own name, and its hostAliases. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from lightkube.models.core_v1 import Pod

from ktui.engine.kubelet import pod as pods
from ktui.engine.kubelet.container_spec import hostname

_HEADER = "# Kubernetes-managed hosts file."
_HOST_HEADER = "# Kubernetes-managed hosts file (host network)."
_LOCAL = (
    "127.0.0.1\tlocalhost",
    "::1\tlocalhost ip6-localhost ip6-loopback",
    "fe00::0\tip6-localnet",
    "fe00::0\tip6-mcastprefix",
    "fe00::1\tip6-allnodes",
    "fe00::2\tip6-allrouters",
)


def hosts_file(pod: Pod, pod_ips: Sequence[str], domain: str, host_text: str) -> str:
    """The file's text; `host_text` is the node's own, which pods on its network see."""
    if pods.spec(pod).hostNetwork:
        lines = [_HOST_HEADER, host_text.rstrip("\n")]
    else:
        lines = [_HEADER, *_LOCAL, *(_own_line(pod, address, domain) for address in pod_ips)]
    aliases = pods.spec(pod).hostAliases or ()
    if aliases:
        lines.append("\n# Entries added by HostAliases.")
        lines.extend("\t".join([alias.ip, *(alias.hostnames or ())]) for alias in aliases)
    return "\n".join(lines) + "\n"


def _own_line(pod: Pod, address: str, domain: str) -> str:
    name = hostname(pod)
    subdomain = pods.spec(pod).subdomain
    if not subdomain or pods.spec(pod).hostnameOverride:
        return f"{address}\t{name}"
    full = f"{name}.{subdomain}.{pods.meta(pod).namespace}.svc.{domain}"
    return f"{address}\t{full}\t{name}"
