"""Looking into the cluster's network: why a Service has no endpoints."""

from __future__ import annotations

from ktui.describe.related import causes_of, slices_of
from ktui.kube.kinds import SERVICES
from ktui.screens.actions.registry import Action, ActionContext
from ktui.screens.endpoint_counts import endpoint_counts
from ktui.widgets.note import Note

_GROUP = "Network"


async def _why(context: ActionContext) -> None:
    item = context.item
    service = await context.client.get(SERVICES, item.name, item.namespace)
    slices = await slices_of(context.client, item.name, item.namespace)
    causes = await causes_of(context.client, service, slices)
    if causes:
        await context.show(Note(f"Why {item.path} has no endpoints", [f"• {cause}" for cause in causes]))
        return
    counts = next(iter(endpoint_counts(slices).values()), "")
    text = f"{counts} endpoints of {item.path} are ready" if counts else f"{item.path} needs no endpoints"
    context.browser.notify(text, markup=False)


ACTIONS = (
    Action(
        id="why", key="w", title="Why", group=_GROUP, run=_why, needs="row", kinds=frozenset({SERVICES.key}),
        footer=True,
        help="Why it has no endpoints: selector, pods and their probes, names of ports",
    ),
)  # fmt: skip
