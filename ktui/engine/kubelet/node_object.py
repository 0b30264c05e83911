"""The Node object of this machine: what the kubelet registers, and the status it keeps up to date. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ktui.engine.kubelet.container_spec import ClusterDNS
from ktui.engine.kubelet.machine import Machine
from ktui.engine.kubelet.pressure import DISK_RESERVE, MEMORY_RESERVE, PIDS_RESERVE
from ktui.engine.kubelet.runtime.base import ImageRecord, RuntimeInfo
from ktui.kube import version
from ktui.kube.clock import rfc3339
from ktui.kube.data import mapping
from ktui.kube.quantity import canonical
from ktui.kube.resource import Object

KUBELET_VERSION = version.GIT_VERSION
MAX_PODS = 110
MAX_IMAGES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeIdentity:
    """What is configured about the node rather than found."""

    name: str
    addresses: Sequence[str]
    pod_cidr: str
    roles: Sequence[str] = ("control-plane",)
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    max_pods: int = MAX_PODS


def capacity(identity: NodeIdentity, machine: Machine) -> dict[str, str]:
    return {
        "cpu": str(machine.cpus),
        "memory": f"{machine.memory // 1024}Ki",
        "ephemeral-storage": f"{machine.disk // 1024}Ki",
        "hugepages-1Gi": "0",
        "hugepages-2Mi": "0",
        "pods": str(identity.max_pods),
    }


def allocatable(identity: NodeIdentity, machine: Machine) -> dict[str, str]:
    return {
        **capacity(identity, machine),
        "memory": f"{max(machine.memory - MEMORY_RESERVE, 0) // 1024}Ki",
        "ephemeral-storage": str(int(machine.disk * (1 - DISK_RESERVE))),
    }


def extended_allocatable(status: Object) -> dict[str, str | None]:
    """What others advertise in a node's capacity (`example.com/dongle`) can be given to pods.

    By name, with None for what they have taken back; `status` is what the API has.
    """
    capacity, given = mapping(status, "capacity"), mapping(status, "allocatable")
    gone = {name: None for name in given if _is_extended(name) and name not in capacity}
    return {**gone, **{name: amount for name, amount in capacity.items() if _is_extended(name)}}


def _is_extended(name: str) -> bool:
    """A resource with a domain of its own, not Kubernetes'."""
    return "/" in name and "kubernetes.io/" not in name


def node_labels(identity: NodeIdentity, machine: Machine) -> dict[str, str]:
    return {
        "beta.kubernetes.io/arch": machine.architecture,
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": machine.architecture,
        "kubernetes.io/hostname": identity.name,
        "kubernetes.io/os": "linux",
        **{f"node-role.kubernetes.io/{role}": "" for role in identity.roles},
        **identity.labels,
    }


def configuration(identity: NodeIdentity, dns: ClusterDNS | None) -> Object:
    """`KubeletConfiguration` as it is in force."""
    found: Object = {
        "kind": "KubeletConfiguration",
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "maxPods": identity.max_pods,
        "podCIDR": identity.pod_cidr,
        "evictionHard": {
            "memory.available": f"{MEMORY_RESERVE // 1024 // 1024}Mi",
            "nodefs.available": f"{DISK_RESERVE:.0%}",
            "pid.available": f"{PIDS_RESERVE:.0%}",
        },
        "evictionPressureTransitionPeriod": "5m0s",
    }
    if dns is not None:
        found |= {"clusterDNS": list(dns.servers), "clusterDomain": dns.domain}
    return found


def new_node(identity: NodeIdentity, machine: Machine) -> Object:
    """The Node as it is created."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": identity.name,
            "labels": node_labels(identity, machine),
            "annotations": {"volumes.kubernetes.io/controller-managed-attach-detach": "true"},
        },
        "spec": {"podCIDR": identity.pod_cidr, "podCIDRs": [identity.pod_cidr]} if identity.pod_cidr else {},
    }


def node_status(
    identity: NodeIdentity,
    machine: Machine,
    pressed: Mapping[str, bool],
    info: RuntimeInfo,
    images: Sequence[ImageRecord],
    runtime_error: str,
    before: Object,
    now: datetime,
) -> Object:
    """The status fields the kubelet owns; `pressed` by condition type, `before` is the status the API has."""
    return {
        "capacity": capacity(identity, machine),
        "allocatable": {**allocatable(identity, machine), **extended_allocatable(before)},
        "addresses": [
            *({"type": "InternalIP", "address": address} for address in identity.addresses),
            {"type": "Hostname", "address": identity.name},
        ],
        "conditions": _conditions(pressed, runtime_error, before.get("conditions") or [], now),
        "nodeInfo": {
            "architecture": machine.architecture,
            "bootID": machine.boot_id,
            "containerRuntimeVersion": f"{info.name}://{info.version}",
            "kernelVersion": machine.kernel,
            "kubeProxyVersion": "",
            "kubeletVersion": KUBELET_VERSION,
            "machineID": machine.machine_id,
            "operatingSystem": "linux",
            "osImage": machine.os_image,
            "systemUUID": machine.system_uuid,
        },
        "images": [
            {"names": [*image.digests, *image.tags][:5], "sizeBytes": image.size_bytes}
            for image in sorted(images, key=lambda image: -image.size_bytes)[:MAX_IMAGES]
            if image.digests or image.tags
        ],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
    }


_PRESSURE_WORDS = {
    "MemoryPressure": (
        ("KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        ("KubeletHasInsufficientMemory", "kubelet has insufficient memory available"),
    ),
    "DiskPressure": (
        ("KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        ("KubeletHasDiskPressure", "kubelet has disk pressure"),
    ),
    "PIDPressure": (
        ("KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ("KubeletHasInsufficientPID", "kubelet has insufficient PID available"),
    ),
}


def _conditions(
    pressures: Mapping[str, bool], runtime_error: str, before: list[Any], now: datetime
) -> list[Object]:
    found: list[Object] = []
    for kind, pressed in pressures.items():
        reason, message = _PRESSURE_WORDS[kind][pressed]
        found.append(
            {"type": kind, "status": "True" if pressed else "False", "reason": reason, "message": message}
        )
    if runtime_error:
        ready = {"status": "False", "reason": "KubeletNotReady", "message": runtime_error}
    else:
        ready = {
            "status": "True",
            "reason": "KubeletReady",
            "message": "kubelet is posting ready status",
        }
    found.append({"type": "Ready", **ready})
    known: dict[str, Object] = {c["type"]: c for c in before}
    stamp = rfc3339(now)
    for condition in found:
        old = known.get(condition["type"]) or {}
        same = old.get("status") == condition["status"]
        condition["lastHeartbeatTime"] = stamp
        condition["lastTransitionTime"] = (old.get("lastTransitionTime") if same else None) or stamp
    return found


def differs(before: Object, after: Object) -> bool:
    """Whether anything but heartbeat times changed."""
    return any(
        _plain(name, before.get(name), value) != _plain(name, value, value) for name, value in after.items()
    )


def _plain(name: str, value: Any, after: Any) -> Any:
    if name in ("capacity", "allocatable"):
        amounts: Object = value or {}
        return {each: canonical(amounts[each]) if amounts.get(each) else None for each in after}
    if name != "conditions":
        return value
    conditions: list[Object] = value or []
    return {
        c["type"]: {k: v for k, v in c.items() if k != "lastHeartbeatTime"}
        for c in conditions
        if c["type"] in (*_PRESSURE_WORDS, "Ready")
    }
