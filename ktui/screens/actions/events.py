"""The events of an object as a view of the browser, and which objects use a ConfigMap or Secret."""

from __future__ import annotations

from ktui.kube.kinds import CONFIG_MAPS, EVENTS, PODS, SECRETS
from ktui.screens.actions.registry import Action, ActionContext
from ktui.screens.uses import USERS, UsesSource
from ktui.screens.view import View

_GROUP = "Related"


async def _events(context: ActionContext) -> None:
    item = context.item
    resource, name = (PODS, item.pod) if item.pod else (item.resource, item.name)
    fields = f"involvedObject.kind={resource.kind},involvedObject.name={name}"
    context.browser.drill(
        View(resource=EVENTS, namespace=item.namespace, field_selector=fields, about=item.path)
    )


async def _used_by(context: ActionContext) -> None:
    item = context.item

    def source(client: object) -> UsesSource:
        return UsesSource(context.client, item.resource, item.namespace, item.name)

    context.browser.drill(View(resource=USERS, namespace=item.namespace, about=item.path, source=source))


ACTIONS = (
    Action(
        id="events", key="v", title="Events", group=_GROUP, run=_events, needs="row",
        help="What happened to it lately",
    ),
    Action(
        id="used-by", key="u", title="Used by", group=_GROUP, run=_used_by, needs="row",
        kinds=frozenset({CONFIG_MAPS.key, SECRETS.key}),
        help="The pods and service accounts that use a ConfigMap or Secret, and how",
    ),
)  # fmt: skip
