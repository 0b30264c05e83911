"""Taking nodes out of scheduling, back in, and emptying them as `kubectl drain` does."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ktui.client.base import ListOptions, PatchType
from ktui.kube.errors import StatusError
from ktui.kube.kinds import NODES, PODS
from ktui.kube.resource import Object, ObjectKey
from ktui.screens.actions.registry import Action, ActionContext
from ktui.widgets.dialogs import Confirm

_GROUP = "Node"
_NODES = frozenset({NODES.key})
_MIRROR = "kubernetes.io/config.mirror"
_EVICTION_TRIES = 24
_EVICTION_PAUSE = 5.0


async def _set_unschedulable(context: ActionContext, name: str, unschedulable: bool) -> None:
    patch: Object = {"spec": {"unschedulable": True if unschedulable else None}}
    await context.client.patch(NODES, name, patch, patch_type=PatchType.MERGE)


async def _cordon(context: ActionContext) -> None:
    for item in context.items:
        node = await context.client.get(NODES, item.name)
        cordoned = bool((node.get("spec") or {}).get("unschedulable"))
        await _set_unschedulable(context, item.name, not cordoned)
        word = "Uncordoned" if cordoned else "Cordoned"
        context.browser.notify(f"{word} {item.name}", markup=False)


async def _uncordon(context: ActionContext) -> None:
    for item in context.items:
        await _set_unschedulable(context, item.name, False)
        context.browser.notify(f"Uncordoned {item.name}", markup=False)


def drainable(pods: Sequence[Object]) -> tuple[list[ObjectKey], list[str], list[str]]:
    """Which pods a drain evicts, and the warnings: (evicted, bare pods that nothing brings back, pods whose
    emptyDir data is lost). DaemonSet and mirror pods stay, finished pods go unasked."""
    evict: list[ObjectKey] = []
    bare: list[str] = []
    local: list[str] = []
    for pod in pods:
        metadata: Object = pod.get("metadata") or {}
        owners: list[Object] = metadata.get("ownerReferences") or []
        controller = next((owner for owner in owners if owner.get("controller")), None)
        if _MIRROR in (metadata.get("annotations") or {}) or (controller or {}).get("kind") == "DaemonSet":
            continue
        evict.append(ObjectKey.of(pod))
        if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
            continue
        if controller is None:
            bare.append(str(metadata.get("name")))
        if any("emptyDir" in volume for volume in (pod.get("spec") or {}).get("volumes") or ()):
            local.append(str(metadata.get("name")))
    return evict, bare, local


async def _drain(context: ActionContext) -> None:
    name = context.item.name
    options = ListOptions(field_selector=f"spec.nodeName={name}")
    pods = (await context.client.list(PODS, options=options)).items
    evict, bare, local = drainable(pods)
    lines = [f"It is cordoned, and {len(evict)} of its {len(pods)} pods are evicted."]
    if bare:
        lines.append(f"Nothing brings back: {', '.join(bare)}.")
    if local:
        lines.append(f"Their emptyDir data is lost: {', '.join(local)}.")
    if not await context.show(Confirm(f"Drain node {name}?", lines, yes="Drain", danger=True)):
        return
    await _set_unschedulable(context, name, True)
    results = await asyncio.gather(*(_evict(context, key) for key in evict))
    problems = [problem for problem in results if problem]
    if problems:
        title = f"{len(problems)} pods of {name} stay"
        context.browser.notify("\n".join(problems[:5]), title=title, severity="error", markup=False)
    else:
        context.browser.notify(f"Drained {name}: {len(evict)} pods evicted", markup=False)


async def _evict(context: ActionContext, key: ObjectKey) -> str:
    eviction: Object = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": key.name, "namespace": key.namespace},
    }
    for _ in range(_EVICTION_TRIES):
        try:
            await context.client.create(PODS, eviction, key.namespace, name=key.name, subresource="eviction")
        except StatusError as error:
            if error.is_not_found:
                return ""
            if error.code != 429:
                return f"{key}: {error.message}"
            # A disruption budget says not now; kubectl asks again every five seconds too.
            await asyncio.sleep(_EVICTION_PAUSE)
            continue
        return ""
    return f"{key}: its disruption budget did not let it go"


ACTIONS = (
    Action(
        id="cordon", key="c", title="Cordon", group=_GROUP, run=_cordon, needs="rows", kinds=_NODES, footer=True,
        verb="patch", help="Take the node out of scheduling, or back in",
    ),
    Action(
        id="uncordon", key="u", title="Uncordon", group=_GROUP, run=_uncordon, needs="rows", kinds=_NODES,
        verb="patch", help="Take the node back into scheduling",
    ),
    Action(
        id="drain", key="r", title="Drain", group=_GROUP, run=_drain, needs="row", kinds=_NODES, footer=True,
        help="Cordon the node and evict its pods, after a question that names what is lost",
    ),
)  # fmt: skip
