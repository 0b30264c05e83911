"""Which nodes a pod's `nodeSelector` and node affinity let it run on, parsed once a cycle."""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
# (lightkube-models types maps as a bare dict)

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from lightkube.models.core_v1 import NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, PodSpec

from ktui.kube.selector import Requirement, Selector

_OPERATORS: Final = {
    "In": "in",
    "NotIn": "notin",
    "Exists": "exists",
    "DoesNotExist": "!",
    "Gt": "gt",
    "Lt": "lt",
}


class NamedNode(Protocol):
    """What is asked of a node."""

    @property
    def name(self) -> str: ...

    @property
    def labels(self) -> Mapping[str, str]: ...


@dataclass(frozen=True, slots=True)
class Labelled:
    """A node by what is asked of it."""

    name: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class NodeTerm:
    """One term: all of its expressions on labels and on fields must hold. An empty one matches nothing."""

    labels: Selector
    fields: Selector
    weight: int = 0

    def matches(self, node: NamedNode) -> bool:
        if self.labels.empty and self.fields.empty:
            return False
        return self.labels.matches(node.labels) and self.fields.matches({"metadata.name": node.name})


@dataclass(frozen=True, slots=True)
class RequiredNodes:
    """`nodeSelector` and, if given, any one of the required node affinity's terms."""

    labels: Selector
    terms: Sequence[NodeTerm] | None

    def matches(self, node: NamedNode) -> bool:
        if not self.labels.matches(node.labels):
            return False
        return self.terms is None or any(term.matches(node) for term in self.terms)


def required_nodes(spec: PodSpec) -> RequiredNodes | None:
    """What the pod requires of its node; None when any will do."""
    affinity = spec.affinity.nodeAffinity if spec.affinity is not None else None
    required = affinity.requiredDuringSchedulingIgnoredDuringExecution if affinity is not None else None
    if not spec.nodeSelector and required is None:
        return None
    terms = None if required is None else [_term(term) for term in required.nodeSelectorTerms]
    return RequiredNodes(Selector.of_labels(spec.nodeSelector), terms)


def preferred_nodes(spec: PodSpec) -> Sequence[NodeTerm]:
    """The weighted terms of the pod's preferred node affinity."""
    affinity = spec.affinity.nodeAffinity if spec.affinity is not None else None
    preferred = affinity.preferredDuringSchedulingIgnoredDuringExecution if affinity is not None else None
    return [_term(weighted.preference, weighted.weight) for weighted in preferred or ()]


def suits(selector: NodeSelector, node: NamedNode) -> bool:
    """Whether a node selector, as a volume's required node affinity, allows the node."""
    return any(term.matches(node) for term in terms_of(selector))


def terms_of(selector: NodeSelector) -> Sequence[NodeTerm]:
    """A node selector, parsed for being asked often; any one of the terms must match."""
    return tuple(_term(term) for term in selector.nodeSelectorTerms)


def _term(term: NodeSelectorTerm, weight: int = 0) -> NodeTerm:
    return NodeTerm(_selector(term.matchExpressions), _selector(term.matchFields), weight)


def _selector(requirements: Sequence[NodeSelectorRequirement] | None) -> Selector:
    return Selector(
        tuple(Requirement(r.key, _OPERATORS[r.operator], tuple(r.values or ())) for r in requirements or ())
    )
