"""From an object to the ones it belongs to or runs on."""

from __future__ import annotations

from ktui.kube.kinds import DEPLOYMENTS, NODES, PODS, REPLICA_SETS
from ktui.screens.actions.registry import Action, ActionContext
from ktui.screens.containers import CONTAINERS
from ktui.screens.drill import drill_down
from ktui.screens.view import View

_GROUP = "Related"


async def _open(context: ActionContext) -> None:
    view = await drill_down(context.session, context.item)
    if view is not None:
        context.browser.drill(view)
        return
    for action in context.registry.of(context.resource):
        if action.opens_row:
            await action.run(context)
            return


async def _node(context: ActionContext) -> None:
    item = context.item
    pod = await context.client.get(PODS, item.pod or item.name, item.namespace)
    node: str = (pod.get("spec") or {}).get("nodeName") or ""
    if not node:
        context.browser.notify(f"{item.path} is on no node yet", severity="warning", markup=False)
        return
    context.browser.drill(View(resource=NODES, field_selector=f"metadata.name={node}", about=item.path))


async def _owner(context: ActionContext) -> None:
    item = context.item
    owner = item.owner
    if owner is None:
        context.browser.notify(f"{item.path} has no owner", severity="warning", markup=False)
        return
    resource = context.session.catalog.of_reference(owner)
    if resource is None:
        context.browser.notify(
            f"{item.path} belongs to {owner.get('kind')} {owner.get('name')}, a kind this cluster does not list",
            severity="warning",
            markup=False,
        )
        return
    context.browser.drill(
        View(
            resource=resource,
            namespace=item.namespace if resource.namespaced else "",
            field_selector=f"metadata.name={owner.get('name')}",
            about=item.path,
        )
    )


async def _replica_sets(context: ActionContext) -> None:
    item = context.item
    context.browser.drill(
        View(resource=REPLICA_SETS, namespace=item.namespace, owner_uid=item.uid, about=item.path)
    )


ACTIONS = (
    Action(
        id="open", key="", title="Open", group="Go", run=_open, needs="row", key_display="enter",
        help="One level down: what the object brought about (pods, containers, logs), or what it is",
    ),
    Action(
        id="node", key="o", title="Node", group=_GROUP, run=_node, needs="row",
        kinds=frozenset({PODS.key, CONTAINERS.key}), help="The node a pod runs on",
    ),
    Action(
        id="owner", key="J", title="Owner", group=_GROUP, run=_owner, needs="row", key_display="shift+j",
        help="The object that owns this one",
    ),
    Action(
        id="replica-sets", key="R", title="ReplicaSets", group=_GROUP, run=_replica_sets, needs="row",
        kinds=frozenset({DEPLOYMENTS.key}), key_display="shift+r", help="A Deployment's ReplicaSets, one a revision",
    ),
)  # fmt: skip
