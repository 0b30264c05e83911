"""Local ports that lead into the cluster: starting, listing and stopping them, and opening what answers in a browser."""

from __future__ import annotations

import asyncio
import socket
from functools import partial
from urllib.parse import urlsplit

from ktui.client.forward_ports import PortError, PortPair, container_ports, offered, parse_pair
from ktui.client.podsof import pods_of
from ktui.client.port_forward import Forward, ForwardError, ListenError, Target
from ktui.kube.errors import StatusError
from ktui.kube.kinds import DEPLOYMENTS, INGRESSES, NODES, PODS, REPLICA_SETS, SERVICES
from ktui.kube.resource import Object
from ktui.screens.actions.registry import Action, ActionContext
from ktui.screens.containers import CONTAINERS
from ktui.screens.forwards import FORWARDS, ForwardSource, local_address
from ktui.screens.items import Item
from ktui.screens.view import View
from ktui.screens.web_addresses import forward_to, ingress_addresses, of_forward, of_ingress, of_service
from ktui.screens.web_browser import show_in_browser
from ktui.widgets.dialogs import Choose
from ktui.widgets.form import Field, Form

_GROUP = "Network"
_FORWARDED = frozenset({
    PODS.key, CONTAINERS.key, SERVICES.key, DEPLOYMENTS.key, REPLICA_SETS.key, "statefulsets.apps",
    "daemonsets.apps", "replicationcontrollers", "jobs.batch",
})  # fmt: skip
_LISTED = frozenset({FORWARDS.key})
_ADDRESS = "127.0.0.1"


def read_pairs(containers: str, locals_: str) -> list[PortPair]:
    """The pairs of two fields, ports in each separated by commas or spaces. Raises PortError."""
    remotes = containers.replace(",", " ").split()
    wanted = locals_.replace(",", " ").split()
    if not remotes:
        raise PortError("which port of the pod? a number, or the name of one")
    if wanted and len(wanted) != len(remotes):
        raise PortError(f"{len(remotes)} ports of the pod, but {len(wanted)} local ones")
    return [
        parse_pair(f"{local}:{remote}")
        for remote, local in zip(remotes, wanted or [""] * len(remotes), strict=True)
    ]


def check_form(values: tuple[str, ...]) -> str:
    """What is wrong with the answers, "" for nothing."""
    try:
        read_pairs(values[0], values[1])
    except PortError as error:
        return str(error)
    return "" if values[2] else "an address to listen on, like 127.0.0.1 or localhost"


def _target(item: Item) -> Target:
    return (
        Target(PODS, item.namespace, item.pod)
        if item.pod
        else Target(item.resource, item.namespace, item.name)
    )


async def _ask(context: ActionContext, target: Target, container: str) -> tuple[str, ...] | None:
    obj, pod = await _object_and_pod(context, target)
    pairs = offered(obj, pod)
    if container:
        own = [str(p["containerPort"]) for name, p in container_ports(pod or {}) if name == container]
        pairs = [pair for pair in pairs if pair.remote in own] or pairs
    declared = [
        f"{name}: {port.get('containerPort')}/{port.get('protocol') or 'TCP'} {port.get('name') or ''}".rstrip()
        for name, port in container_ports(pod or {})
    ]
    hint = (
        [f"Its containers have {', '.join(declared)}."] if declared else ["Its containers declare no ports."]
    )
    what = "Service port" if target.resource.key == SERVICES.key else "Container port"
    fields = [
        Field(label=what, value=", ".join(pair.remote for pair in pairs), placeholder="80, or a name"),
        Field(
            label="Local port", value=", ".join(str(pair.local) for pair in pairs), placeholder="any free one"
        ),
        Field(label="Address", value=_ADDRESS),
    ]
    return await context.show(Form(f"Forward to {target}", fields, hint, check=check_form))


async def _object_and_pod(context: ActionContext, target: Target) -> tuple[Object, Object | None]:
    obj = await context.client.get(target.resource, target.name, target.namespace)
    try:
        pods = await pods_of(context.client, target.resource, target.name, target.namespace)
    except StatusError:
        pods = []
    return obj, pods[0] if pods else None


async def start_forward(
    context: ActionContext, target: Target, pair: PortPair, address: str = _ADDRESS
) -> Forward:
    """Start one and list it. Raises StatusError, PortError or ForwardError."""
    notify = partial(context.app.notify, title="Port-forward", markup=False)
    forward = Forward(context.client, target, pair, tuple(address.replace(",", " ").split()))
    await forward.start()
    forward.on_news = lambda text: notify(
        text, severity="warning" if forward.problem or not forward.pod else "information"
    )
    context.session.forwards.add(forward, context.session.now())
    return forward


async def _forward(context: ActionContext) -> None:
    item = context.item
    target = _target(item)
    answer = await _ask(context, target, item.name if item.pod else "")
    if answer is None:
        return
    started: list[str] = []
    for pair in read_pairs(answer[0], answer[1]):
        try:
            forward = await start_forward(context, target, pair, answer[2])
        except (ForwardError, PortError) as error:
            text = _taken_by_ours(context, error) or str(error)
            context.browser.notify(text, title="Not forwarded", severity="error", markup=False)
        else:
            started.append(f"{local_address(forward)} → {target} {pair.remote} (pod {forward.pod})")
    if started:
        context.browser.notify("\n".join([*started, ":pf lists them"]), title="Forwarding", markup=False)


def _taken_by_ours(context: ActionContext, error: Exception) -> str:
    """What to say of a local port that one of the listed forwards has, "" for other failures."""
    if not isinstance(error, ListenError):
        return ""
    for each in context.session.forwards.all():
        if (error.address, error.port) in each.forward.listening:
            return f"{local_address(each.forward)} leads to {each.forward.target} already; :pf lists what there is"
    return ""


async def _list(context: ActionContext) -> None:
    forwards = context.session.forwards
    hint = "shift+f on a pod, service or workload starts one"
    context.browser.go(View(resource=FORWARDS, source=lambda client: ForwardSource(forwards), hint=hint))


async def _stop(context: ActionContext) -> None:
    for item in context.items:
        forward = await context.session.forwards.stop(item.uid)
        if forward is not None:
            context.browser.notify(f"Stopped {local_address(forward)} → {item.name}", markup=False)
    context.browser.table.clear_marks()


async def _open_target(context: ActionContext) -> None:
    forward = context.session.forwards.get(context.item.uid)
    if forward is not None:
        target = forward.target
        fields = f"metadata.name={target.name}"
        view = View(
            resource=target.resource, namespace=target.namespace, field_selector=fields, about="forward"
        )
        context.browser.drill(view)


async def _browse(context: ActionContext) -> None:
    item, answers_at = context.item, ""
    if item.resource.key == FORWARDS.key:
        forward = context.session.forwards.get(item.uid)
        found = [of_forward(forward)] if forward is not None and forward.listening else []
    elif item.resource.key == INGRESSES.key:
        ingress = await context.client.get(INGRESSES, item.name, item.namespace)
        found, answers_at = of_ingress(ingress), ",".join(ingress_addresses(ingress)[:1])
        if not found:
            raise ForwardError(f"{item.path} has no address yet: no controller serves it")
    else:
        found = await _service_addresses(context, item)
    chosen = found[0] if found else None
    if len(found) > 1:
        chosen = await context.show(Choose(f"Open {item.path}", [(each, each) for each in found]))
    if chosen:
        await _show(context, chosen, answers_at)


async def _service_addresses(context: ActionContext, item: Item) -> list[str]:
    """Its addresses outside the cluster; a Service that has none is forwarded to."""
    service = await context.client.get(SERVICES, item.name, item.namespace)
    try:
        nodes = (await context.client.list(NODES)).items
    except StatusError:
        nodes = []
    found = list(of_service(service, nodes))
    if found:
        return found
    target = _target(item)
    forward = forward_to((each.forward for each in context.session.forwards.all()), target)
    if forward is None:
        pairs = offered(service, None)
        if not pairs:
            raise ForwardError(f"{item.path} has no TCP port")
        forward = await start_forward(context, target, PortPair(0, pairs[0].remote))
        context.browser.notify(
            f"{item.path} has no address outside the cluster: forwarding {local_address(forward)} to it",
            markup=False,
        )
    return [of_forward(forward)]


async def _show(context: ActionContext, address: str, answers_at: str) -> None:
    host = urlsplit(address).hostname or ""
    await show_in_browser(
        context.session.open_url,
        address,
        context.app.copy_to_clipboard,
        lambda text: context.browser.notify(text, markup=False),
    )
    try:
        await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        hint = f"add `{answers_at} {host}` to /etc/hosts" if answers_at else "add it to /etc/hosts"
        context.browser.notify(
            f"This machine does not know the name {host}: {hint}", severity="warning", markup=False
        )


ACTIONS = (
    Action(
        id="port-forward", key="F", title="Port-forward", group=_GROUP, run=_forward, needs="row",
        kinds=_FORWARDED, key_display="shift+f",
        help="A local port that leads to the pod, or to a ready one of a Service or workload",
    ),
    Action(
        id="port-forwards", key="", title="Port-forwards", group=_GROUP, run=_list,
        commands=("pf", "portforward", "portforwards", "port-forward"),
        help="The local ports that lead into the cluster: where, to what, how much went through",
    ),
    Action(
        id="stop-forward", key="ctrl+d", title="Stop", group=_GROUP, run=_stop, needs="rows", kinds=_LISTED,
        footer=True, help="End the forward and its connections",
    ),
    Action(
        id="open-forward-target", key="", title="Target", group=_GROUP, run=_open_target, needs="row",
        kinds=_LISTED, opens_row=True, help="Enter on a forward: what it leads to",
    ),
    Action(
        id="web-browser", key="b", title="Browser", group=_GROUP, run=_browse, needs="row",
        kinds=frozenset({SERVICES.key, INGRESSES.key, FORWARDS.key}),
        help="Open it in the web browser; where there is none, copy the address",
    ),
)  # fmt: skip
