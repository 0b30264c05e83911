"""The scheduler's plugins, in the order Kubernetes runs them. Adding one is adding a file and a line here."""

from __future__ import annotations

from ktui.engine.scheduler.framework import Profile
from ktui.engine.scheduler.plugins.balanced_allocation import NodeResourcesBalancedAllocation
from ktui.engine.scheduler.plugins.dynamic_resources import DynamicResources
from ktui.engine.scheduler.plugins.image_locality import ImageLocality
from ktui.engine.scheduler.plugins.inter_pod_affinity import InterPodAffinity
from ktui.engine.scheduler.plugins.node_affinity import NodeAffinity
from ktui.engine.scheduler.plugins.node_name import NodeName
from ktui.engine.scheduler.plugins.node_ports import NodePorts
from ktui.engine.scheduler.plugins.node_resources_fit import NodeResourcesFit
from ktui.engine.scheduler.plugins.node_unschedulable import NodeUnschedulable
from ktui.engine.scheduler.plugins.scheduling_gates import SchedulingGates
from ktui.engine.scheduler.plugins.taint_toleration import TaintToleration
from ktui.engine.scheduler.plugins.topology_spread import PodTopologySpread
from ktui.engine.scheduler.plugins.volume_binding import VolumeBinding
from ktui.engine.scheduler.plugins.volume_restrictions import VolumeRestrictions
from ktui.engine.scheduler.plugins.volume_zone import VolumeZone


def default_profile() -> Profile:
    """The plugins every pod goes through."""
    return Profile(
        [
            SchedulingGates(),
            NodeUnschedulable(),
            NodeName(),
            TaintToleration(),
            NodeAffinity(),
            NodePorts(),
            NodeResourcesFit(),
            VolumeRestrictions(),
            VolumeBinding(),
            VolumeZone(),
            DynamicResources(),
            PodTopologySpread(),
            InterPodAffinity(),
            NodeResourcesBalancedAllocation(),
            ImageLocality(),
        ]
    )
