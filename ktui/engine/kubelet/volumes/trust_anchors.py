"""Trust anchors for projected volumes: the certificates of ClusterTrustBundles, each once.

They are read from the API whenever a volume is made or refreshed: few pods want any, and a list that lags would
leave out what was made just before the pod.
"""

from __future__ import annotations

from lightkube.models.core_v1 import ClusterTrustBundleProjection, Pod

from ktui.client.base import Client, ListOptions
from ktui.engine.kubelet import pod as pods
from ktui.engine.kubelet.volumes.base import MountError, VolumeError
from ktui.kube.data import section, string
from ktui.kube.errors import StatusError
from ktui.kube.kinds import CLUSTER_TRUST_BUNDLES
from ktui.kube.resource import Object
from ktui.kube.selector import Selector
from ktui.kube.x509 import blocks


class TrustAnchors:
    """Reads bundles for the pods of a node."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def for_pod(self, pod: Pod) -> dict[tuple[str, str], bytes]:
        """PEM text for all projections of `pod`, by (volume, path). Raises VolumeError."""
        found: dict[tuple[str, str], bytes] = {}
        for volume in pods.spec(pod).volumes or ():
            for source in (volume.projected.sources if volume.projected else None) or ():
                if (wanted := source.clusterTrustBundle) is None:
                    continue
                try:
                    bundles = await self._bundles(wanted)
                except VolumeError as error:
                    raise MountError(volume.name, error) from error
                found[volume.name, wanted.path] = _anchors(bundles)
        return found

    async def _bundles(self, wanted: ClusterTrustBundleProjection) -> list[Object]:
        if wanted.name:
            try:
                return [await self._client.get(CLUSTER_TRUST_BUNDLES, wanted.name)]
            except StatusError as error:
                if error.is_not_found and wanted.optional:
                    return []
                raise VolumeError(f"while getting ClusterTrustBundle: {error}") from error
        options = ListOptions(field_selector=f"spec.signerName={wanted.signerName or ''}")
        try:
            listed = (await self._client.list(CLUSTER_TRUST_BUNDLES, options=options)).items
        except StatusError as error:
            raise VolumeError(f"while listing ClusterTrustBundles: {error}") from error
        # No selector chooses nothing, an empty one everything.
        selector = Selector.of(wanted.labelSelector)
        chosen = [
            bundle for bundle in listed if selector.matches(section(section(bundle, "metadata"), "labels"))
        ]
        if not chosen and not wanted.optional:
            raise VolumeError("combination of signerName and labelSelector matched zero ClusterTrustBundles")
        return chosen


def _anchors(bundles: list[Object]) -> bytes:
    texts = {
        block.text: None
        for bundle in bundles
        for block in blocks(string(section(bundle, "spec"), "trustBundle").encode())
    }
    return b"".join(text + b"\n" for text in texts)
