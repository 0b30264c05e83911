"""Replicas that an autoscaler decides on, whatever the file says of them.

A file that names `spec.replicas` of what a HorizontalPodAutoscaler scales would undo every rescale. As long as
there is such an autoscaler, the file's number is only where a new object starts from.
"""

from __future__ import annotations

from typing import Any, cast

from ktui.client.base import Client
from ktui.engine.manifests.plan import Wanted
from ktui.kube.data import section, string
from ktui.kube.errors import StatusError
from ktui.kube.kinds import HORIZONTAL_POD_AUTOSCALERS
from ktui.kube.resource import Object


async def with_live_replicas(client: Client, wanted: Wanted) -> Object:
    """The object to apply: as in the file, or with the replicas that its autoscaler gave it."""
    said: Any = wanted.object.get("spec")
    if not isinstance(said, dict) or "replicas" not in said or not wanted.identity.namespace:
        return wanted.object
    spec = cast(Object, said)
    try:
        if not await _is_autoscaled(client, wanted):
            return wanted.object
        live = await client.get(wanted.resource, wanted.identity.name, wanted.identity.namespace)
    except (StatusError, OSError, TimeoutError):
        return wanted.object
    replicas = section(live, "spec").get("replicas")
    if replicas is None:
        return wanted.object
    return {**wanted.object, "spec": {**spec, "replicas": replicas}}


async def _is_autoscaled(client: Client, wanted: Wanted) -> bool:
    identity = wanted.identity
    listing = await client.list(HORIZONTAL_POD_AUTOSCALERS, identity.namespace)
    for autoscaler in listing.items:
        target = section(autoscaler, "spec", "scaleTargetRef")
        group, slash, _ = string(target, "apiVersion").rpartition("/")
        named = (group if slash else "", string(target, "kind"), string(target, "name"))
        if named == (identity.group, identity.kind, identity.name):
            return True
    return False
