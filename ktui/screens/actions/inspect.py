"""Looking into an object: its description, its YAML, its logs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ktui.kube.kinds import PODS, SECRETS
from ktui.screens.actions.registry import Action, ActionContext
from ktui.screens.containers import CONTAINERS
from ktui.screens.items import Item
from ktui.screens.log_streams import LogScope, LogTarget

if TYPE_CHECKING:
    from ktui.screens.document import DocumentScreen

_GROUP = "Look"
_WITH_LOGS = frozenset({
    PODS.key, CONTAINERS.key, "deployments.apps", "replicasets.apps", "statefulsets.apps", "daemonsets.apps",
    "jobs.batch", "replicationcontrollers", "services",
})  # fmt: skip


def log_target(item: Item) -> LogTarget:
    """Whose logs a row means: a pod's, a container's, or all of a workload's pods'."""
    if item.pod:
        return LogTarget(resource=PODS, namespace=item.namespace, name=item.pod, container=item.name)
    return LogTarget(resource=item.resource, namespace=item.namespace, name=item.name)


async def _logs(context: ActionContext) -> None:
    from ktui.screens.logs import LogsScreen

    await context.show(LogsScreen(context.session, log_target(context.item)))


async def _previous(context: ActionContext) -> None:
    from ktui.screens.logs import LogsScreen

    await context.show(LogsScreen(context.session, log_target(context.item), LogScope(previous=True)))


async def _describe(context: ActionContext) -> None:
    from ktui.screens.describe import DescribeScreen

    await _read(context, lambda: DescribeScreen(context.session, context.item, editable=_editable(context)))


async def _yaml(context: ActionContext) -> None:
    from ktui.screens.yaml_screen import YamlScreen

    await _read(context, lambda: YamlScreen(context.session, context.item, editable=_editable(context)))


async def _decode(context: ActionContext) -> None:
    from ktui.screens.yaml_screen import YamlScreen

    editable = _editable(context)
    await _read(context, lambda: YamlScreen(context.session, context.item, editable=editable, decode=True))


def _editable(context: ActionContext) -> bool:
    edit = context.registry.get("edit")
    return edit is not None and edit.applies(context.resource)


async def _read(context: ActionContext, text: Callable[[], DocumentScreen]) -> None:
    """Show an object as text, again after each edit that was asked for there."""
    while await context.show(text()):
        edit = context.registry.get("edit")
        assert edit is not None
        await edit.run(context)


ACTIONS = (
    Action(
        id="open-container", key="", title="Logs", group=_GROUP, run=_logs, needs="row", opens_row=True,
        kinds=frozenset({CONTAINERS.key}), help="Enter on a container: its log, live",
    ),
    Action(
        id="describe", key="d", title="Describe", group=_GROUP, run=_describe, needs="row", footer=True,
        opens_row=True,
        help="What it is and how it does, with its events, live",
    ),
    Action(
        id="yaml", key="y", title="YAML", group=_GROUP, run=_yaml, needs="row", footer=True,
        help="The object as stored: coloured, foldable, live; x decodes a Secret",
    ),
    Action(
        id="decode", key="x", title="Decode", group=_GROUP, run=_decode, needs="row", kinds=frozenset({SECRETS.key}),
        footer=True, help="A Secret's data as text",
    ),
    Action(
        id="logs", key="l", title="Logs", group=_GROUP, run=_logs, needs="row", kinds=_WITH_LOGS, footer=True,
        help="Logs, live: of a container, a pod, or all pods of a workload by time",
    ),
    Action(
        id="previous-logs", key="p", title="Previous logs", group=_GROUP, run=_previous, needs="row",
        kinds=_WITH_LOGS, help="The log of the run before the last restart",
    ),
)  # fmt: skip
