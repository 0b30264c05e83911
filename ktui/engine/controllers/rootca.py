"""Root certificate: every namespace has the ConfigMap `kube-root-ca.crt`, by which pods know the API server."""

from __future__ import annotations

from lightkube.models.core_v1 import ConfigMap, Namespace

from ktui.client.base import Client
from ktui.client.informer import Delta, Informers
from ktui.engine.controllers.objects import annotations_of, is_deleting
from ktui.engine.controllers.pod_control import is_namespace_terminating
from ktui.engine.controllers.runtime import Controller, Result
from ktui.engine.controllers.workqueue import WorkQueue
from ktui.kube.errors import StatusError
from ktui.kube.kinds import CONFIG_MAPS, NAMESPACES
from ktui.kube.resource import Object, ObjectKey

NAME = "kube-root-ca.crt"
FILE = "ca.crt"
_ANNOTATION = "kubernetes.io/description"
_DESCRIPTION = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the "
    "internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of "
    "Kubernetes clusters."
)


class RootCertificatePublisher(Controller[ObjectKey]):
    """Makes the ConfigMap in each namespace, and puts it right when somebody changes it."""

    name = "root-ca-certificate-publisher-controller"

    def __init__(self, client: Client, authority: str) -> None:
        self._client = client
        self._data = {FILE: authority}

    def setup(self, informers: Informers, queue: WorkQueue[ObjectKey]) -> None:
        self._queue = queue
        self._namespaces = informers.of(NAMESPACES, Namespace)
        self._config_maps = informers.of(CONFIG_MAPS, ConfigMap)
        self._namespaces.add_handler(self._namespace_changed)
        self._config_maps.add_handler(self._config_map_changed)

    def _namespace_changed(self, delta: Delta[Namespace]) -> None:
        if delta.new is not None:
            self._queue.add(delta.key)

    def _config_map_changed(self, delta: Delta[ConfigMap]) -> None:
        if delta.key.name == NAME:
            self._queue.add(ObjectKey("", delta.key.namespace))

    async def reconcile(self, key: ObjectKey) -> Result | None:
        namespace = self._namespaces.get(key)
        if not self._data[FILE] or namespace is None or is_deleting(namespace):
            return None
        wanted: Object = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": NAME, "namespace": key.name, "annotations": {_ANNOTATION: _DESCRIPTION}},
            "data": self._data,
        }
        found = self._config_maps.get(ObjectKey(key.name, NAME))
        try:
            if found is None:
                await self._client.create(CONFIG_MAPS, wanted, key.name)
            elif self._differs(found):
                await self._client.update(CONFIG_MAPS, wanted)
        except StatusError as error:
            if not (error.is_already_exists or error.is_not_found or is_namespace_terminating(error)):
                raise
        return None

    def _differs(self, found: ConfigMap) -> bool:
        data: dict[str, str] = found.data or {}  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType] - a bare dict in lightkube
        return data != self._data or annotations_of(found).get(_ANNOTATION) != _DESCRIPTION
