"""What a pod's spec refers to and claims of the node: worked out once, asked for at every change around it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from lightkube.models.core_v1 import Pod

from ktui.engine.kubelet.admission import Claim
from ktui.engine.kubelet.references import (
    referenced_config_maps,
    referenced_secrets,
    referenced_trust_bundles,
)


@dataclass(frozen=True, slots=True)
class SpecFacts:
    config_maps: frozenset[str]
    secrets: frozenset[str]
    trust_bundles: frozenset[str]
    """Names of ClusterTrustBundles, and names of signers, which have slashes in them."""
    claim: Claim

    @classmethod
    def of(cls, pod: Pod) -> SpecFacts:
        return cls(
            frozenset(referenced_config_maps(pod)),
            frozenset(referenced_secrets(pod)),
            frozenset(referenced_trust_bundles(pod)),
            Claim.of(pod),
        )
