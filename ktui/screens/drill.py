"""What enter opens on a row: what the object brought about, one level down.

Deployment → pods (k9s's habit; `shift-r` shows its ReplicaSets), pods → containers, CronJob → Jobs, Node → its
pods, Namespace → its pods. None where there is nothing below; then the row is described instead.
"""

from __future__ import annotations

from functools import partial

from ktui.kube.kinds import INGRESSES, NAMESPACES, PODS, SERVICES
from ktui.kube.resource import Object
from ktui.kube.selector import Selector
from ktui.screens.backends import BACKENDS, BackendSource
from ktui.screens.containers import CONTAINERS, ContainerSource
from ktui.screens.items import Item
from ktui.screens.session import Session
from ktui.screens.view import View

_SELECT_PODS = {
    "deployments.apps", "replicasets.apps", "statefulsets.apps", "daemonsets.apps", "jobs.batch",
    "poddisruptionbudgets.policy",
}  # fmt: skip
_SELECT_BY_MAP = {"services", "replicationcontrollers"}


async def drill_down(session: Session, item: Item) -> View | None:
    """The view below an object."""
    key = item.resource.key
    if key == PODS.key:
        source = partial(ContainerSource, namespace=item.namespace, pod=item.name)
        return View(resource=CONTAINERS, namespace=item.namespace, about=item.path, source=source)
    if key == NAMESPACES.key:
        session.visit(item.name)
        return View(resource=PODS, namespace=item.name)
    if key == "nodes":
        return View(resource=PODS, field_selector=f"spec.nodeName={item.name}", about=item.path)
    if key == INGRESSES.key:
        source = partial(BackendSource, namespace=item.namespace, name=item.name)
        return View(resource=BACKENDS, namespace=item.namespace, about=item.path, source=source)
    if key == BACKENDS.key:
        fields = f"metadata.name={item.name}"
        return View(resource=SERVICES, namespace=item.namespace, field_selector=fields, about=item.path)
    if key == "cronjobs.batch":
        jobs = session.catalog.find("jobs")
        return jobs and View(resource=jobs, namespace=item.namespace, owner_uid=item.uid, about=item.path)
    if key in _SELECT_PODS or key in _SELECT_BY_MAP:
        obj = await session.client.get(item.resource, item.name, item.namespace)
        spec: Object = obj.get("spec") or {}
        selector = (
            Selector.of_labels(spec.get("selector"))
            if key in _SELECT_BY_MAP
            else Selector.of(spec.get("selector"))
        )
        if selector.nothing or selector.empty:
            return None
        return View(resource=PODS, namespace=item.namespace, label_selector=str(selector), about=item.path)
    return None
