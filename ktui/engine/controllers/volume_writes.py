"""What is written of volumes and claims when they are bound, released and lost: small patches, and only changes."""

from __future__ import annotations

from typing import Any, Final

from ktui.client.base import Client, PatchType
from ktui.kube.clock import Clock, rfc3339
from ktui.kube.data import section, string
from ktui.kube.kinds import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES
from ktui.kube.resource import Object, Resource
from ktui.kube.storage import BIND_COMPLETED, BOUND_BY_CONTROLLER, annotations_of

PROVISIONED_BY: Final = "pv.kubernetes.io/provisioned-by"


class VolumeWriter:
    """Patches volumes and claims as they were read: somebody else's change in between is a conflict."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    async def claim(self, claim: Object, patch: Object, subresource: str = "") -> Object:
        return await self._patch(PERSISTENT_VOLUME_CLAIMS, claim, patch, subresource)

    async def volume(self, volume: Object, patch: Object, subresource: str = "") -> Object:
        return await self._patch(PERSISTENT_VOLUMES, volume, patch, subresource)

    async def _patch(self, resource: Resource, obj: Object, patch: Object, subresource: str) -> Object:
        metadata = section(obj, "metadata")
        version = {"resourceVersion": metadata.get("resourceVersion")}
        return await self._client.patch(
            resource,
            string(metadata, "name"),
            {**patch, "metadata": {**section(patch, "metadata"), **version}},
            string(metadata, "namespace"),
            patch_type=PatchType.MERGE,
            subresource=subresource,
        )

    async def claim_phase(self, claim: Object, phase: str) -> Object:
        if section(claim, "status").get("phase") == phase:
            return claim
        status: Object = {"phase": phase}
        if phase == "Lost":
            status |= {"accessModes": None, "capacity": None, "currentVolumeAttributesClassName": None}
        return await self.claim(claim, {"status": status}, "status")

    async def volume_phase(self, volume: Object, phase: str, message: str | None = None) -> Object:
        status = section(volume, "status")
        if status.get("phase") == phase and (status.get("message") or None) == message:
            return volume
        wanted: Object = {"phase": phase, "message": message}
        if status.get("phase") != phase:
            wanted["lastPhaseTransitionTime"] = rfc3339(self._clock.now())
        return await self.volume(volume, {"status": wanted}, "status")

    async def bind_volume(self, volume: Object, claim: Object) -> Object:
        """The volume names the claim."""
        metadata = section(claim, "metadata")
        reference = section(volume, "spec", "claimRef")
        if reference and reference.get("uid") == metadata.get("uid"):
            return volume
        wanted: Object = {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            **{field: metadata.get(field) for field in ("namespace", "name", "uid", "resourceVersion")},
        }
        patch: Object = {"spec": {"claimRef": wanted}}
        if not reference:
            patch["metadata"] = {"annotations": {BOUND_BY_CONTROLLER: "yes"}}
        return await self.volume(volume, patch)

    async def unbind_volume(self, volume: Object) -> None:
        """Whatever the controller wrote of a claim goes."""
        annotations = {BOUND_BY_CONTROLLER: None}
        free = {"spec": {"claimRef": None}, "metadata": {"annotations": annotations}}
        await self.volume_phase(await self.volume(volume, free), "Available")

    async def bind_claim(self, claim: Object, volume: Object) -> None:
        """The claim names the volume, and what it holds."""
        name = string(section(volume, "metadata"), "name")
        annotations = annotations_of(claim)
        wanted: dict[str, Any] = {}
        patch: Object = {}
        if section(claim, "spec").get("volumeName") != name:
            patch["spec"] = {"volumeName": name}
            wanted[BOUND_BY_CONTROLLER] = "yes"
        if BIND_COMPLETED not in annotations:
            wanted[BIND_COMPLETED] = "yes"
        if wanted:
            claim = await self.claim(claim, {**patch, "metadata": {"annotations": wanted}})
        status, given = section(claim, "status"), section(volume, "spec")
        wished: Object = {"phase": "Bound", "accessModes": given.get("accessModes")}
        if status.get("phase") != "Bound" or not status.get("capacity"):
            wished["capacity"] = given.get("capacity")
            wished["currentVolumeAttributesClassName"] = given.get("volumeAttributesClassName")
        if any(status.get(field) != value for field, value in wished.items()):
            await self.claim(claim, {"status": wished}, "status")
