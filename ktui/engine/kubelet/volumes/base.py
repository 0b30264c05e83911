"""What a volume type is: it makes a host path for a pod's volume, and knows whether that can change later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from lightkube.models.core_v1 import Pod, Volume

from ktui.engine.kubelet import pod as pods
from ktui.engine.kubelet.environment import NodeFacts
from ktui.engine.kubelet.references import References


class VolumeError(Exception):
    """The volume can't be made; the message goes into a FailedMount event."""


class MountError(VolumeError):
    """Why a named volume can't be made, in the words of a FailedMount event."""

    def __init__(self, volume: str, why: object) -> None:
        super().__init__(f'MountVolume.SetUp failed for volume "{volume}" : {why}')


@dataclass(frozen=True, slots=True)
class Credentials:
    """A private key and the certificates that vouch for it, as PEM text."""

    key: bytes
    chain: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeContext:
    """Everything a volume may be made from, gathered beforehand."""

    pod: Pod
    references: References
    facts: NodeFacts
    tokens: Mapping[tuple[str, str], bytes] = field(default_factory=dict[tuple[str, str], bytes])
    """Service account tokens by (volume name, path in it)."""
    certificates: Mapping[tuple[str, int], Credentials] = field(
        default_factory=dict[tuple[str, int], Credentials]
    )
    """The pod's certificates by (volume name, which of its sources)."""
    trust_anchors: Mapping[tuple[str, str], bytes] = field(default_factory=dict[tuple[str, str], bytes])
    """Certificates of authorities by (volume name, path in it)."""

    @property
    def fs_group(self) -> int | None:
        security = pods.spec(self.pod).securityContext
        return security.fsGroup if security else None


class VolumePlugin(Protocol):
    """One volume type. `set_up` and `tear_down` block: they are called in a thread."""

    name: str
    """The folder its volumes live in, as the kubelet names it: `kubernetes.io~configmap`."""
    refreshes: bool
    """Calling `set_up` again brings later changes in."""

    def handles(self, volume: Volume) -> bool: ...

    def set_up(self, volume: Volume, directory: Path, context: VolumeContext) -> Path:
        """Make the volume, idempotently; `directory` is its own. Raises VolumeError or OSError."""
        ...

    def tear_down(self, directory: Path) -> None:
        """Undo what removing the folder would not."""
        ...
