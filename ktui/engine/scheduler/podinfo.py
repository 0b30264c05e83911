"""A pod as the filters see it: what is asked again and again is worked out once, when the pod arrives.

In: a typed pod. Out: its requests, host ports, parsed affinity terms and selectors. Immutable; a changed pod
gets a new one.
"""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
# (lightkube-models types maps as a bare dict)

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

from lightkube.models.core_v1 import Affinity, Pod, PodAffinityTerm, PodSpec, Toleration
from lightkube.models.meta_v1 import LabelSelector

from ktui.engine.scheduler.resources import Amounts, pod_requests, scoring_requests
from ktui.kube.resource import ObjectKey
from ktui.kube.selector import Requirement, Selector

DEFAULT_SCHEDULER: Final = "default-scheduler"
_NO_LABELS: Final[Mapping[str, str]] = {}


@dataclass(frozen=True, slots=True)
class HostPort:
    """A port a container wants on the node itself; address 0.0.0.0 means every address."""

    address: str
    protocol: str
    port: int

    def conflicts(self, other: HostPort) -> bool:
        if self.port != other.port or self.protocol != other.protocol:
            return False
        return self.address == other.address or "0.0.0.0" in (self.address, other.address)


@dataclass(frozen=True, slots=True)
class PodClaim:
    """A claim the pod uses, in its namespace; an ephemeral one must be the pod's own."""

    name: str
    is_ephemeral: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class AffinityTerm:
    """One pod (anti-)affinity term, parsed: which pods it is about and over which topology.

    Like pods share their terms (`_interned`), so that what was found out about a term is found again by its
    identity.
    """

    topology_key: str
    selector: Selector
    namespaces: frozenset[str]
    namespace_selector: Selector | None

    def matches(self, pod: PodInfo, namespaces: Mapping[str, Mapping[str, str]]) -> bool:
        """`namespaces` gives each namespace's labels."""
        if pod.key.namespace not in self.namespaces:
            chooses = self.namespace_selector
            if chooses is None or not chooses.matches(namespaces.get(pod.key.namespace, _NO_LABELS)):
                return False
        return self.selector.matches(pod.labels)


Preference: TypeAlias = tuple[AffinityTerm, int]
"""A term with what meeting it is worth; negative for anti-affinity."""


class PodInfo:
    """See the module. `pod` is the object itself."""

    __slots__ = (
        "affinity",
        "anti_affinity",
        "claims",
        "controller",
        "host_ports",
        "key",
        "labels",
        "pod",
        "preferences",
        "priority",
        "requests",
        "scoring_requests",
        "spec",
        "terminating",
        "tolerations",
        "uid",
    )

    def __init__(self, pod: Pod) -> None:
        metadata, spec = pod.metadata, pod.spec
        if metadata is None or spec is None:
            raise ValueError("a pod without metadata or spec can't be scheduled")
        self.pod = pod
        self.spec = spec
        self.tolerations: Sequence[Toleration] = tuple(spec.tolerations or ())
        self.key = ObjectKey(metadata.namespace or "", metadata.name or "")
        self.uid = metadata.uid or ""
        self.labels: Mapping[str, str] = metadata.labels or _NO_LABELS
        self.terminating = metadata.deletionTimestamp is not None
        self.priority = spec.priority or 0
        self.requests: Amounts = pod_requests(spec)
        self.scoring_requests: Amounts = scoring_requests(spec)
        self.host_ports = _host_ports(pod)
        self.claims: Sequence[PodClaim] = _claims(self.key.name, spec) if spec.volumes else ()
        self.controller = next((o.uid for o in metadata.ownerReferences or () if o.controller), "")
        self.affinity: Sequence[AffinityTerm] = ()
        self.anti_affinity: Sequence[AffinityTerm] = ()
        self.preferences: Sequence[Preference] = ()
        if spec.affinity is not None:
            self._read_affinity(spec.affinity)

    def _read_affinity(self, affinity: Affinity) -> None:
        preferences: list[Preference] = []
        if (attraction := affinity.podAffinity) is not None:
            self.affinity = self._required(attraction.requiredDuringSchedulingIgnoredDuringExecution)
            preferred = attraction.preferredDuringSchedulingIgnoredDuringExecution
            preferences += [(self._term(term.podAffinityTerm), term.weight) for term in preferred or ()]
        if (repulsion := affinity.podAntiAffinity) is not None:
            self.anti_affinity = self._required(repulsion.requiredDuringSchedulingIgnoredDuringExecution)
            preferred = repulsion.preferredDuringSchedulingIgnoredDuringExecution
            preferences += [(self._term(term.podAffinityTerm), -term.weight) for term in preferred or ()]
        self.preferences = tuple(preferences)

    def _required(self, terms: Sequence[PodAffinityTerm] | None) -> Sequence[AffinityTerm]:
        return tuple(self._term(term) for term in terms or ())

    def _term(self, term: PodAffinityTerm) -> AffinityTerm:
        namespaces = frozenset(term.namespaces or ())
        chooses = term.namespaceSelector
        if not namespaces and chooses is None:
            namespaces = frozenset((self.key.namespace,))
        return _interned(
            term.topologyKey,
            pod_selector(term.labelSelector, self.labels, term.matchLabelKeys, term.mismatchLabelKeys),
            namespaces,
            None if chooses is None else pod_selector(chooses, _NO_LABELS),
        )


@lru_cache(maxsize=4096)
def _interned(
    topology_key: str, selector: Selector, namespaces: frozenset[str], chooses: Selector | None
) -> AffinityTerm:
    return AffinityTerm(topology_key, selector, namespaces, chooses)


def pod_selector(
    selector: LabelSelector | None,
    labels: Mapping[str, str],
    match_keys: Sequence[str] | None = None,
    mismatch_keys: Sequence[str] | None = None,
) -> Selector:
    """Parse a typed selector, narrowed to pods that share (or don't) the given labels of the incoming pod."""
    parsed = Selector.of(selector)
    if parsed.nothing or not (match_keys or mismatch_keys):
        return parsed
    narrowed = [Requirement(key, "in", (labels[key],)) for key in match_keys or () if key in labels]
    narrowed += [Requirement(key, "notin", (labels[key],)) for key in mismatch_keys or () if key in labels]
    return Selector((*parsed.requirements, *narrowed))


def _claims(pod_name: str, spec: PodSpec) -> Sequence[PodClaim]:
    found: list[PodClaim] = []
    for volume in spec.volumes or ():
        if volume.persistentVolumeClaim is not None:
            found.append(PodClaim(volume.persistentVolumeClaim.claimName))
        elif volume.ephemeral is not None:
            found.append(PodClaim(f"{pod_name}-{volume.name}", is_ephemeral=True))
    return tuple(found)


def _host_ports(pod: Pod) -> Sequence[HostPort]:
    if pod.spec is None:
        return ()
    sidecars = [c for c in pod.spec.initContainers or () if c.restartPolicy == "Always"]
    return tuple(
        HostPort(port.hostIP or "0.0.0.0", port.protocol or "TCP", port.hostPort)
        for container in (*sidecars, *pod.spec.containers)
        for port in container.ports or ()
        if port.hostPort
    )
