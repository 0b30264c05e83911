"""ServiceAccount: every namespace has one called `default`, for pods that name none."""

from __future__ import annotations

from lightkube.models.core_v1 import Namespace, ServiceAccount

from ktui.client.base import Client
from ktui.client.informer import Delta, Informers
from ktui.engine.controllers.objects import is_deleting
from ktui.engine.controllers.pod_control import is_namespace_terminating
from ktui.engine.controllers.runtime import Controller, Result
from ktui.engine.controllers.workqueue import WorkQueue
from ktui.kube.errors import StatusError
from ktui.kube.kinds import NAMESPACES, SERVICE_ACCOUNTS
from ktui.kube.resource import ObjectKey

DEFAULT = "default"


class ServiceAccountController(Controller[ObjectKey]):
    """Creates the default ServiceAccount of each namespace, again if somebody deletes it."""

    name = "serviceaccount-controller"

    def __init__(self, client: Client) -> None:
        self._client = client

    def setup(self, informers: Informers, queue: WorkQueue[ObjectKey]) -> None:
        self._queue = queue
        self._namespaces = informers.of(NAMESPACES, Namespace)
        self._accounts = informers.of(SERVICE_ACCOUNTS, ServiceAccount)
        self._namespaces.add_handler(self._namespace_changed)
        self._accounts.add_handler(self._account_changed)

    def _namespace_changed(self, delta: Delta[Namespace]) -> None:
        if delta.new is not None:
            self._queue.add(delta.key)

    def _account_changed(self, delta: Delta[ServiceAccount]) -> None:
        if delta.new is None and delta.key.name == DEFAULT:
            self._queue.add(ObjectKey("", delta.key.namespace))

    async def reconcile(self, key: ObjectKey) -> Result | None:
        namespace = self._namespaces.get(key)
        if namespace is None or is_deleting(namespace):
            return None
        if self._accounts.get(ObjectKey(key.name, DEFAULT)) is not None:
            return None
        account = {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": DEFAULT, "namespace": key.name},
        }
        try:
            await self._client.create(SERVICE_ACCOUNTS, account, key.name)
        except StatusError as error:
            if not (error.is_already_exists or error.is_not_found or is_namespace_terminating(error)):
                raise
        return None
