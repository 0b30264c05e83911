"""Binds a placed pod's volumes before the pod is bound: writes what was planned, and waits until it is so.

In: the plan of a pod for its node, already assumed. Out: `claimRef` on the volumes chosen and the selected node
on claims to be provisioned; the volume controller and provisioners do the rest, and tell of a failure by taking
the node off the claim again. Then, and when ten minutes have passed, the pod is scheduled anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, TypeAlias

from ktui.client.base import Client, PatchType
from ktui.engine.scheduler.nodeinfo import NodeInfo
from ktui.engine.scheduler.podinfo import PodInfo
from ktui.engine.scheduler.snapshot import Snapshot
from ktui.engine.scheduler.volume_plan import (
    VolumePlan,
    is_fully_bound,
    plan_volumes,
    read_claims,
)
from ktui.engine.scheduler.volumes import Volumes
from ktui.kube.clock import Clock
from ktui.kube.data import mapping, section, string
from ktui.kube.kinds import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES
from ktui.kube.resource import Object, ObjectKey, Resource
from ktui.kube.storage import BOUND_BY_CONTROLLER, SELECTED_NODE, annotations_of

BIND_TIMEOUT: Final = 600.0


class VolumesUnbound(Exception):  # noqa: N818 - an answer: the pod has to be scheduled anew
    """The volumes can't be had where the pod was to go; the message says why."""


class VolumeBinder:
    """`is_there` says whether a pod still exists and wants to run."""

    def __init__(self, client: Client, clock: Clock, is_there: Callable[[PodInfo], bool]) -> None:
        self._client = client
        self._clock = clock
        self._is_there = is_there

    def reserve(self, pod: PodInfo, node: NodeInfo, volumes: Volumes) -> VolumePlan:
        """Count on what the filter found for this node; empty when there is nothing to bind."""
        claims = read_claims(pod, volumes) if pod.claims else ""
        plan = "" if isinstance(claims, str) else plan_volumes(claims, node, volumes)
        if not isinstance(plan, VolumePlan):
            return VolumePlan()
        volumes.assume(plan.claims, plan.volumes)
        return plan

    async def bind(self, pod: PodInfo, name: str, plan: VolumePlan, snapshot: Snapshot) -> None:
        """Return when the pod can use all its claims on the node of that name.

        Raises VolumesUnbound or what the API raises.
        """
        volumes = snapshot.volumes
        written: _Written = {}
        for each, volume in plan.volumes.items():
            written[each] = await self._patch(PERSISTENT_VOLUMES, volume, _claimed(volume))
        for key, claim in plan.claims.items():
            annotations = {SELECTED_NODE: annotations_of(claim)[SELECTED_NODE]}
            patch: Object = {"metadata": {"annotations": annotations}}
            written[key] = await self._patch(PERSISTENT_VOLUME_CLAIMS, claim, patch)
        timer = asyncio.ensure_future(self._clock.sleep(BIND_TIMEOUT))
        try:
            while True:
                changed = asyncio.ensure_future(volumes.next_change().wait())
                try:
                    if not self._is_there(pod):
                        raise VolumesUnbound("pod does not exist any more")
                    node = snapshot.nodes.get(name)
                    if node is None:
                        raise VolumesUnbound(f'failed to get node "{name}": node "{name}" not found')
                    if _is_done(node, plan, volumes, written):
                        return
                    await asyncio.wait((changed, timer), return_when=asyncio.FIRST_COMPLETED)
                finally:
                    changed.cancel()
                if timer.done():
                    raise VolumesUnbound("context deadline exceeded")
        finally:
            timer.cancel()

    async def _patch(self, resource: Resource, obj: Object, patch: Object) -> int:
        """As it was read: somebody else's change in between is a conflict. Gives the version written."""
        metadata = section(obj, "metadata")
        version = {"resourceVersion": metadata.get("resourceVersion")}
        done = await self._client.patch(
            resource,
            string(metadata, "name"),
            {**patch, "metadata": {**section(patch, "metadata"), **version}},
            string(metadata, "namespace"),
            patch_type=PatchType.MERGE,
        )
        return _version(done)


_Written: TypeAlias = dict[str | ObjectKey, int]
"""The version written of a volume (by name) or claim."""


def _is_done(node: NodeInfo, plan: VolumePlan, volumes: Volumes, written: _Written) -> bool:
    """Whether everything is bound; raises VolumesUnbound when it won't be."""
    bound = [_is_bound(name, key, node, volumes, written) for name, key in plan.bindings.items()]
    made = [_is_made(key, node, volumes, written) for key in plan.provisions]
    return all((*bound, *made))


def _is_bound(name: str, key: ObjectKey, node: NodeInfo, volumes: Volumes, written: _Written) -> bool:
    volume, claim = volumes.volume(name), volumes.claim(key)
    if volume is None or claim is None:
        what = f'persistentvolume "{name}"' if volume is None else f'persistentvolumeclaim "{key.name}"'
        raise VolumesUnbound(f"failed to check binding: {what} not found")
    if _version(volume) < written.get(name, 0):
        return False  # The write has not come back yet.
    _check_affinity(name, node, volumes)
    if not section(volume, "spec", "claimRef").get("uid"):
        raise VolumesUnbound(f'ClaimRef got reset for pv "{name}"')
    return is_fully_bound(claim)


def _is_made(key: ObjectKey, node: NodeInfo, volumes: Volumes, written: _Written) -> bool:
    claim = volumes.claim(key)
    if claim is None:
        what = f'persistentvolumeclaim "{key.name}"'
        raise VolumesUnbound(f"failed to check provisioning pvc: {what} not found")
    if _version(claim) < written.get(key, 0):
        return False
    if annotations_of(claim).get(SELECTED_NODE) != node.name:
        raise VolumesUnbound(f'provisioning failed for PVC "{key.name}"')
    name = string(section(claim, "spec"), "volumeName")
    volume = volumes.volume(name) if name else None
    if volume is None:
        return False
    _check_affinity(name, node, volumes)
    return is_fully_bound(claim)


def _version(obj: Object) -> int:
    return int(string(section(obj, "metadata"), "resourceVersion") or 0)


def _check_affinity(name: str, node: NodeInfo, volumes: Volumes) -> None:
    if not volumes.can_be_used_on(name, node):
        raise VolumesUnbound(
            f'pv "{name}" node affinity doesn\'t match node "{node.name}": no matching NodeSelectorTerms'
        )


def _claimed(volume: Object) -> Object:
    patch: Object = {"spec": {"claimRef": section(volume, "spec", "claimRef")}}
    if BOUND_BY_CONTROLLER in mapping(section(volume, "metadata"), "annotations"):
        patch["metadata"] = {"annotations": {BOUND_BY_CONTROLLER: "yes"}}
    return patch
