"""What a description needs besides the object: its events, and the objects that belong to it.

All of it is optional to the reader: a kind the cluster doesn't serve, or that the user may not list, leaves
its part out rather than failing the description.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ktui.client.base import Client, ListOptions
from ktui.describe.fields import metadata_of
from ktui.describe.why_service import lacks_endpoints, why_no_endpoints
from ktui.kube.data import items, section, string
from ktui.kube.errors import StatusError
from ktui.kube.kinds import (
    ENDPOINT_SLICES,
    EVENTS,
    LEASES,
    LIMIT_RANGES,
    PODS,
    REPLICA_SETS,
    RESOURCE_QUOTAS,
    SECRETS,
    SERVICES,
)
from ktui.kube.resource import Object, Resource
from ktui.kube.selector import Selector
from ktui.kube.service import SERVICE_NAME_LABEL


@dataclass(frozen=True, slots=True)
class Related:
    """None means "could not be read", an empty list that there is none."""

    events: Sequence[Object] | None = None
    pods: Sequence[Object] | None = None
    replica_sets: Sequence[Object] | None = None
    secrets: Sequence[Object] | None = None
    lease: Object | None = None
    quotas: Sequence[Object] | None = None
    limit_ranges: Sequence[Object] | None = None
    services: Mapping[str, Object | str] | None = None
    """By name: a service, or why it could not be read."""
    slices: Mapping[str, Sequence[Object]] | None = None
    """The EndpointSlices of services, by their names."""
    causes: Sequence[str] = ()
    """Why a service has no endpoints; nothing for one that has."""


async def with_events(client: Client, resource: Resource, obj: Object) -> Related:
    """The events about an object."""
    return Related(events=await _events(client, obj, str(metadata_of(obj).get("uid") or "")))


async def of_replica_set(client: Client, resource: Resource, obj: Object) -> Related:
    """Its events and the pods it controls."""
    related = await with_events(client, resource, obj)
    return replace(related, pods=await _controlled(client, PODS, obj))


async def of_deployment(client: Client, resource: Resource, obj: Object) -> Related:
    """Its events and the replica sets it controls."""
    related = await with_events(client, resource, obj)
    return replace(related, replica_sets=await _controlled(client, REPLICA_SETS, obj))


async def of_node(client: Client, resource: Resource, obj: Object) -> Related:
    """Its events (the kubelet's name it by the node's name, others by its UID), pods and lease."""
    metadata = metadata_of(obj)
    name = str(metadata.get("name"))
    events = await _events(client, obj, str(metadata.get("uid") or ""))
    if events is not None:
        seen = {metadata_of(event).get("uid") for event in events}
        by_name = await _events(client, obj, name) or ()
        events = [*events, *(event for event in by_name if metadata_of(event).get("uid") not in seen)]
    on_node = f"spec.nodeName={name},status.phase!=Succeeded,status.phase!=Failed"
    try:
        lease = await client.get(LEASES, name, "kube-node-lease")
    except StatusError:
        lease = None
    pods = await _listed(client, PODS, "", ListOptions(field_selector=on_node))
    return Related(events=events, pods=pods, lease=lease)


async def of_claim(client: Client, resource: Resource, obj: Object) -> Related:
    """Its events, and the pods that use it or own it."""
    metadata = metadata_of(obj)
    related = await with_events(client, resource, obj)
    pods = await _listed(client, PODS, string(metadata, "namespace"), ListOptions())
    if pods is None:
        return related
    owners = {each.get("uid") for each in items(metadata, "ownerReferences") if each.get("kind") == "Pod"}
    name = string(metadata, "name")
    return replace(
        related,
        pods=[pod for pod in pods if _uses(pod, name) or metadata_of(pod).get("uid") in owners],
    )


def _uses(pod: Object, claim: str) -> bool:
    volumes = items(section(pod, "spec"), "volumes")
    return any(section(volume, "persistentVolumeClaim").get("claimName") == claim for volume in volumes)


async def of_service_account(client: Client, resource: Resource, obj: Object) -> Related:
    """Its events and the secrets of its namespace."""
    related = await with_events(client, resource, obj)
    namespace = str(metadata_of(obj).get("namespace") or "")
    return replace(related, secrets=await _listed(client, SECRETS, namespace, ListOptions()))


async def of_namespace(client: Client, resource: Resource, obj: Object) -> Related:
    """What limits the objects in it."""
    name = str(metadata_of(obj).get("name") or "")
    return Related(
        quotas=await _listed(client, RESOURCE_QUOTAS, name, ListOptions()),
        limit_ranges=await _listed(client, LIMIT_RANGES, name, ListOptions()),
    )


async def of_service(client: Client, resource: Resource, obj: Object) -> Related:
    """Its events and its EndpointSlices."""
    metadata = metadata_of(obj)
    name, namespace = str(metadata.get("name") or ""), str(metadata.get("namespace") or "")
    related = await with_events(client, resource, obj)
    slices = await slices_of(client, name, namespace)
    return replace(related, slices={name: slices}, causes=await causes_of(client, obj, slices))


async def causes_of(client: Client, service: Object, slices: Sequence[Object]) -> Sequence[str]:
    """Why a service has no endpoints, read from its namespace; nothing, and nothing read, for one that has."""
    if not lacks_endpoints(service, slices):
        return ()
    namespace = str(metadata_of(service).get("namespace") or "")
    pods = await _listed(client, PODS, namespace, ListOptions())
    if pods is None:
        return ()
    of_pods = ListOptions(field_selector="involvedObject.kind=Pod")
    events = await _listed(client, EVENTS, namespace, of_pods) or ()
    return why_no_endpoints(service, pods, slices, events)


async def of_ingress(client: Client, resource: Resource, obj: Object) -> Related:
    """Its events, the services it leads to, and their EndpointSlices."""
    namespace = str(metadata_of(obj).get("namespace") or "")
    services: dict[str, Object | str] = {}
    slices: dict[str, Sequence[Object]] = {}
    for name in _backends(obj):
        try:
            services[name] = await client.get(SERVICES, name, namespace)
            slices[name] = await slices_of(client, name, namespace)
        except StatusError as error:
            services[name] = error.message
    return replace(await with_events(client, resource, obj), services=services, slices=slices)


def _backends(ingress: Object) -> set[str]:
    """The names of the services an Ingress leads to."""
    spec = section(ingress, "spec")
    paths = [path for rule in items(spec, "rules") for path in items(section(rule, "http"), "paths")]
    backends = [section(spec, "defaultBackend"), *(section(path, "backend") for path in paths)]
    return {string(section(backend, "service"), "name") for backend in backends} - {""}


async def slices_of(client: Client, service: str, namespace: str) -> Sequence[Object]:
    """The EndpointSlices of a service."""
    options = ListOptions(label_selector=f"{SERVICE_NAME_LABEL}={service}")
    return await _listed(client, ENDPOINT_SLICES, namespace, options) or ()


async def nothing(client: Client, resource: Resource, obj: Object) -> Related:
    """For kinds that kubectl describes without events."""
    return Related()


async def _events(client: Client, obj: Object, uid: str) -> Sequence[Object] | None:
    metadata = metadata_of(obj)
    namespace = str(metadata.get("namespace") or "")
    wanted = {"involvedObject.name": metadata.get("name"), "involvedObject.uid": uid}
    if namespace:
        wanted["involvedObject.namespace"] = namespace
    if obj.get("kind") and obj["kind"] != "Pod":
        wanted["involvedObject.kind"] = obj["kind"]
    selector = ",".join(f"{field}={value}" for field, value in wanted.items() if value)
    return await _listed(client, EVENTS, namespace, ListOptions(field_selector=selector))


async def _controlled(client: Client, resource: Resource, owner: Object) -> Sequence[Object] | None:
    """The objects that match the owner's selector and are controlled by it."""
    metadata = metadata_of(owner)
    spec: Object = owner.get("spec") or {}
    selector = str(Selector.of(spec.get("selector")))
    listed = await _listed(
        client, resource, str(metadata.get("namespace") or ""), ListOptions(label_selector=selector)
    )
    if listed is None:
        return None
    return [obj for obj in listed if _is_controlled(obj, metadata.get("uid"))]


def _is_controlled(obj: Object, uid: object) -> bool:
    owners: Sequence[Object] = metadata_of(obj).get("ownerReferences") or ()
    return any(owner.get("controller") and owner.get("uid") == uid for owner in owners)


async def _listed(
    client: Client, resource: Resource, namespace: str, options: ListOptions
) -> Sequence[Object] | None:
    try:
        return (await client.list(resource, namespace, options=options)).items
    except StatusError:
        return None
