"""Endpoints: the pods behind each service in one object, for clients from before EndpointSlices.

A service's Endpoints go with the service; those of services without selector are their makers' own.
"""

from __future__ import annotations

from typing import Any, Final

from lightkube.models.core_v1 import Endpoints, Service

from ktui.client.base import Client
from ktui.client.informer import Delta, Informers
from ktui.engine.controllers.endpoint_pods import is_headless
from ktui.engine.controllers.endpoint_subsets import subsets_of, truncated
from ktui.engine.controllers.objects import annotations_of, is_deleting, labels_of, meta, plain
from ktui.engine.controllers.pod_control import is_namespace_terminating
from ktui.engine.controllers.runtime import Controller, Result
from ktui.engine.controllers.service_pods import ServicePods, selector_of
from ktui.engine.controllers.trigger_times import TRIGGER_TIME, TriggerTimes
from ktui.engine.controllers.workqueue import WorkQueue
from ktui.kube.errors import StatusError
from ktui.kube.kinds import ENDPOINTS
from ktui.kube.resource import Object, ObjectKey
from ktui.kube.service import HEADLESS_LABEL

MANAGED_BY_LABEL: Final = "endpoints.kubernetes.io/managed-by"
MANAGED_BY: Final = "endpoint-controller"
OVER_CAPACITY: Final = "endpoints.kubernetes.io/over-capacity"


class EndpointsController(Controller[ObjectKey]):
    """Keeps each service's Endpoints in step with its pods."""

    name = "endpoint-controller"
    workers = 2

    def __init__(self, client: Client) -> None:
        self._client = client
        self._times = TriggerTimes()

    def setup(self, informers: Informers, queue: WorkQueue[ObjectKey]) -> None:
        self._found = ServicePods(informers)
        self._endpoints = informers.of(ENDPOINTS, Endpoints)
        self._found.on_change(queue.add)
        self._queue = queue
        self._endpoints.add_handler(self._endpoints_changed)

    def _endpoints_changed(self, delta: Delta[Endpoints]) -> None:
        if delta.new is None or labels_of(delta.new).get(MANAGED_BY_LABEL) == MANAGED_BY:
            self._queue.add(delta.key)

    async def reconcile(self, key: ObjectKey) -> Result | None:
        service, found = self._found.services.get(key), self._endpoints.get(key)
        if service is None:
            self._times.forget(key)
            if found is not None and labels_of(found).get(MANAGED_BY_LABEL) == MANAGED_BY:
                await self._delete(key)
            return None
        if not selector_of(service) or is_deleting(service):
            return None
        pods = self._found.pods_of(service)
        subsets = subsets_of(service, pods)
        cut = truncated(subsets)
        wanted: Object = {
            "apiVersion": "v1",
            "kind": "Endpoints",
            "metadata": _metadata(key, service, found, is_cut=cut is not None),
            "subsets": [plain(subset) for subset in (subsets if cut is None else cut)],
        }
        if found is not None and _same(found, wanted):
            return None
        times = self._times.annotations(service, pods)
        metadata: Object = wanted["metadata"]
        metadata["annotations"] = {**metadata["annotations"], **times}
        await self._write(wanted, exists=found is not None)
        return None

    async def _delete(self, key: ObjectKey) -> None:
        try:
            await self._client.delete(ENDPOINTS, key.name, key.namespace)
        except StatusError as error:
            if not error.is_not_found:
                raise

    async def _write(self, wanted: Object, *, exists: bool) -> None:
        try:
            if exists:
                await self._client.update(ENDPOINTS, wanted)
            else:
                await self._client.create(ENDPOINTS, wanted, wanted["metadata"]["namespace"])
        except StatusError as error:
            if not is_namespace_terminating(error):
                raise


def _metadata(key: ObjectKey, service: Service, found: Endpoints | None, *, is_cut: bool) -> Object:
    """Names and labels of the service; what others annotated stays."""
    labels = {name: value for name, value in labels_of(service).items() if name != HEADLESS_LABEL}
    if is_headless(service):
        labels[HEADLESS_LABEL] = ""
    labels[MANAGED_BY_LABEL] = MANAGED_BY
    before = annotations_of(found) if found is not None else {}
    annotations = {name: value for name, value in before.items() if name not in (TRIGGER_TIME, OVER_CAPACITY)}
    if is_cut:
        annotations[OVER_CAPACITY] = "truncated"
    metadata: Object = {
        "name": key.name,
        "namespace": key.namespace,
        "labels": labels,
        "annotations": annotations,
    }
    if found is not None:
        metadata["resourceVersion"] = meta(found).resourceVersion
    return metadata


def _same(found: Endpoints, wanted: Object) -> bool:
    """Nothing to write: a time alone is no change."""
    annotations = {name: text for name, text in annotations_of(found).items() if name != TRIGGER_TIME}
    subsets: list[Any] = [plain(subset) for subset in found.subsets or ()]
    metadata: Object = wanted["metadata"]
    return (subsets, labels_of(found), annotations) == (
        wanted["subsets"],
        metadata["labels"],
        metadata["annotations"],
    )
