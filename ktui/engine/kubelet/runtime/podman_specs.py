"""Pure translation of sandbox and container specs to the bodies of Podman's create calls.

Labels on every object say whose it is (`dev.ktui.engine`) and what it is for; names carry the engine too, so
that engines with different data folders never meet. The kubelet's own labels travel as one JSON label, since
Podman mixes an image's labels with a container's.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping, Sequence
from typing import Any

from ktui.engine.kubelet.runtime.base import (
    ContainerSpec,
    ImageRecord,
    Mount,
    PodIdentity,
    Resources,
    SandboxSpec,
)
from ktui.engine.kubelet.runtime.podman_config import least_oom_score

JSON = dict[str, Any]

ENGINE = "dev.ktui.engine"
NAMESPACE = "dev.ktui.pod.namespace"
POD = "dev.ktui.pod.name"
UID = "dev.ktui.pod.uid"
SANDBOX_ATTEMPT = "dev.ktui.sandbox.attempt"
SANDBOX_FLAGS = "dev.ktui.sandbox.flags"
CONTAINER = "dev.ktui.container.name"
CONTAINER_ATTEMPT = "dev.ktui.container.attempt"
IMAGE = "dev.ktui.container.image"
IMAGE_ID = "dev.ktui.container.image-id"
LABELS = "dev.ktui.labels"

HOST_NAME_MAX = 63
LOG_SIZE = 50 * 1024 * 1024
"""A container's log is cut at this size; the kubelet of Kubernetes keeps 5 files of 10 MiB."""


def pod_name(engine: str, pod: PodIdentity, attempt: int) -> str:
    """A readable name that no other engine uses."""
    return f"ktui-{engine}_{pod.namespace}_{pod.name}_{pod.uid}_{attempt}"


def infra_name(pod: str) -> str:
    """The name of a pod's infra container."""
    return f"{pod}_infra"


def pod_body(engine: str, spec: SandboxSpec, network: str | None, host_name: str) -> JSON:
    """The body of `pods/create`. `network` None: no bridge, slirp4netns gives each pod its own NAT."""
    name = pod_name(engine, spec.pod, spec.attempt)
    flags = [flag for flag, is_set in (("host_pid", spec.host_pid), ("host_ipc", spec.host_ipc)) if is_set]
    body: JSON = {
        "name": name,
        "infra_name": infra_name(name),
        # Podman would take the pod's long name, which the kernel refuses.
        "hostname": (spec.hostname or (host_name if spec.host_network else spec.pod.name))[:HOST_NAME_MAX],
        "labels": {
            ENGINE: engine,
            NAMESPACE: spec.pod.namespace,
            POD: spec.pod.name,
            UID: spec.pod.uid,
            SANDBOX_ATTEMPT: str(spec.attempt),
            SANDBOX_FLAGS: ",".join(flags),
            LABELS: json.dumps(dict(spec.labels)),
        },
        "shared_namespaces": [
            "net",
            "uts",
            *([] if spec.host_ipc else ["ipc"]),
            *(["pid"] if spec.share_process_namespace and not spec.host_pid else []),
        ],
    }
    if spec.host_network:
        body["netns"] = {"nsmode": "host"}
    elif network is None:
        body["netns"] = {"nsmode": "slirp4netns"}
    else:
        body["netns"] = {"nsmode": "bridge"}
        body["Networks"] = {network: {}}
    if spec.dns is not None:
        body["dns_server"] = list(spec.dns.servers)
        body["dns_search"] = list(spec.dns.searches)
        body["dns_option"] = list(spec.dns.options)
    if spec.host_aliases:
        body["hostadd"] = [f"{host}:{ip}" for ip, host in spec.host_aliases]
    if spec.port_mappings and not spec.host_network:
        body["portmappings"] = [
            {
                "container_port": port.container_port,
                "host_port": port.host_port,
                "host_ip": port.host_ip,
                "protocol": port.protocol.lower(),
            }
            for port in spec.port_mappings
        ]
    if spec.sysctls:
        body["sysctl"] = dict(spec.sysctls)
    return body


def container_body(
    engine: str,
    pod_id: str,
    pod_labels: Mapping[str, str],
    pod: PodIdentity,
    spec: ContainerSpec,
    image: ImageRecord,
    target_pid: int = 0,
) -> JSON:
    """The body of `containers/create`. `pod_labels` are those of the Podman pod it joins; with `target_pid` it
    joins that process's PID namespace (naming a container instead would tie the two's removal)."""
    security = spec.security
    body: JSON = {
        "name": f"ktui-{engine}_{pod.namespace}_{pod.name}_{spec.name}_{pod_id[:12]}_{spec.attempt}",
        "pod": pod_id,
        "image": image.id.removeprefix("sha256:"),
        "labels": {
            ENGINE: engine,
            NAMESPACE: pod.namespace,
            POD: pod.name,
            UID: pod.uid,
            CONTAINER: spec.name,
            CONTAINER_ATTEMPT: str(spec.attempt),
            IMAGE: image.tags[0] if spec.image == image.id and image.tags else spec.image,
            IMAGE_ID: image.digests[0] if image.digests else image.id,
            LABELS: json.dumps(dict(spec.labels)),
        },
        "env": dict(spec.env),
        "mounts": [mount_body(mount) for mount in spec.mounts if not mount.image],
        "image_volumes": [image_volume_body(mount) for mount in spec.mounts if mount.image],
        "terminal": spec.tty,
        "stdin": spec.stdin,
        "privileged": security.privileged,
        "read_only_filesystem": security.read_only_root_filesystem,
        "no_new_privileges": security.no_new_privileges,
        "log_configuration": {"driver": "k8s-file", "size": LOG_SIZE},
        # Kubernetes has probes of its own, knows no proxy variables and no systemd mode.
        "healthconfig": {"Test": ["NONE"]},
        "httpproxy": False,
        "systemd": "false",
        "create_working_dir": True,
        "resource_limits": resources_body(spec.resources),
    }
    if spec.command:
        body["entrypoint"] = list(spec.command)
    if spec.args or spec.command:
        body["command"] = list(spec.args)
    if spec.working_dir:
        body["work_dir"] = spec.working_dir
    if spec.stop_signal:
        body["stop_signal"] = signal_number(spec.stop_signal)
    if security.user:
        body["user"] = security.user
    if security.supplemental_groups:
        body["groups"] = [str(group) for group in security.supplemental_groups]
    if security.add_capabilities:
        body["cap_add"] = [capability_name(name) for name in security.add_capabilities]
    if security.drop_capabilities:
        body["cap_drop"] = [capability_name(name) for name in security.drop_capabilities]
    if security.seccomp_profile:
        body["seccomp_profile_path"] = security.seccomp_profile
    if spec.resources.oom_score_adj is not None:
        body["oom_score_adj"] = max(spec.resources.oom_score_adj, least_oom_score())
    if spec.devices:
        _give_devices(body, spec)
    flags = pod_labels.get(SANDBOX_FLAGS, "").split(",")
    if "host_pid" in flags:
        body["pidns"] = {"nsmode": "host"}
    elif target_pid:
        body["pidns"] = {"nsmode": "path", "value": f"/proc/{target_pid}/ns/pid"}
    if "host_ipc" in flags:
        body["ipcns"] = {"nsmode": "host"}
    return body


def _give_devices(body: JSON, spec: ContainerSpec) -> None:
    """Podman gives a privileged container all devices and leaves out those asked for: theirs are mounted."""
    if spec.security.privileged:
        mounts = [Mount(target=device.target, source=device.source) for device in spec.devices]
        body["mounts"] = [*body["mounts"], *(mount_body(mount) for mount in mounts)]
    else:
        body["devices"] = [{"path": f"{device.source}:{device.target}:rwm"} for device in spec.devices]


def mount_body(mount: Mount) -> JSON:
    """One entry of `mounts`."""
    mode = "ro" if mount.read_only else "rw"
    if not mount.source:
        options = [mode, *([f"size={mount.size_bytes}"] if mount.size_bytes is not None else [])]
        return {"type": "tmpfs", "source": "tmpfs", "destination": mount.target, "options": options}
    propagation = {"private": "rprivate", "rslave": "rslave", "rshared": "rshared"}[mount.propagation]
    return {
        "type": "bind",
        "source": mount.source,
        "destination": mount.target,
        "options": ["rbind", mode, propagation],
    }


def image_volume_body(mount: Mount) -> JSON:
    """One entry of `image_volumes`: an image's files, which nobody can change."""
    body: JSON = {
        "source": mount.image.removeprefix("sha256:"),
        "destination": mount.target,
        "readWrite": False,
    }
    return {**body, "subPath": mount.image_path} if mount.image_path else body


def resources_body(resources: Resources) -> JSON:
    """The `resource_limits` of a container, which are also the body of an update."""
    cpu = {
        key: value
        for key, value in (
            ("shares", resources.cpu_shares),
            ("quota", resources.cpu_quota),
            ("period", resources.cpu_period),
        )
        if value is not None
    }
    body: JSON = {"cpu": cpu} if cpu else {}
    if resources.memory_limit is not None:
        # Without swap beyond the limit, as Kubernetes runs containers.
        body["memory"] = {"limit": resources.memory_limit, "swap": resources.memory_limit}
    if resources.pids_limit is not None:
        body["pids"] = {"limit": resources.pids_limit}
    return body


def capability_name(name: str) -> str:
    """Kubernetes writes NET_ADMIN where Podman wants CAP_NET_ADMIN; ALL stays."""
    return name if name == "ALL" or name.startswith("CAP_") else f"CAP_{name}"


def signal_number(name: str) -> int:
    """15 for "SIGTERM", "TERM" or "15"; "SIGRTMIN+3" too."""
    if name.isdigit():
        return int(name)
    bare, _, offset = name.upper().removeprefix("SIG").partition("+")
    return signal.Signals[f"SIG{bare}"] + (int(offset) if offset else 0)


def own_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """The kubelet's labels out of an object's labels."""
    kept: object = json.loads(labels.get(LABELS) or "{}")
    return {str(k): str(v) for k, v in kept.items()} if isinstance(kept, dict) else {}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - JSON that was read back


def label_filter(*labels: str) -> str:
    """The `filters` parameter for objects that carry all of `labels`."""
    return json.dumps({"label": list(labels)})


def engine_filter(engine: str, extra: Sequence[str] = ()) -> str:
    """The `filters` parameter for one engine's objects."""
    return label_filter(f"{ENGINE}={engine}", *extra)
