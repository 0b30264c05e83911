"""`ktui events`: what happened, oldest first, as a list or as it goes on."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from ktui.client.base import Client, WatchOptions
from ktui.commands import options
from ktui.commands.flags import Verb
from ktui.commands.output import as_list, columns, printer
from ktui.commands.session import UserError, session
from ktui.kube.age import human_duration
from ktui.kube.clock import RealClock, parse_time
from ktui.kube.kinds import EVENTS
from ktui.kube.resource import Object

_HEADER = ["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]


@click.command("events", cls=Verb)
@options.scope
@click.option("--for", "about", default="", metavar="TYPE/NAME", help="Events about one object.")
@click.option("--types", default="", metavar="TYPE[,TYPE]", help="Normal, Warning.")
@click.option("-w", "--watch", is_flag=True, help="Go on printing events as they come.")
@options.output
@click.option("--no-headers", is_flag=True)
def command(**given: Any) -> None:
    """List events, oldest first."""
    session().run(lambda client: _events(client, given))


async def _events(client: Client, given: dict[str, Any]) -> None:
    namespace = "" if given["all_namespaces"] else given["namespace"]
    listing = await client.list(EVENTS, namespace)
    found = sorted((event for event in listing.items if _matches(event, given)), key=last_seen)
    show = printer(given["output"]) if given["output"] not in ("", "wide") else None
    if show:
        click.echo(show(as_list(found), EVENTS), nl=False)
    elif found:
        lines = [_line(event, given) for event in found]
        header = (["NAMESPACE"] if given["all_namespaces"] else []) + _HEADER
        click.echo(columns(lines if given["no_headers"] else [header, *lines]), nl=False)
    elif not given["watch"]:
        where = f" in {namespace} namespace." if namespace else ""
        click.echo(f"No events found{where}", err=True)
    if not given["watch"]:
        return
    watch = WatchOptions(resource_version=listing.resource_version)
    async with client.watch(EVENTS, namespace, options=watch) as batches:
        async for batch in batches:
            for event in batch:
                if event.type in ("ADDED", "MODIFIED") and _matches(event.object, given):
                    if show:
                        click.echo(show(event.object, EVENTS), nl=False)
                    else:
                        click.echo(columns([_line(event.object, given)]), nl=False)


def _matches(event: Object, given: dict[str, Any]) -> bool:
    if given["types"] and event.get("type", "").lower() not in given["types"].lower().split(","):
        return False
    if not given["about"]:
        return True
    kind, slash, name = given["about"].partition("/")
    if not slash:
        raise UserError("--for takes TYPE/NAME, such as pod/web-1")
    about = event["involvedObject"]
    singular = about.get("kind", "").lower()
    return about.get("name") == name and kind.lower().split(".")[0] in (singular, f"{singular}s")


def last_seen(event: Object) -> datetime:
    """When an event happened last."""
    series: Object = event.get("series") or {}
    for moment in (
        series.get("lastObservedTime"),
        event.get("lastTimestamp"),
        event.get("eventTime"),
        event["metadata"].get("creationTimestamp"),
    ):
        if moment:
            return parse_time(moment)
    return RealClock().now()


def _line(event: Object, given: dict[str, Any]) -> list[str]:
    about = event["involvedObject"]
    now = RealClock().now()
    age = human_duration((now - last_seen(event)).total_seconds())
    count = event.get("count") or 1
    seen = age
    if count > 1 and event.get("firstTimestamp"):
        first = human_duration((now - parse_time(event["firstTimestamp"])).total_seconds())
        seen = f"{age} (x{count} over {first})"
    cells = [
        seen,
        event.get("type") or "",
        event.get("reason") or "",
        f"{about.get('kind', '')}/{about.get('name', '')}",
        " ".join(str(event.get("message") or "").split()),
    ]
    return [event["metadata"].get("namespace") or "", *cells] if given["all_namespaces"] else cells
