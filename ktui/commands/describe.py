"""`ktui describe`: an object in detail, with what relates to it and its events."""

from __future__ import annotations

from typing import Any

import click

from ktui.client.base import Client, ListOptions
from ktui.commands import options
from ktui.commands.flags import Verb
from ktui.commands.session import session
from ktui.commands.targets import ResourceIndex
from ktui.describe import describe
from ktui.kube.clock import RealClock
from ktui.kube.errors import StatusError, not_found
from ktui.kube.resource import Object, Resource


@click.command("describe", cls=Verb)
@click.argument("words", nargs=-1, metavar="TYPE [NAME…] | TYPE/NAME…")
@options.scope
@options.selection
def command(words: tuple[str, ...], **given: Any) -> None:
    """Show objects in detail. A name that is none is taken as the beginning of names."""
    session().run(lambda client: _describe(client, words, given))


async def _describe(client: Client, words: tuple[str, ...], given: dict[str, Any]) -> None:
    namespace: str = "" if given["all_namespaces"] else given["namespace"]
    selection = ListOptions(label_selector=given["selector"], field_selector=given["field_selector"])
    texts: list[str] = []
    for target in (await ResourceIndex.of(client)).targets(words):
        place = namespace if target.resource.namespaced else ""
        found: list[Object] = []
        for name in target.names:
            found += await _by_name(client, target.resource, name, place)
        if not target.names:
            found = (await client.list(target.resource, place, options=selection)).items
        for obj in found:
            texts.append(await describe(client, target.resource, obj, now=RealClock().now().astimezone()))
    if not texts:
        where = f" in {namespace} namespace." if namespace else ""
        click.echo(f"No resources found{where}", err=True)
    click.echo("\n\n".join(texts), nl=False)


async def _by_name(client: Client, resource: Resource, name: str, namespace: str) -> list[Object]:
    try:
        return [await client.get(resource, name, namespace)]
    except StatusError as error:
        if not error.is_not_found:
            raise
    listing = await client.list(resource, namespace)
    found = [item for item in listing.items if item["metadata"]["name"].startswith(name)]
    if not found:
        raise not_found(resource, name)
    return found
