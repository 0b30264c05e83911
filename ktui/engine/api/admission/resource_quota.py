"""ResourceQuota: a new object, and what a resized pod asks for beyond what it had, is charged to every quota it
falls under, or refused.

The charge is written to the quota's `status.used` before the object is stored, against the version that was
read, so that two requests never spend the same rest. What a failed create leaves charged, the quota
controller takes back at its next count.
"""

from __future__ import annotations

from typing import Final

from ktui.engine.api.admission.base import Attributes, Validating, View
from ktui.kube.data import mapping, section, string
from ktui.kube.errors import StatusError, conflict, forbidden
from ktui.kube.kinds import PODS, RESOURCE_QUOTAS
from ktui.kube.quota import Amounts, added, amounts, exceeding, is_under, listed, missing, printed, usage_of
from ktui.kube.resource import Object

_ATTEMPTS: Final = 100


class ResourceQuota(Validating):
    """Runs last: what is charged has passed all else."""

    def __init__(self, view: View) -> None:
        self._view = view

    async def validate(self, request: Attributes, obj: Object | None, old: Object | None) -> None:
        if obj is None or not request.namespace:
            return
        if not request.is_resize and (request.operation != "CREATE" or request.subresource):
            return
        used: Amounts | None = None
        for quota in self._view.listed(RESOURCE_QUOTAS.key, request.namespace):
            if is_under(quota, request.resource, obj):
                if used is None:
                    used = usage_of(request.resource, obj)
                    used = used if old is None else _growth(used, usage_of(request.resource, old))
                await self._charge(request, obj, quota, used)

    async def _charge(self, request: Attributes, obj: Object, quota: Object, usage: Amounts) -> None:
        name = string(section(quota, "metadata"), "name")
        for _ in range(_ATTEMPTS):
            wanted = charged(request, obj, quota, usage)
            if wanted is quota or request.dry_run:
                return
            if await self._view.replace(RESOURCE_QUOTAS.key, wanted):
                return
            found = self._view.lookup(RESOURCE_QUOTAS.key, request.namespace, name)
            if found is None:
                return
            quota = found
        raise conflict(RESOURCE_QUOTAS, name, "the quota is being changed by many at once; please try again")


def _growth(now: Amounts, before: Amounts) -> Amounts:
    """What has become more; what has become less the quota controller gives back."""
    grown = {name: amount - before[name] if name in before else amount for name, amount in now.items()}
    return {name: amount for name, amount in grown.items() if amount.nanos > 0}


def charged(request: Attributes, obj: Object, quota: Object, usage: Amounts) -> Object:
    """The quota with the object's usage added; 403 if that is more than there is."""
    status = section(quota, "status")
    hard, used = amounts(mapping(status, "hard")), amounts(mapping(status, "used"))
    requested = {name: amount for name, amount in usage.items() if name in hard}
    name = string(section(quota, "metadata"), "name")
    if request.resource.key == PODS.key and (lacking := missing(obj, hard)):
        words = "; ".join(f"{each} for: {','.join(containers)}" for each, containers in lacking.items())
        raise _refused(request, obj, f"failed quota: {name}: must specify {words}")
    if unknown := sorted(each for each in requested if each not in used):
        raise _refused(request, obj, f"status unknown for quota: {name}, resources: {','.join(unknown)}")
    if over := exceeding(hard, used, requested):
        raise _refused(
            request,
            obj,
            f"exceeded quota: {name}, requested: {listed(requested, over)}, used: {listed(used, over)}, "
            f"limited: {listed(hard, over)}",
        )
    if not any(requested.values()):
        return quota
    return {**quota, "status": {**status, "used": printed(added(used, requested))}}


def _refused(request: Attributes, obj: Object, message: str) -> StatusError:
    return forbidden(request.resource, string(section(obj, "metadata"), "name"), message)
