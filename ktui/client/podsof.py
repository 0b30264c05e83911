"""The pods behind a name: of a workload, by its selector, the ones most likely meant first."""

from __future__ import annotations

from ktui.client.base import Client, ListOptions
from ktui.kube.errors import bad_request
from ktui.kube.kinds import PODS
from ktui.kube.resource import Object, Resource
from ktui.kube.selector import Selector


async def pods_of(client: Client, resource: Resource, name: str, namespace: str) -> list[Object]:
    """A pod itself, or the pods a workload selects: ready ones first, then running, then the newest."""
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
    return sorted(found, key=_likely)


def _likely(pod: Object) -> tuple[bool, bool, str]:
    status: Object = pod.get("status") or {}
    conditions: list[Object] = status.get("conditions") or []
    is_ready = any(item.get("type") == "Ready" and item.get("status") == "True" for item in conditions)
    return not is_ready, status.get("phase") != "Running", str(pod["metadata"].get("creationTimestamp") or "")
