"""Looking into an object: its logs, and those of the run before."""

from __future__ import annotations

from ktui.kube.kinds import PODS
from ktui.screens.actions.registry import Action, ActionContext
from ktui.screens.containers import CONTAINERS
from ktui.screens.items import Item
from ktui.screens.log_streams import LogScope, LogTarget
from ktui.screens.logs import LogsScreen

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
    await context.show(LogsScreen(context.session, log_target(context.item)))


async def _previous(context: ActionContext) -> None:
    await context.show(LogsScreen(context.session, log_target(context.item), LogScope(previous=True)))


ACTIONS = (
    Action(
        id="logs", key="l", title="Logs", group=_GROUP, run=_logs, needs="row", kinds=_WITH_LOGS, footer=True,
        opens_row=True,
        help="Logs, live: of a container, a pod, or all pods of a workload by time",
    ),
    Action(
        id="previous-logs", key="p", title="Previous logs", group=_GROUP, run=_previous, needs="row",
        kinds=_WITH_LOGS, help="The log of the run before the last restart",
    ),
)  # fmt: skip
