"""What can happen in the cluster that may make an unschedulable pod schedulable.

Each filter plugin names the events that can change its mind (`wakes_on`); a pod it refused is tried again
when one of them comes, and not before (Kubernetes' queueing hints, without looking into the objects).
"""

from __future__ import annotations

from enum import Enum
from typing import Final


class ClusterEvent(Enum):
    """A change in the cluster, as coarse as the hints need it: the resource, and what about it."""

    NODE_ADDED = ("nodes", "Add")
    NODE_ALLOCATABLE = ("nodes", "UpdateNodeAllocatable")
    NODE_LABELS = ("nodes", "UpdateNodeLabel")
    NODE_TAINTS = ("nodes", "UpdateNodeTaint")
    POD_PLACED = ("pods", "Add")
    POD_LABELS = ("pods", "UpdatePodLabel")
    POD_RELEASED = ("pods", "Delete")
    """A placed pod was deleted, finished or shrank."""
    NAMESPACE_LABELS = ("namespaces", "Update")
    CLAIM = ("persistentvolumeclaims", "Update")
    """A claim came or changed; and so for those that follow."""
    VOLUME = ("persistentvolumes", "Update")
    STORAGE_CLASS = ("storageclasses", "Update")
    STORAGE_DRIVER = ("csidrivers", "Update")
    STORAGE_CAPACITY = ("csistoragecapacities", "Update")

    @property
    def resource(self) -> str:
        return self.value[0]

    @property
    def action(self) -> str:
        return self.value[1]


EVERY_EVENT: Final = frozenset(ClusterEvent)
