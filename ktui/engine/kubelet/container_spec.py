"""From a Pod to what the runtime is told: the pure heart of the kubelet.

In: the pod, one of its containers, its environment, the image and the host paths of its volumes. Out: a
`ContainerSpec` or a `SandboxSpec`. Nothing here touches disk or network, so that every field of a pod can be
tested by a table.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lightkube.models.core_v1 import Container, Pod, VolumeDevice, VolumeMount

from ktui.engine.kubelet import labels
from ktui.engine.kubelet import pod as pods
from ktui.engine.kubelet.environment import ConfigError
from ktui.engine.kubelet.expansion import expand, unresolved
from ktui.engine.kubelet.resources import container_resources
from ktui.engine.kubelet.runtime.base import (
    ContainerSpec,
    Device,
    DNSConfig,
    ImageRecord,
    Mount,
    PodIdentity,
    PortMapping,
    SandboxSpec,
)
from ktui.engine.kubelet.security import container_security

DEFAULT_TERMINATION_PATH = "/dev/termination-log"
DEFAULT_DOMAIN = "cluster.local"
_MAX_HOSTNAME = 63
_PROPAGATION = {"HostToContainer": "rslave", "Bidirectional": "rshared"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerInputs:
    """What was found out for one container before its spec can be built."""

    attempt: int
    image: ImageRecord
    environment: Mapping[str, str]
    volume_paths: Mapping[str, Path]
    """Host path of each volume of the pod, by volume name."""
    sub_paths: Mapping[str, Path]
    """Resolved host path of each subPath mount, by its mountPath."""
    hosts_file: Path
    """The pod's /etc/hosts, mounted unless the container brings its own."""
    termination_file: Path
    node_memory: int
    seccomp_dir: Path
    image_volumes: Mapping[str, ImageRecord] = field(default_factory=dict[str, ImageRecord])
    """The images of volumes of the type `image`, by volume name."""
    resolv_file: Path | None = None
    """The pod's /etc/resolv.conf, where the runtime does not make it."""
    target_id: str = ""
    """The running container whose processes this one is to see."""


def build_container_spec(pod: Pod, container: Container, inputs: ContainerInputs) -> ContainerSpec:
    """The container as the runtime is to create it. Raises ConfigError."""
    environment = inputs.environment
    return ContainerSpec(
        name=container.name,
        attempt=inputs.attempt,
        image=inputs.image.id or container.image or "",
        command=[expand(word, environment) for word in container.command or ()],
        args=[expand(word, environment) for word in container.args or ()],
        env=environment,
        working_dir=container.workingDir or "",
        labels=labels.of_container(pod, container, inputs.attempt, str(inputs.termination_file)),
        mounts=[
            *(volume_mount(mount, container, inputs) for mount in container.volumeMounts or ()),
            *_name_mounts(container, inputs),
            Mount(
                target=container.terminationMessagePath or DEFAULT_TERMINATION_PATH,
                source=str(inputs.termination_file),
            ),
        ],
        devices=[_device(device, container, inputs) for device in container.volumeDevices or ()],
        resources=container_resources(pod, container, inputs.node_memory),
        security=container_security(pod, container, inputs.image, inputs.seccomp_dir),
        stdin=bool(container.stdin),
        stdin_once=bool(container.stdinOnce),
        tty=bool(container.tty),
        process_namespace_of=inputs.target_id,
        stop_signal=(container.lifecycle.stopSignal if container.lifecycle else None) or "",
    )


def _name_mounts(container: Container, inputs: ContainerInputs) -> list[Mount]:
    files = {"/etc/hosts": inputs.hosts_file, "/etc/resolv.conf": inputs.resolv_file}
    own = {mount.mountPath for mount in container.volumeMounts or ()}
    return [
        Mount(target=target, source=str(file))
        for target, file in files.items()
        if file is not None and target not in own
    ]


def volume_mount(mount: VolumeMount, container: Container, inputs: ContainerInputs) -> Mount:
    """One `volumeMounts` entry. Raises ConfigError for a subPath that can't be told."""
    target = mount.mountPath if mount.mountPath.startswith("/") else posixpath.join("/", mount.mountPath)
    if image := inputs.image_volumes.get(mount.name):
        inside = sub_path(mount, inputs.environment)
        return Mount(target=target, image=image.id, image_path=inside, read_only=True)
    base = inputs.volume_paths.get(mount.name)
    if base is None:
        raise ConfigError(f'cannot find volume "{mount.name}" to mount into container "{container.name}"')
    inside = sub_path(mount, inputs.environment)
    return Mount(
        target=target,
        source=str(inputs.sub_paths.get(mount.mountPath, base / inside) if inside else base),
        read_only=bool(mount.readOnly),
        propagation=_PROPAGATION.get(mount.mountPropagation or "", "private"),  # pyright: ignore[reportArgumentType] - the table holds only what the type names
    )


def _device(device: VolumeDevice, container: Container, inputs: ContainerInputs) -> Device:
    """One `volumeDevices` entry."""
    source = inputs.volume_paths.get(device.name)
    if source is None:
        raise ConfigError(f'cannot find volume "{device.name}" to pass into container "{container.name}"')
    return Device(source=str(source), target=device.devicePath)


def sub_path(mount: VolumeMount, environment: Mapping[str, str]) -> str:
    """The path inside the volume that is mounted, "" for all of it."""
    if mount.subPathExpr:
        missing = unresolved(mount.subPathExpr, environment)
        if missing:
            raise ConfigError(f'missing value for "{missing[0]}"')
        path = expand(mount.subPathExpr, environment)
    else:
        path = mount.subPath or ""
    if path.startswith("/"):
        raise ConfigError(f'error SubPath "{path}" must not be an absolute path')
    if ".." in path.split("/"):
        raise ConfigError(f"unable to provision SubPath \"{path}\": must not contain '..'")
    return path


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterDNS:
    """Where pods with `dnsPolicy: ClusterFirst` look names up."""

    servers: Sequence[str]
    domain: str = DEFAULT_DOMAIN


def build_sandbox_spec(
    pod: Pod, attempt: int, cluster_dns: ClusterDNS | None, host_dns: DNSConfig
) -> SandboxSpec:
    """The pod's shared namespaces."""
    spec = pods.spec(pod)
    metadata = pods.meta(pod)
    host_network = bool(spec.hostNetwork)
    security = spec.securityContext
    return SandboxSpec(
        pod=PodIdentity(metadata.namespace or "", metadata.name or "", metadata.uid or ""),
        attempt=attempt,
        hostname="" if host_network else hostname(pod),  # on the node's network it has the node's name
        labels=labels.of_pod(pod),
        dns=pod_dns(pod, cluster_dns, host_dns),
        host_aliases=[(alias.ip, name) for alias in spec.hostAliases or () for name in alias.hostnames or ()],
        port_mappings=[] if host_network else port_mappings(pod),
        host_network=host_network,
        host_pid=bool(spec.hostPID),
        host_ipc=bool(spec.hostIPC),
        share_process_namespace=bool(spec.shareProcessNamespace),
        sysctls={s.name: s.value for s in (security.sysctls if security else None) or ()},
    )


def hostname(pod: Pod) -> str:
    """The pod's host name: its own wish or its name, cut to what a host name may be."""
    spec = pods.spec(pod)
    name = spec.hostnameOverride or spec.hostname or pods.meta(pod).name or ""
    return name[:_MAX_HOSTNAME].rstrip("-.")


def port_mappings(pod: Pod) -> list[PortMapping]:
    """The host ports the pod's containers and sidecars ask for."""
    holders = [*(c for c in pods.init_containers(pod) if pods.is_sidecar(c)), *pods.containers(pod)]
    return [
        PortMapping(
            container_port=port.containerPort,
            host_port=port.hostPort,
            host_ip=port.hostIP or "",
            protocol="UDP" if port.protocol == "UDP" else "TCP",
        )
        for container in holders
        for port in container.ports or ()
        if port.hostPort
    ]


def pod_dns(pod: Pod, cluster: ClusterDNS | None, host: DNSConfig) -> DNSConfig | None:
    """resolv.conf by dnsPolicy, then dnsConfig added; None keeps the runtime's own (the host's)."""
    spec = pods.spec(pod)
    policy = spec.dnsPolicy or "ClusterFirst"
    if policy == "ClusterFirst" and spec.hostNetwork:
        policy = "Default"
    elif policy == "ClusterFirstWithHostNet":
        policy = "ClusterFirst"
    extra = spec.dnsConfig
    if policy == "None":
        base = DNSConfig()
    elif policy == "ClusterFirst" and cluster is not None:
        namespace = pods.meta(pod).namespace or "default"
        domain = cluster.domain
        base = DNSConfig(
            servers=list(cluster.servers),
            searches=[f"{namespace}.svc.{domain}", f"svc.{domain}", domain, *host.searches],
            options=["ndots:5"],
        )
    elif extra is None:
        return None
    else:
        base = host
    if extra is None:
        return base
    return DNSConfig(
        servers=_unique([*base.servers, *(extra.nameservers or ())]),
        searches=_unique([*base.searches, *(extra.searches or ())]),
        options=_merged_options(
            base.options, [f"{o.name}:{o.value}" if o.value else o.name or "" for o in extra.options or ()]
        ),
    )


def _unique(values: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(values))


def _merged_options(base: Sequence[str], extra: Sequence[str]) -> list[str]:
    merged = {option.partition(":")[0]: option for option in base}
    merged.update({option.partition(":")[0]: option for option in extra})
    return list(merged.values())
