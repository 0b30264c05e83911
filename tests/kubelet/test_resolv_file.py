"""Which names pods look up."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from lightkube.models.core_v1 import Pod

from ktui.engine.kubelet.container_spec import ClusterDNS
from ktui.engine.kubelet.resolv_file import resolv_file
from ktui.engine.kubelet.runtime.base import DNSConfig

CLUSTER = ClusterDNS(servers=["10.0.0.1"])
HOST = DNSConfig(servers=["192.0.2.1"], searches=["example.test"])
OF_THE_CLUSTER = (
    "search shop.svc.cluster.local svc.cluster.local cluster.local example.test\n"
    "nameserver 10.0.0.1\n"
    "options ndots:5\n"
)


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"hostNetwork": True, "dnsPolicy": "ClusterFirstWithHostNet"}, OF_THE_CLUSTER),
        ({"hostNetwork": True, "dnsPolicy": "ClusterFirst"}, None),
        ({"hostNetwork": True, "dnsPolicy": "Default"}, None),
        (
            {"hostNetwork": True, "dnsPolicy": "None", "dnsConfig": {"nameservers": ["10.9.9.9"]}},
            "nameserver 10.9.9.9\n",
        ),
        ({"dnsPolicy": "ClusterFirst"}, None),
        (
            {"dnsPolicy": "ClusterFirst", "dnsConfig": {"searches": ["."]}},
            OF_THE_CLUSTER.replace(".test\n", ".test .\n"),
        ),
    ],
)
def test_a_pod_has_the_names_it_asks_for_though_podman_cannot_be_told(
    spec: dict[str, Any], text: str | None
) -> None:
    pod = {
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"containers": [{"name": "c", "image": "i"}], **spec},
    }
    assert resolv_file(msgspec.convert(pod, Pod), CLUSTER, HOST) == text
