"""What is done to workloads: scale, restart, set an image, roll back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from ktui.client.base import PatchType, WriteOptions
from ktui.client.rollout import read_revisions, restart_patch, rollout_status, undo_patch
from ktui.kube.kinds import DEPLOYMENTS, PODS, REPLICA_SETS
from ktui.kube.resource import Object
from ktui.screens.actions.registry import Action, ActionContext
from ktui.screens.items import Item
from ktui.screens.manifest_files import Keepers, keepers_of
from ktui.widgets.dialogs import AskText, Choose, Confirm

_GROUP = "Workload"
_SCALABLE = frozenset({DEPLOYMENTS.key, REPLICA_SETS.key, "statefulsets.apps", "replicationcontrollers"})
_ROLLED = frozenset({DEPLOYMENTS.key, "statefulsets.apps", "daemonsets.apps"})
_DEPLOYMENT = frozenset({DEPLOYMENTS.key})
_WRITE = WriteOptions(field_manager="ktui-tui")


def check_replicas(text: str) -> str:
    """What is wrong with a number of replicas as typed."""
    if not text.strip().isdigit():
        return "a whole number, 0 or more"
    return "" if int(text) <= 100_000 else "that is more than any cluster runs"


async def _keepers(context: ActionContext, items: Sequence[Item]) -> Keepers:
    return await keepers_of(context.client, context.session.catalog, [item.uid for item in items])


async def _scale(context: ActionContext) -> None:
    items = list(context.items)
    current = await context.client.get(
        items[0].resource, items[0].name, items[0].namespace, subresource="scale"
    )
    replicas = int((current.get("spec") or {}).get("replicas") or 0)
    what = items[0].path if len(items) == 1 else f"{len(items)} {items[0].resource.plural}"
    body = [f"It has {replicas} now."] if len(items) == 1 else []
    keepers = await _keepers(context, items)
    question = AskText(
        f"Scale {what} to",
        [*body, *keepers.warning],
        value=str(replicas),
        check=check_replicas,
        option=keepers.option,
    )
    answer = await context.show(question)
    if answer is None:
        return
    wanted = int(answer)
    if wanted == 0 and not await context.show(
        Confirm(f"Scale {what} to 0?", [f"All its pods ({replicas}) end."], yes="Scale to 0", danger=True)
    ):
        return
    if question.ticked:
        await keepers.pause(context.client)
    for item in items:
        await context.client.patch(
            item.resource, item.name, {"spec": {"replicas": wanted}}, item.namespace,
            patch_type=PatchType.MERGE, subresource="scale", options=_WRITE,
        )  # fmt: skip
    context.browser.table.clear_marks()
    context.browser.notify(f"Scaled {what} to {wanted}", markup=False)


async def _restart(context: ActionContext) -> None:
    items = list(context.items)
    what = items[0].path if len(items) == 1 else f"{len(items)} {items[0].resource.plural}"
    if not await context.show(
        Confirm(f"Restart {what}?", ["New pods replace the old ones as its strategy allows."], yes="Restart")
    ):
        return
    patch = restart_patch(datetime.now(UTC))
    for item in items:
        await context.client.patch(
            item.resource, item.name, patch, item.namespace, patch_type=PatchType.MERGE, options=_WRITE
        )
    context.browser.table.clear_marks()
    context.browser.notify(f"Restarting {what}", markup=False)


async def _set_image(context: ActionContext) -> None:
    item = context.item
    obj = await context.client.get(item.resource, item.name, item.namespace)
    spec: Object = obj.get("spec") or {}
    pod_spec: Object = (
        spec if item.resource.key == PODS.key else (spec.get("template") or {}).get("spec") or {}
    )
    root = "/spec" if item.resource.key == PODS.key else "/spec/template/spec"
    images = [
        (f"{root}/{field}/{index}", str(container["name"]), str(container.get("image") or ""))
        for field in ("containers", "initContainers")
        for index, container in enumerate(pod_spec.get(field) or ())
    ]
    if not images:
        context.browser.notify(f"{item.path} has no containers", severity="warning", markup=False)
        return
    chosen = images[0]
    if len(images) > 1:
        choices = [(entry, f"{entry[1]}  {entry[2]}") for entry in images]
        chosen = await context.show(Choose(f"Which container of {item.path}?", choices))
        if chosen is None:
            return
    path, name, image = chosen
    keepers = await _keepers(context, [item])
    question = AskText(
        f"Image of {name}",
        [f"In {item.path}.", *keepers.warning],
        value=image,
        check=_check_image,
        option=keepers.option,
    )
    answer = await context.show(question)
    if answer is None or answer.strip() == image:
        return
    if question.ticked:
        await keepers.pause(context.client)
    patch: list[Object] = [
        # By position, so first make sure that it is still the container that was chosen.
        {"op": "test", "path": f"{path}/name", "value": name},
        {"op": "replace", "path": f"{path}/image", "value": answer.strip()},
    ]
    await context.client.patch(
        item.resource, item.name, patch, item.namespace, patch_type=PatchType.JSON, options=_WRITE
    )
    context.browser.notify(f"{item.path}: {name} now runs {answer.strip()}", markup=False)


def _check_image(text: str) -> str:
    text = text.strip()
    return "an image reference, like nginx:1.27" if not text or " " in text else ""


async def _history(context: ActionContext) -> None:
    from ktui.screens.rollout import RolloutScreen

    await context.show(RolloutScreen(context.session, context.item))


async def undo_rollout(context: ActionContext, item: Item) -> None:
    """Back to the revision before the present one, after a question."""
    deployment = await context.client.get(item.resource, item.name, item.namespace)
    revisions = await read_revisions(context.client, deployment)
    if len(revisions) < 2:
        context.browser.notify(f"{item.path} has no earlier revision", severity="warning", markup=False)
        return
    if (deployment.get("spec") or {}).get("paused"):
        context.browser.notify(f"{item.path} is paused; resume it first", severity="warning", markup=False)
        return
    target = revisions[1]
    cause = f": {target.change_cause}" if target.change_cause else ""
    keepers = await _keepers(context, [item])
    question = Confirm(
        f"Undo the last rollout of {item.path}?",
        [
            f"Its template goes back to revision {target.number}{cause}.",
            "h shows the difference first.",
            *keepers.warning,
        ],
        yes="Undo",
        option=keepers.option,
    )
    if await context.show(question):
        if question.ticked:
            await keepers.pause(context.client)
        await context.client.patch(
            item.resource, item.name, undo_patch(deployment, target), item.namespace,
            patch_type=PatchType.JSON, options=_WRITE,
        )  # fmt: skip
        context.browser.notify(f"{item.path} goes back to revision {target.number}", markup=False)


async def _undo(context: ActionContext) -> None:
    await undo_rollout(context, context.item)


async def _status(context: ActionContext) -> None:
    for item in context.items:
        deployment = await context.client.get(item.resource, item.name, item.namespace)
        message, done = rollout_status(deployment)
        context.browser.notify(message, severity="information" if done else "warning", markup=False)


async def _pause(context: ActionContext) -> None:
    async def toggle(item: Item) -> None:
        deployment = await context.client.get(item.resource, item.name, item.namespace)
        paused = bool((deployment.get("spec") or {}).get("paused"))
        await context.client.patch(
            item.resource, item.name, {"spec": {"paused": None if paused else True}}, item.namespace,
            patch_type=PatchType.MERGE, options=_WRITE,
        )  # fmt: skip
        context.browser.notify(f"{'Resumed' if paused else 'Paused'} {item.path}", markup=False)

    await asyncio.gather(*(toggle(item) for item in context.items))


ACTIONS = (
    Action(
        id="scale", key="s", title="Scale", group=_GROUP, run=_scale, needs="rows", kinds=_SCALABLE, footer=True,
        subresource="scale",
        verb="patch", help="Set the number of replicas",
    ),
    Action(
        id="restart", key="r", title="Restart", group=_GROUP, run=_restart, needs="rows", kinds=_ROLLED, footer=True,
        verb="patch", help="Replace all pods, as kubectl rollout restart does",
    ),
    Action(
        id="set-image", key="i", title="Set image", group=_GROUP, run=_set_image, needs="row", verb="patch",
        kinds=_ROLLED | {PODS.key}, help="Change the image of a container",
    ),
    Action(
        id="history", key="h", title="Rollouts", group=_GROUP, run=_history, needs="row", kinds=_ROLLED,
        footer=True, help="Revisions with their differences; go back to one",
    ),
    Action(
        id="undo-rollout", key="U", title="Undo rollout", group=_GROUP, run=_undo, needs="row", kinds=_ROLLED,
        verb="patch", key_display="shift+u", help="Back to the revision before this one, after a question",
    ),
    Action(
        id="rollout-status", key="", title="Rollout status", group=_GROUP, run=_status, needs="rows",
        kinds=_ROLLED, commands=("rollout",), help="Say how the rollout goes, in kubectl's words",
    ),
    Action(
        id="pause-rollout", key="P", title="Pause / resume", group=_GROUP, run=_pause, needs="rows",
        kinds=_DEPLOYMENT, verb="patch", key_display="shift+p", help="Hold the rollout, or let it go on",
    ),
)  # fmt: skip
