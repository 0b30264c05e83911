"""What leads to an object and what it leads to: Ingress → Service → EndpointSlice → Pod → Node, and owners.

In: the objects of a namespace (and the nodes) by kind, as JSON data, and one of them. Out: `Knot`s with a state in
a few words and its tone: those above it, each with the ones above that, and itself with all below. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from ktui.describe.fields import metadata_of
from ktui.kube import kinds
from ktui.kube.data import items, mapping, section, string, strings
from ktui.kube.pod_summary import summarize
from ktui.kube.resource import Object, Resource
from ktui.kube.service import SERVICE_NAME_LABEL, count_endpoints, is_headless, type_of

Tone: TypeAlias = Literal["good", "warn", "bad", "dim", ""]
World: TypeAlias = Mapping[str, Sequence[Object]]
"""Objects by their kind's `Resource.key`."""

_APPS: Final = "apps"
STATEFUL_SETS: Final = Resource(_APPS, "v1", "statefulsets", "StatefulSet", True, "statefulset", ("sts",))
DAEMON_SETS: Final = Resource(_APPS, "v1", "daemonsets", "DaemonSet", True, "daemonset", ("ds",))
JOBS: Final = Resource("batch", "v1", "jobs", "Job", True, "job")
CRON_JOBS: Final = Resource("batch", "v1", "cronjobs", "CronJob", True, "cronjob", ("cj",))

KINDS: Final = (
    kinds.INGRESSES, kinds.SERVICES, kinds.ENDPOINT_SLICES, kinds.PODS, kinds.NODES, CRON_JOBS, JOBS,
    kinds.DEPLOYMENTS, STATEFUL_SETS, DAEMON_SETS, kinds.REPLICA_SETS,
)  # fmt: skip
"""Every kind that has a place in the tree."""
_OWNERS: Final = (CRON_JOBS, kinds.DEPLOYMENTS, JOBS, STATEFUL_SETS, DAEMON_SETS, kinds.REPLICA_SETS)


@dataclass(frozen=True, slots=True)
class Knot:
    """An object in the tree; `uid` "" for one that is named but isn't there."""

    resource: Resource
    namespace: str
    name: str
    uid: str
    state: str
    tone: Tone
    below: tuple[Knot, ...] = ()

    @property
    def path(self) -> str:
        return f"{self.resource.singular}/{self.name}"


@dataclass(frozen=True, slots=True)
class Tree:
    """`above` are what leads to the object; their `below` is what leads to them."""

    above: tuple[Knot, ...]
    itself: Knot


def tree_of(world: World, resource: Resource, namespace: str, name: str) -> Tree | None:
    """The tree around an object; None if it isn't there."""
    links = _Links(world)
    obj = links.find(resource, namespace, name)
    if obj is None:
        return None
    leading = [*links.up(resource, obj), *links.services_of(obj)]
    above = tuple(_knot(links, kind, found, _above(links, kind, found)) for kind, found in leading)
    return Tree(above, _knot(links, resource, obj, _below(links, resource, obj)))


def _above(links: _Links, resource: Resource, obj: Object) -> tuple[Knot, ...]:
    return tuple(
        _knot(links, kind, found, _above(links, kind, found)) for kind, found in links.up(resource, obj)
    )


def _below(links: _Links, resource: Resource, obj: Object) -> tuple[Knot, ...]:
    found = tuple(
        _knot(links, kind, each, _below(links, kind, each)) for kind, each in links.down(resource, obj)
    )
    return (*found, *links.missing(resource, obj))


class _Links:
    """Who leads to whom."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._named = {
            (resource.key, string(metadata_of(obj), "namespace"), string(metadata_of(obj), "name")): obj
            for resource in KINDS
            for obj in world.get(resource.key) or ()
        }
        self._owned: dict[str, list[tuple[Resource, Object]]] = {}
        for resource in (JOBS, kinds.REPLICA_SETS, kinds.PODS):
            for obj in self._all(resource):
                if owner := _controller(obj):
                    self._owned.setdefault(str(owner.get("uid")), []).append((resource, obj))
        self._slices: dict[tuple[str, str], list[Object]] = {}
        self._slices_of_pod: dict[tuple[str, str], list[Object]] = {}
        for each in self._all(kinds.ENDPOINT_SLICES):
            namespace = string(metadata_of(each), "namespace")
            service = mapping(metadata_of(each), "labels").get(SERVICE_NAME_LABEL) or ""
            self._slices.setdefault((namespace, service), []).append(each)
            for pod in _pod_names(each):
                self._slices_of_pod.setdefault((namespace, pod), []).append(each)
        self._ingresses: dict[tuple[str, str], list[Object]] = {}
        for ingress in self._all(kinds.INGRESSES):
            for service in service_names(ingress):
                place = string(metadata_of(ingress), "namespace"), service
                self._ingresses.setdefault(place, []).append(ingress)

    def _all(self, resource: Resource) -> Sequence[Object]:
        return self._world.get(resource.key) or ()

    def find(self, resource: Resource, namespace: str, name: str) -> Object | None:
        return self._named.get((resource.key, namespace if resource.namespaced else "", name))

    def slices_of(self, resource: Resource, obj: Object) -> Sequence[Object]:
        """The EndpointSlices of a Service."""
        if resource.key != kinds.SERVICES.key:
            return ()
        metadata = metadata_of(obj)
        return self._slices.get((string(metadata, "namespace"), string(metadata, "name")), ())

    def down(self, resource: Resource, obj: Object) -> Iterable[tuple[Resource, Object]]:
        """What an object leads to."""
        namespace = string(metadata_of(obj), "namespace")
        match resource.key:
            case kinds.INGRESSES.key:
                yield from self._existing(kinds.SERVICES, namespace, service_names(obj))
            case kinds.SERVICES.key:
                yield from ((kinds.ENDPOINT_SLICES, each) for each in self.slices_of(resource, obj))
            case kinds.ENDPOINT_SLICES.key:
                yield from self._existing(kinds.PODS, namespace, _pod_names(obj))
            case kinds.PODS.key:
                yield from self._existing(kinds.NODES, "", [string(section(obj, "spec"), "nodeName")])
            case _:
                owned = self._owned.get(str(metadata_of(obj).get("uid")), [])
                # ReplicaSets of former revisions have nothing below them.
                kept = [pair for pair in owned if pair[0] is not kinds.REPLICA_SETS or _wants_pods(pair[1])]
                yield from sorted(kept or owned[-1:], key=_order)

    def up(self, resource: Resource, obj: Object) -> Iterable[tuple[Resource, Object]]:
        """What leads to an object."""
        namespace, name = string(metadata_of(obj), "namespace"), string(metadata_of(obj), "name")
        if owner := _controller(obj):
            for kind in _OWNERS:
                if kind.kind == owner.get("kind"):
                    yield from self._existing(kind, namespace, [string(owner, "name")])
        match resource.key:
            case kinds.SERVICES.key:
                yield from ((kinds.INGRESSES, each) for each in self._ingresses.get((namespace, name), ()))
            case kinds.ENDPOINT_SLICES.key:
                service = mapping(metadata_of(obj), "labels").get(SERVICE_NAME_LABEL) or ""
                yield from self._existing(kinds.SERVICES, namespace, [service])
            case kinds.PODS.key:
                found = self._slices_of_pod.get((namespace, name), ())
                yield from ((kinds.ENDPOINT_SLICES, each) for each in found)
            case kinds.NODES.key:
                on_node = [p for p in self._all(kinds.PODS) if section(p, "spec").get("nodeName") == name]
                yield from sorted(((kinds.PODS, pod) for pod in on_node), key=_order)
            case _:
                pass

    def services_of(self, workload: Object) -> Iterable[tuple[Resource, Object]]:
        """The services that lead to a workload's pods."""
        found: dict[str, Object] = {}
        for kind, pod in self._pods_below(workload):
            place = string(metadata_of(pod), "namespace"), string(metadata_of(pod), "name")
            for each in self._slices_of_pod.get(place, ()) if kind is kinds.PODS else ():
                for _, service in self.up(kinds.ENDPOINT_SLICES, each):
                    found[string(metadata_of(service), "name")] = service
        yield from ((kinds.SERVICES, found[name]) for name in sorted(found))

    def _pods_below(self, obj: Object) -> Iterable[tuple[Resource, Object]]:
        for kind, owned in self._owned.get(str(metadata_of(obj).get("uid")), ()):
            yield kind, owned
            yield from self._pods_below(owned)

    def missing(self, resource: Resource, obj: Object) -> Iterable[Knot]:
        """What an Ingress names and isn't there."""
        if resource.key == kinds.INGRESSES.key:
            namespace = string(metadata_of(obj), "namespace")
            for name in service_names(obj):
                if self.find(kinds.SERVICES, namespace, name) is None:
                    yield Knot(kinds.SERVICES, namespace, name, "", "there is no such service", "bad")

    def _existing(
        self, resource: Resource, namespace: str, names: Iterable[str]
    ) -> Iterable[tuple[Resource, Object]]:
        for name in names:
            if (found := self.find(resource, namespace, name)) is not None:
                yield resource, found


def service_names(ingress: Object) -> list[str]:
    """The services that an Ingress leads to, in the order written."""
    spec = section(ingress, "spec")
    paths = [path for rule in items(spec, "rules") for path in items(section(rule, "http"), "paths")]
    backends = [*(section(path, "backend") for path in paths), section(spec, "defaultBackend")]
    names = [string(section(backend, "service"), "name") for backend in backends]
    return [name for name in dict.fromkeys(names) if name]


def _pod_names(piece: Object) -> list[str]:
    targets = [section(endpoint, "targetRef") for endpoint in items(piece, "endpoints")]
    return sorted({string(target, "name") for target in targets if target.get("kind") == "Pod"})


def _controller(obj: Object) -> Object | None:
    return next((o for o in items(metadata_of(obj), "ownerReferences") if o.get("controller")), None)


def _wants_pods(replica_set: Object) -> bool:
    return bool(
        section(replica_set, "spec").get("replicas") or section(replica_set, "status").get("replicas")
    )


def _order(pair: tuple[Resource, Object]) -> tuple[str, str]:
    return string(metadata_of(pair[1]), "namespace"), string(metadata_of(pair[1]), "name")


# -- states --------------------------------------------------------------------------------------------------


def _knot(links: _Links, resource: Resource, obj: Object, below: tuple[Knot, ...]) -> Knot:
    metadata = metadata_of(obj)
    state, tone = state_of(resource, obj, links.slices_of(resource, obj))
    names = string(metadata, "namespace"), string(metadata, "name"), string(metadata, "uid")
    return Knot(resource, *names, state, tone, below)


def state_of(resource: Resource, obj: Object, slices: Sequence[Object] = ()) -> tuple[str, Tone]:
    """How an object does, in a few words; `slices` are those of a Service."""
    spec, status = section(obj, "spec"), section(obj, "status")
    match resource.key:
        case kinds.PODS.key:
            return _pod_state(obj)
        case kinds.NODES.key:
            return _node_state(obj)
        case kinds.ENDPOINT_SLICES.key:
            return _of(*count_endpoints([obj]), "ready")
        case kinds.SERVICES.key:
            return _service_state(obj, slices)
        case kinds.INGRESSES.key:
            hosts = dict.fromkeys(string(rule, "host") or "*" for rule in items(spec, "rules"))
            addresses = [
                string(each, "ip") or string(each, "hostname")
                for each in items(section(status, "loadBalancer"), "ingress")
            ]
            at = f"at {', '.join(addresses)}" if addresses else "no address yet"
            return f"{', '.join(hosts) or '*'} {at}", "good" if addresses else "warn"
        case DAEMON_SETS.key:
            return _of(
                int(status.get("numberReady") or 0), int(status.get("desiredNumberScheduled") or 0), "ready"
            )
        case JOBS.key:
            wanted = int(spec.get("completions") or 1)
            return f"{int(status.get('succeeded') or 0)}/{wanted} done", "bad" if status.get("failed") else ""
        case CRON_JOBS.key:
            return string(spec, "schedule"), "dim" if spec.get("suspend") else ""
        case _:
            replicas = spec.get("replicas")
            return _of(
                int(status.get("readyReplicas") or 0), 1 if replicas is None else int(replicas), "ready"
            )


def _of(ready: int, total: int, word: str) -> tuple[str, Tone]:
    tone: Tone = "dim" if not total else "good" if ready >= total else "bad" if not ready else "warn"
    return f"{ready}/{total} {word}", tone


def _pod_state(pod: Object) -> tuple[str, Tone]:
    summary = summarize(pod)
    text = f"{summary.status} {summary.ready}/{summary.total}"
    if summary.restarts:
        text += f", {summary.restarts} restart{'s' * (summary.restarts > 1)}"
    if address := string(section(pod, "status"), "podIP"):
        text += f", {address}"
    if summary.status in ("Completed", "Succeeded"):
        return text, "dim"
    if summary.status == "Running":
        return text, "good" if summary.ready == summary.total else "warn"
    waits = summary.status in ("Pending", "ContainerCreating", "PodInitializing", "Terminating")
    return text, "warn" if waits or (
        summary.status.startswith("Init:") and summary.status[5:6].isdigit()
    ) else "bad"


def _node_state(node: Object) -> tuple[str, Tone]:
    conditions = {string(c, "type"): c for c in items(section(node, "status"), "conditions")}
    ready = conditions.get("Ready", {}).get("status") == "True"
    cordoned = bool(section(node, "spec").get("unschedulable"))
    text = "Ready" if ready else "NotReady"
    return (
        f"{text},SchedulingDisabled" if cordoned else text,
        "bad" if not ready else "warn" if cordoned else "good",
    )


def _service_state(service: Object, slices: Sequence[Object]) -> tuple[str, Tone]:
    spec = section(service, "spec")
    if type_of(service) == "ExternalName":
        return f"ExternalName {string(spec, 'externalName')}", ""
    address = "headless" if is_headless(service) else ", ".join(strings(spec, "clusterIPs"))
    ready, total = count_endpoints(slices)
    text, tone = _of(ready, total, "ready")
    return f"{type_of(service)} {address}, {text}", tone if total else "bad"
