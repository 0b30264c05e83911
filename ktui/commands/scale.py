"""`ktui scale`: set a workload's number of replicas."""

from __future__ import annotations

from typing import Any

import click

from ktui.client.base import Client, WriteOptions
from ktui.commands import options
from ktui.commands.output import name_of
from ktui.commands.session import UserError, session
from ktui.commands.targets import ResourceIndex


@click.command("scale")
@click.argument("words", nargs=-1, required=True, metavar="TYPE NAME… | TYPE/NAME…")
@click.option("--replicas", type=click.IntRange(min=0), required=True, metavar="N")
@click.option(
    "--current-replicas", type=int, default=None, metavar="N", help="Only if this is the number now."
)
@options.namespace
@options.dry_run
def command(words: tuple[str, ...], **given: Any) -> None:
    """Set the number of replicas of a Deployment or ReplicaSet."""
    session().run(lambda client: _scale(client, words, given))


async def _scale(client: Client, words: tuple[str, ...], given: dict[str, Any]) -> None:
    for target in (await ResourceIndex.of(client)).targets(words):
        if not target.names:
            raise UserError("name the objects to scale, such as deployment/web")
        namespace = given["namespace"] if target.resource.namespaced else ""
        for name in target.names:
            scale = await client.get(target.resource, name, namespace, subresource="scale")
            current = scale["spec"].get("replicas", 0)
            if given["current_replicas"] not in (None, current):
                raise UserError(f"expected {given['current_replicas']} replicas, there are {current}")
            wanted = {**scale, "spec": {**scale["spec"], "replicas": given["replicas"]}}
            write = WriteOptions(field_manager="ktui-scale", dry_run=given["dry_run"] != "none")
            await client.update(target.resource, wanted, subresource="scale", options=write)
            obj = {"apiVersion": target.resource.api_version, "metadata": {"name": name}}
            dry = " (server dry run)" if given["dry_run"] != "none" else ""
            click.echo(f"{name_of(obj, target.resource)} scaled{dry}")
