"""Looking into an object: its description, its YAML, its logs."""

from __future__ import annotations

from ktui.kube.kinds import PODS
from ktui.screens.actions.registry import Action, ActionContext
from ktui.screens.containers import CONTAINERS
from ktui.screens.items import Item
from ktui.screens.log_streams import LogScope, LogTarget

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

    await context.show(DescribeScreen(context.session, context.item))


async def _yaml(context: ActionContext) -> None:
    from ktui.screens.yaml_screen import YamlScreen

    await context.show(YamlScreen(context.session, context.item))


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
        id="logs", key="l", title="Logs", group=_GROUP, run=_logs, needs="row", kinds=_WITH_LOGS, footer=True,
        help="Logs, live: of a container, a pod, or all pods of a workload by time",
    ),
    Action(
        id="previous-logs", key="p", title="Previous logs", group=_GROUP, run=_previous, needs="row",
        kinds=_WITH_LOGS, help="The log of the run before the last restart",
    ),
)  # fmt: skip
