"""ResourceQuota: counts what a namespace's objects use and writes it to each quota's status.

In: quotas, and pods, config maps and secrets as they come and go; what else a quota names is counted again
from time to time. Out: `status.hard` and `status.used`. Admission adds to `used` in between; this recount is
what takes back what deleted objects, ended pods and failed creates had charged.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from lightkube.models.core_v1 import ConfigMap, Pod, ResourceQuota, Secret

from ktui.client.base import Client
from ktui.client.informer import Delta, Informers
from ktui.engine.controllers.objects import is_deleting, is_finished
from ktui.engine.controllers.runtime import Controller, Result
from ktui.engine.controllers.workqueue import WorkQueue
from ktui.kube.clock import Clock
from ktui.kube.data import mapping, section
from ktui.kube.errors import StatusError
from ktui.kube.kinds import CONFIG_MAPS, PODS, RESOURCE_QUOTAS, SECRETS
from ktui.kube.quota import PLAIN_COUNTS, ZERO, Amounts, added, counts, is_under, printed, usage_of
from ktui.kube.resource import Object, ObjectKey, Resource

RECOUNT_SECONDS: Final = 30.0
RESYNC_SECONDS: Final = 300.0
"""Creates that failed after they were charged are taken back by then."""
_FOLLOWED: Final = frozenset([CONFIG_MAPS.key, PODS.key, SECRETS.key])
_COUNT: Final = "count/"


class ResourceQuotaController(Controller[ObjectKey]):
    """Keeps quotas' status as the namespace's objects are."""

    name = "resourcequota-controller"

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    def setup(self, informers: Informers, queue: WorkQueue[ObjectKey]) -> None:
        self._queue = queue
        self._quotas = informers.of(RESOURCE_QUOTAS, ResourceQuota)
        self._quotas.add_handler(self._quota_changed)
        informers.of(PODS, Pod).add_handler(self._pod_changed)
        informers.of(CONFIG_MAPS, ConfigMap).add_handler(self._went)
        informers.of(SECRETS, Secret).add_handler(self._went)

    def _quota_changed(self, delta: Delta[ResourceQuota]) -> None:
        quota = delta.new
        if quota is not None and (delta.old is None or delta.old.spec != quota.spec or _is_off(quota)):
            self._queue.add(delta.key)
        self._went(delta)

    def _pod_changed(self, delta: Delta[Pod]) -> None:
        ended_or_resized = (
            delta.old is not None
            and delta.new is not None
            and (is_finished(delta.old) != is_finished(delta.new) or _asks(delta.old) != _asks(delta.new))
        )
        if ended_or_resized:
            self._recount(delta.key.namespace)
        else:
            self._went(delta)

    def _went(self, delta: Delta[Any]) -> None:
        """What comes is charged at admission. A recount then could miss what is charged and not yet there, and
        let others in beyond the limit."""
        if delta.new is None:
            self._recount(delta.key.namespace)

    def _recount(self, namespace: str) -> None:
        for quota in self._quotas.items():
            if quota[0].namespace == namespace:
                self._queue.add(quota[0])

    async def reconcile(self, key: ObjectKey) -> Result | None:
        found = self._quotas.get(key)
        if found is None or is_deleting(found):
            return None
        quota = await self._client.get(RESOURCE_QUOTAS, key.name, key.namespace)
        hard = mapping(section(quota, "spec"), "hard")
        counted = await self._counted(hard)
        used = await self._used(quota, counted, key.namespace)
        status: Object = {"hard": hard, "used": printed({name: used.get(name, ZERO) for name in hard})}
        if status != section(quota, "status"):
            await self._client.update(RESOURCE_QUOTAS, {**quota, "status": status}, subresource="status")
        is_followed = {resource.key for resource in counted} <= _FOLLOWED
        return Result(RESYNC_SECONDS if is_followed else RECOUNT_SECONDS)

    async def _counted(self, hard: Iterable[str]) -> list[Resource]:
        """The kinds that have anything to do with a quota's resources."""
        names = {_kind_of(name) for name in hard}
        return [
            resource
            for resource in await self._client.resources()
            if resource.namespaced and resource.key in names and "list" in resource.verbs
        ]

    async def _used(self, quota: Object, counted: Iterable[Resource], namespace: str) -> Amounts:
        used: Amounts = {}
        now = self._clock.now()
        seen: set[str] = set()
        for resource in counted:
            if resource.key in seen:
                continue
            seen.add(resource.key)
            try:
                objects = (await self._client.list(resource, namespace)).items
            except StatusError as error:
                if not error.is_not_found:
                    raise
                continue
            for obj in objects:
                if counts(resource, obj, now) and is_under(quota, resource, obj):
                    used = added(used, usage_of(resource, obj))
        return used


def _asks(pod: Pod) -> Sequence[Any]:
    """What its containers and the pod itself ask for."""
    spec = pod.spec
    if spec is None:
        return ()
    return [spec.resources, *(each.resources for each in (*(spec.initContainers or ()), *spec.containers))]


def _is_off(quota: ResourceQuota) -> bool:
    """Whether the status shows other limits than the spec sets: somebody else wrote it."""
    spec: Any = quota.spec
    status: Any = quota.status
    return ((spec and spec.hard) or {}) != ((status and status.hard) or {})


def _kind_of(name: str) -> str:
    """The kind a resource of a quota is counted by, as `plural.group`."""
    if name.startswith(_COUNT):
        return name.removeprefix(_COUNT)
    if name in PLAIN_COUNTS:
        return name
    if name.startswith("services."):
        return "services"
    if name == "requests.storage" or ".storageclass.storage.k8s.io/" in name:
        return "persistentvolumeclaims"
    return PODS.key
