"""A container's environment: `envFrom`, `env`, `valueFrom` and `$(VAR)` expansion.

In: the pod, the container and a snapshot of what they refer to. Out: the variables, or `ConfigError` with the
message the kubelet shows in a `CreateContainerConfigError` waiting state. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from lightkube.models.core_v1 import Container, EnvVarSource, Pod

from ktui.engine.kubelet import pod as pods
from ktui.engine.kubelet.expansion import expand
from ktui.engine.kubelet.references import References
from ktui.engine.kubelet.resources import resource_field


class ConfigError(Exception):
    """The container can't be configured; the message goes to its waiting state."""


FileKeyReader = Callable[[str, str, str], str | None]
"""(volume name, path in it, key) to the value in that env file, None when file or key are missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFacts:
    """What downward API fields need to know beside the pod itself."""

    node_name: str
    host_ip: str
    pod_ips: Sequence[str] = ()
    allocatable: Mapping[str, str] = field(default_factory=dict[str, str])
    memory_bytes: int = 0
    node_labels: Mapping[str, str] = field(default_factory=dict[str, str])


def container_environment(
    pod: Pod,
    container: Container,
    references: References,
    facts: NodeFacts,
    *,
    service_variables: Mapping[str, str] | None = None,
    file_key: FileKeyReader | None = None,
) -> dict[str, str]:
    """The container's variables in order. Raises ConfigError."""
    services = dict(service_variables or {})
    values: dict[str, str] = {}
    for source in container.envFrom or ():
        values.update(_from_source(source.prefix or "", source.configMapRef, references, "configmap"))
        values.update(_from_source(source.prefix or "", source.secretRef, references, "secret"))
    for variable in container.env or ():
        if variable.valueFrom is not None:
            value = _value_from(pod, container, variable.valueFrom, references, facts, file_key)
            if value is None:
                continue
        else:
            value = expand(variable.value or "", {**services, **values})
        values[variable.name] = value
    return {**{name: value for name, value in services.items() if name not in values}, **values}


def _from_source(prefix: str, reference: object, references: References, kind: str) -> dict[str, str]:
    if reference is None:
        return {}
    name: str = getattr(reference, "name", None) or ""
    objects = references.config_maps if kind == "configmap" else references.secrets
    data = objects.get(name)
    if data is None:
        if getattr(reference, "optional", None):
            return {}
        raise ConfigError(f'{kind} "{name}" not found')
    return {prefix + key: _text(value) for key, value in sorted(data.items()) if "=" not in key}


def _value_from(
    pod: Pod,
    container: Container,
    source: EnvVarSource,
    references: References,
    facts: NodeFacts,
    file_key: FileKeyReader | None,
) -> str | None:
    if source.fieldRef is not None:
        return pod_field(pod, source.fieldRef.fieldPath, facts)
    if source.resourceFieldRef is not None:
        reference = source.resourceFieldRef
        target = pods.find_container(pod, reference.containerName) if reference.containerName else container
        if target is None:
            raise ConfigError(f"container {reference.containerName} not found")
        return resource_field(target, reference.resource, reference.divisor, facts.allocatable)
    if source.configMapKeyRef is not None:
        selector = source.configMapKeyRef
        return _key(
            references.config_maps, selector.name, selector.key, selector.optional, "ConfigMap", references
        )
    if source.secretKeyRef is not None:
        secret = source.secretKeyRef
        return _key(references.secrets, secret.name, secret.key, secret.optional, "Secret", references)
    if source.fileKeyRef is not None:
        reference = source.fileKeyRef
        value = file_key(reference.volumeName, reference.path, reference.key) if file_key else None
        if value is None and not reference.optional:
            raise ConfigError(
                f'environment variable key "{reference.key}" not found in file "{reference.path}"'
            )
        return value
    return ""


def _key(
    objects: Mapping[str, Mapping[str, bytes]],
    name: str | None,
    key: str,
    optional: bool | None,
    kind: str,
    references: References,
) -> str | None:
    data = objects.get(name or "")
    if data is None:
        if optional:
            return None
        raise ConfigError(f'{kind.lower()} "{name}" not found')
    if key not in data:
        if optional:
            return None
        raise ConfigError(f"couldn't find key {key} in {kind} {references.namespace}/{name}")
    return _text(data[key])


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


def pod_field(pod: Pod, path: str, facts: NodeFacts) -> str:
    """The value of a downward API `fieldPath`. Raises ConfigError for one that is not supported."""
    metadata = pods.meta(pod)
    base, subscript = _subscript(path)
    if base == "metadata.annotations":
        found = pods.annotations_of(pod)
        return format_map(found) if subscript is None else found.get(subscript, "")
    if base == "metadata.labels":
        found = pods.labels_of(pod)
        return format_map(found) if subscript is None else found.get(subscript, "")
    pod_ips = list(facts.pod_ips)
    simple = {
        "metadata.name": metadata.name or "",
        "metadata.namespace": metadata.namespace or "",
        "metadata.uid": metadata.uid or "",
        "spec.nodeName": facts.node_name,
        "spec.serviceAccountName": pods.spec(pod).serviceAccountName or "",
        "status.hostIP": facts.host_ip,
        "status.hostIPs": facts.host_ip,
        "status.podIP": pod_ips[0] if pod_ips else "",
        "status.podIPs": ",".join(pod_ips),
    }
    if path not in simple:
        raise ConfigError(f"unsupported fieldPath: {path}")
    return simple[path]


def _subscript(path: str) -> tuple[str, str | None]:
    if path.endswith("']") and "['" in path:
        base, _, rest = path.partition("['")
        return base, rest[:-2]
    return path, None


def format_map(values: Mapping[str, str]) -> str:
    """A map as downward API files show it: sorted `key="value"` lines with Go escapes."""
    return "\n".join(f"{key}={_quoted(value)}" for key, value in sorted(values.items()))


_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def _quoted(text: str) -> str:
    return '"' + "".join(_ESCAPES.get(character, character) for character in text) + '"'
