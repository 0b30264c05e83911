"""Looking into the cluster's network: why a Service has no endpoints, what leads where, what a name resolves to."""

from __future__ import annotations

from ktui.client.dns_lookup import DOMAIN, look_up
from ktui.client.podsof import likely
from ktui.client.port_forward import is_ready
from ktui.describe.related import causes_of, slices_of
from ktui.describe.topology import CRON_JOBS, KINDS
from ktui.kube.kinds import PODS, SERVICES
from ktui.screens.actions.registry import Action, ActionContext
from ktui.screens.container_state import container_names, container_now
from ktui.screens.containers import CONTAINERS
from ktui.screens.endpoint_counts import endpoint_counts
from ktui.screens.view import View
from ktui.widgets.dialogs import AskText
from ktui.widgets.note import Note

_GROUP = "Network"
_IN_TREE = frozenset({*(kind.key for kind in KINDS if kind is not CRON_JOBS), CONTAINERS.key})
"""All that have a place in the tree, and the containers of pods; `t` triggers CronJobs."""


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


async def _tree(context: ActionContext) -> None:
    from ktui.screens.topology import TopologyScreen

    knot = await context.show(TopologyScreen(context.session, context.item))
    if knot is not None:
        fields = f"metadata.name={knot.name}"
        about = f"tree of {context.item.path}"
        view = View(resource=knot.resource, namespace=knot.namespace, field_selector=fields, about=about)
        context.browser.drill(view)


async def _dns(context: ActionContext) -> None:
    item = context.item
    pod, container = item.pod or item.name, item.name if item.pod else ""
    proposed = f"kubernetes.default.svc.{DOMAIN}"
    if item.resource.key == SERVICES.key:
        pod, proposed = await _some_pod(context), f"{item.name}.{item.namespace}.svc.{DOMAIN}"
    elif not container:
        found = await context.client.get(PODS, pod, item.namespace)
        container = next((n for n in container_names(found) if container_now(found, n).running), "")
        if not container:
            context.browser.notify(
                f"No container of {item.path} is running", severity="warning", markup=False
            )
            return
    body = [f"As pod {pod} resolves it." if pod else f"As a pod in {item.namespace} would resolve it."]
    name = context.argument.strip() or await context.show(
        AskText("Look up a name", body, value=proposed, check=_check_name)
    )
    if not name:
        return
    answer = await look_up(context.client, name.strip(), item.namespace, pod, container)
    sign = "●" if answer.found else "✗"
    await context.show(
        Note(f"{sign} {name.strip()}", [f"Asked: {answer.asked}", "", *answer.text.splitlines()])
    )


def _check_name(text: str) -> str:
    return "" if text.strip() and " " not in text.strip() else "a name, like web.default or example.com"


async def _some_pod(context: ActionContext) -> str:
    """A pod of the namespace to ask from, "" where none runs."""
    pods = (await context.client.list(PODS, context.item.namespace)).items
    running = sorted((pod for pod in pods if is_ready(pod)), key=likely)
    return str(running[0]["metadata"]["name"]) if running else ""


ACTIONS = (
    Action(
        id="why", key="w", title="Why", group=_GROUP, run=_why, needs="row", kinds=frozenset({SERVICES.key}),
        footer=True,
        help="Why it has no endpoints: selector, pods and their probes, names of ports",
    ),
    Action(
        id="tree", key="t", title="Tree", group=_GROUP, run=_tree, needs="row", kinds=_IN_TREE,
        commands=("tree", "xray"),
        help="What leads to it and what it leads to: Ingress, Service, EndpointSlice, Pod, Node, and owners",
    ),
    Action(
        id="dns", key="D", title="DNS lookup", group=_GROUP, run=_dns, needs="row", key_display="shift+d",
        kinds=frozenset({PODS.key, CONTAINERS.key, SERVICES.key}), commands=("dns", "nslookup"),
        help="What a name resolves to in the pod: nslookup there, or else the cluster's DNS",
    ),
)  # fmt: skip
