"""Pod certificate cleaner: requests for certificates of pods are gone half an hour after they were made."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from ktui.client.base import Client, DeleteOptions
from ktui.client.informer import Informers
from ktui.engine.controllers.runtime import Controller, Result, enqueue_object
from ktui.engine.controllers.workqueue import WorkQueue
from ktui.kube.clock import Clock, parse_time
from ktui.kube.data import section, string
from ktui.kube.errors import StatusError
from ktui.kube.kinds import POD_CERTIFICATE_REQUESTS
from ktui.kube.resource import ObjectKey

KEPT: Final = timedelta(minutes=30)


class PodCertificateCleaner(Controller[ObjectKey]):
    """One key a request, looked at again when its time has come."""

    name = "podcertificaterequest-cleaner-controller"

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    def setup(self, informers: Informers, queue: WorkQueue[ObjectKey]) -> None:
        self._requests = informers.of(POD_CERTIFICATE_REQUESTS, dict[str, Any])
        self._requests.add_handler(enqueue_object(queue))

    async def reconcile(self, key: ObjectKey) -> Result | None:
        request = self._requests.get(key)
        if request is None:
            return None
        metadata = section(request, "metadata")
        ends = parse_time(string(metadata, "creationTimestamp")) + KEPT
        left = (ends - self._clock.now()).total_seconds()
        if left > 0:
            return Result(left)
        options = DeleteOptions(uid=string(metadata, "uid"))
        try:
            await self._client.delete(POD_CERTIFICATE_REQUESTS, key.name, key.namespace, options=options)
        except StatusError as error:
            if not (error.is_not_found or error.is_conflict):
                raise
        return None
