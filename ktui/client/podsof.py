"""The pods behind a name: of a workload, by its selector, the ones most likely meant first."""

from __future__ import annotations

from ktui.client.base import Client, ListOptions
from ktui.kube.errors import bad_request
from ktui.kube.kinds import PODS
from ktui.kube.resource import Object, Resource
from ktui.kube.selector import Selector


async def pods_of(client: Client, resource: Resource, name: str, namespace: str) -> list[Object]:
    """A pod itself, or the pods a workload selects, in the order in which kubectl picks one.

    Those on a node first, then running before unknown before pending, ready ones, ready for longest, with the
    fewest restarts, and the oldest.
    """
    obj = await client.get(resource, name, namespace)
    if resource == PODS:
        return [obj]
    spec: Object = obj.get("spec") or {}
    selector: Object | None = spec.get("selector")
    if not selector:
        raise bad_request(f"cannot find the pods of {resource.kind} {name}: it has no selector")
    matching: Object = (
        selector if "matchLabels" in selector or "matchExpressions" in selector else {"matchLabels": selector}
    )
    options = ListOptions(label_selector=str(Selector.of(matching)))
    found = (await client.list(PODS, namespace, options=options)).items
    return sorted(found, key=likely)


_PHASES = {"Unknown": 1, "Pending": 2}
_NEVER = "~"
"""After every time there is: a missing time counts as the latest."""


def likely(pod: Object) -> tuple[bool, int, bool, str, int, str]:
    """The order in which kubectl picks a pod of several."""
    spec: Object = pod.get("spec") or {}
    status: Object = pod.get("status") or {}
    conditions: list[Object] = status.get("conditions") or []
    ready = [item for item in conditions if item.get("type") == "Ready" and item.get("status") == "True"]
    ready_since: str = ready[0].get("lastTransitionTime") or _NEVER if ready else _NEVER
    containers: list[Object] = status.get("containerStatuses") or []
    restarts = max((int(item.get("restartCount") or 0) for item in containers), default=0)
    created: str = pod["metadata"].get("creationTimestamp") or _NEVER
    return (
        not spec.get("nodeName"),
        _PHASES.get(status.get("phase") or "", 0),
        not ready,
        ready_since,
        restarts,
        created,
    )
