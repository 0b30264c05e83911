"""EndpointSlices: the pods behind each service that selects them, a hundred addresses a slice.

Woken by services, by what matters of pods, and by slices that somebody else touched. Deleted services leave
their slices to the garbage collector; services without selector are left alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lightkube.models.core_v1 import Node, Pod, Service
from lightkube.models.discovery_v1 import Endpoint, EndpointPort

from ktui.client.base import Client
from ktui.client.informer import Informers
from ktui.engine.controllers.endpoint_pods import (
    address_of,
    endpoint_of,
    endpoint_ports,
    is_endpoint,
    is_headless,
)
from ktui.engine.controllers.objects import is_deleting, labels_of, node_of, plain
from ktui.engine.controllers.ownership import controller_reference
from ktui.engine.controllers.pod_control import is_namespace_terminating
from ktui.engine.controllers.runtime import Controller, Result
from ktui.engine.controllers.service_pods import ServicePods, selector_of
from ktui.engine.controllers.slice_packing import group, pack
from ktui.engine.controllers.slice_writes import Slices
from ktui.engine.controllers.trigger_times import TriggerTimes
from ktui.engine.controllers.workqueue import WorkQueue
from ktui.kube.errors import StatusError
from ktui.kube.kinds import NODES, SERVICES
from ktui.kube.resource import ObjectKey
from ktui.kube.service import HEADLESS_LABEL, MANAGED_BY_LABEL, SERVICE_NAME_LABEL

MANAGED_BY = "endpointslice-controller.k8s.io"
_RESERVED = (HEADLESS_LABEL, MANAGED_BY_LABEL, SERVICE_NAME_LABEL)
_ZONE = "topology.kubernetes.io/zone"


class EndpointSliceController(Controller[ObjectKey]):
    """Keeps the slices of services in step with their pods."""

    name = "endpointslice-controller"
    workers = 2

    def __init__(self, client: Client) -> None:
        self._client = client
        self._times = TriggerTimes()

    def setup(self, informers: Informers, queue: WorkQueue[ObjectKey]) -> None:
        self._found = ServicePods(informers)
        self._nodes = informers.of(NODES, Node)
        self._slices = Slices(self._client, informers, MANAGED_BY)
        self._found.on_change(queue.add)
        self._slices.on_change(queue.add)

    async def reconcile(self, key: ObjectKey) -> Result | None:
        service = self._found.services.get(key)
        if service is None:
            self._slices.forget(key)
            self._times.forget(key)
            return None
        if not selector_of(service) or is_deleting(service) or not self._slices.is_current(key):
            return None
        pods = [pod for pod in self._found.pods_of(service) if is_endpoint(pod, even_terminating=True)]
        annotations = self._times.annotations(service, pods)
        labels = _labels(service)
        existing = self._slices.of(key)
        families: Sequence[str] = (service.spec and service.spec.ipFamilies) or ("IPv4",)
        try:
            await self._slices.delete(key, [each for each in existing if each.addressType not in families])
            for family in families:
                wanted = group(self._endpoints(service, pods, family))
                packing = pack([each for each in existing if each.addressType == family], wanted)
                await self._slices.write(
                    key,
                    packing,
                    address_type=family,
                    labels=labels,
                    annotations=annotations,
                    owner=plain(controller_reference(service, SERVICES)),
                )
        except StatusError as error:
            if not is_namespace_terminating(error):
                raise
        return None

    def _endpoints(
        self, service: Service, pods: Sequence[Pod], family: str
    ) -> Iterator[tuple[list[EndpointPort], Endpoint]]:
        for pod in pods:
            if address_of(pod, family):
                node = self._nodes.get(ObjectKey("", node_of(pod)))
                zone = labels_of(node).get(_ZONE) if node is not None else None
                yield endpoint_ports(service, pod), endpoint_of(pod, service, family, zone)


def _labels(service: Service) -> dict[str, str]:
    """The service's own, and those by which slices are found."""
    metadata = service.metadata
    labels = {key: value for key, value in labels_of(service).items() if key not in _RESERVED}
    if is_headless(service):
        labels[HEADLESS_LABEL] = ""
    labels[SERVICE_NAME_LABEL] = (metadata and metadata.name) or ""
    labels[MANAGED_BY_LABEL] = MANAGED_BY
    return labels
