"""The network from which services get their cluster IPs.

Engines on one machine need different ones: the service proxies of two clusters with one network would take each
other's packets. The first start chooses a part of Kubernetes' usual 10.96.0.0/12 that meets no route of the
host, and keeps it in the store, as the ServiceCIDR `kubernetes`.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from ktui.engine.api.documents import decode
from ktui.engine.store.base import Key, Store
from ktui.kube.clock import rfc3339
from ktui.kube.data import items, section, strings
from ktui.kube.kinds import SERVICE_CIDRS
from ktui.kube.resource import Object

SERVICE_RANGE: Final = "10.96.0.0/16"
"""Where nobody chooses one."""
SERVICE_RANGE_NAME: Final = "kubernetes"
_POOL: Final = ipaddress.IPv4Network("10.96.0.0/12")
_PREFIX: Final = 20
_FINALIZER: Final = "networking.k8s.io/service-cidr-finalizer"
"""Keeps it from being deleted while services have its addresses."""


def free_service_range(seed: str, taken: Iterable[ipaddress.IPv4Network]) -> str:
    """A network that meets none of `taken`; other seeds begin to look elsewhere."""
    used = tuple(taken)
    step = 2 ** (32 - _PREFIX)
    count = _POOL.num_addresses // step
    start = int.from_bytes(hashlib.blake2s(seed.encode(), digest_size=4).digest()) % count
    for offset in range(count):
        address = _POOL.network_address + (start + offset) % count * step
        network = ipaddress.IPv4Network((address, _PREFIX))
        if not any(network.overlaps(other) for other in used):
            return str(network)
    return SERVICE_RANGE


def stored_range(store: Store) -> str:
    """The network this store's cluster has; "" before its first start."""
    entry = store.get(Key(SERVICE_CIDRS.key, "", SERVICE_RANGE_NAME))
    found = strings(section(decode(entry.data), "spec"), "cidrs") if entry else []
    return found[0] if found else ""


def ready_networks(store: Store) -> list[ipaddress.IPv4Network] | None:
    """The networks from which services may get addresses now, the cluster's own first; None before its first
    start."""
    entries = store.list(SERVICE_CIDRS.key).entries
    ordered = sorted(entries, key=lambda entry: (entry.key.name != SERVICE_RANGE_NAME, entry.key.name))
    found = [
        ipaddress.IPv4Network(text, strict=False)
        for entry in ordered
        if _is_ready(obj := decode(entry.data))
        for text in strings(section(obj, "spec"), "cidrs")
        if ":" not in text
    ]
    return found if entries else None


def _is_ready(service_cidr: Object) -> bool:
    conditions = items(section(service_cidr, "status"), "conditions")
    is_ready = any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)
    return is_ready and not section(service_cidr, "metadata").get("deletionTimestamp")


def service_range_object(network: str) -> Object:
    """The ServiceCIDR that tells of it."""
    metadata = {"name": SERVICE_RANGE_NAME, "finalizers": [_FINALIZER]}
    return {"metadata": metadata, "spec": {"cidrs": [network]}}


def service_range_status(now: datetime) -> Object:
    """What is told of it: services may have its addresses."""
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "",
        "message": "Kubernetes Service CIDR is ready",
        "lastTransitionTime": rfc3339(now),
    }
    return {"status": {"conditions": [ready]}}
