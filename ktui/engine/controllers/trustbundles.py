"""Trust bundle of the API server: pods may mount the authorities by which they know it as a ClusterTrustBundle."""

from __future__ import annotations

import hashlib
from typing import Any, Final

from ktui.client.base import Client
from ktui.client.informer import Delta, Informers
from ktui.engine.controllers.runtime import Controller, Result
from ktui.engine.controllers.workqueue import WorkQueue
from ktui.kube.data import section, string
from ktui.kube.errors import StatusError
from ktui.kube.kinds import CLUSTER_TRUST_BUNDLES
from ktui.kube.resource import Object, ObjectKey

SIGNER: Final = "kubernetes.io/kube-apiserver-serving"
_EVERY: Final = ObjectKey("", "")
"""The one key: there is one bundle to publish, and others of the signer to take away."""


class TrustBundlePublisher(Controller[ObjectKey]):
    """Keeps one bundle with `authority` (PEM); without one there is none to publish."""

    name = "kube-apiserver-serving-clustertrustbundle-publisher-controller"

    def __init__(self, client: Client, authority: str) -> None:
        self._client = client
        digest = hashlib.sha256(authority.encode()).hexdigest()[:24]
        self._wanted: Object = {
            "apiVersion": CLUSTER_TRUST_BUNDLES.api_version,
            "kind": CLUSTER_TRUST_BUNDLES.kind,
            "metadata": {"name": f"{SIGNER.replace('/', ':')}:{digest}"},
            "spec": {"signerName": SIGNER, "trustBundle": authority},
        }
        self._has_authority = bool(authority)

    def setup(self, informers: Informers, queue: WorkQueue[ObjectKey]) -> None:
        self._bundles = informers.of(CLUSTER_TRUST_BUNDLES, dict[str, Any])

        def changed(delta: Delta[dict[str, Any]]) -> None:
            found = delta.new if delta.new is not None else delta.old
            if found is None or string(section(found, "spec"), "signerName") == SIGNER:
                queue.add(_EVERY)

        self._bundles.add_handler(changed)
        queue.add(_EVERY)

    async def reconcile(self, key: ObjectKey) -> Result | None:
        if not self._has_authority:
            return None
        wanted = ObjectKey("", self._wanted["metadata"]["name"])
        found = self._bundles.get(wanted)
        try:
            if found is None:
                await self._client.create(CLUSTER_TRUST_BUNDLES, self._wanted)
            elif found["spec"] != self._wanted["spec"]:
                changed = {**found, "spec": self._wanted["spec"]}
                await self._client.update(CLUSTER_TRUST_BUNDLES, changed)
        except StatusError as error:
            if not (error.is_already_exists or error.is_conflict):
                raise
        for bundle in list(self._bundles.list()):
            name = string(section(bundle, "metadata"), "name")
            if string(section(bundle, "spec"), "signerName") == SIGNER and name != wanted.name:
                await self._delete(name)
        return None

    async def _delete(self, name: str) -> None:
        try:
            await self._client.delete(CLUSTER_TRUST_BUNDLES, name)
        except StatusError as error:
            if not error.is_not_found:
                raise
