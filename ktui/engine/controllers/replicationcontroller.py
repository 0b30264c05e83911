"""ReplicationController: the ReplicaSet's control loop over the older kind.

Both kinds have the same fields but for the selector, a plain map here, and a status that knows no pods on their
way out; so owners are decoded to a struct that reads like a ReplicaSet.
"""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec
from lightkube.models.apps_v1 import ReplicaSet, ReplicaSetStatus
from lightkube.models.core_v1 import PodTemplateSpec
from lightkube.models.meta_v1 import ObjectMeta

from ktui.engine.controllers.replicaset import ReplicaSetController
from ktui.kube.kinds import REPLICATION_CONTROLLERS
from ktui.kube.resource import Resource
from ktui.kube.selector import Selector


class _Spec(msgspec.Struct, omit_defaults=True):
    selector: dict[str, str] | None = None
    template: PodTemplateSpec | None = None
    replicas: int | None = None
    minReadySeconds: int | None = None  # noqa: N815 - the field's name in Kubernetes


class _Owner(msgspec.Struct, omit_defaults=True, kw_only=True):
    """A ReplicationController as the ReplicaSet's controller reads it."""

    apiVersion: str = "v1"  # noqa: N815 - the field's name in Kubernetes
    kind: str = REPLICATION_CONTROLLERS.kind
    metadata: ObjectMeta | None = None
    spec: _Spec
    status: ReplicaSetStatus | None = None


class ReplicationControllerController(ReplicaSetController):
    """Makes the number of pods match `spec.replicas`."""

    name = "replicationcontroller-controller"
    resource: ClassVar[Resource] = REPLICATION_CONTROLLERS
    model: ClassVar[type[Any]] = _Owner

    @staticmethod
    def selector(replica_set: ReplicaSet) -> Selector:
        labels: Any = replica_set.spec.selector
        return Selector.of_labels(labels)

    @staticmethod
    def shown(status: ReplicaSetStatus) -> ReplicaSetStatus:
        return msgspec.structs.replace(status, terminatingReplicas=None)
