"""`ktui scale`: set a workload's number of replicas."""

from __future__ import annotations

from typing import Any

import click

from ktui.client.base import Client, PatchType, WriteOptions
from ktui.commands import options
from ktui.commands.flags import Verb
from ktui.commands.output import name_of
from ktui.commands.session import UserError, session
from ktui.commands.targets import ResourceIndex
from ktui.kube.resource import Object, Resource


@click.command("scale", cls=Verb)
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
        for name in target.names:
            await _set_replicas(client, target.resource, name, given)
            obj = {"apiVersion": target.resource.api_version, "metadata": {"name": name}}
            dry = options.dry_run_note(given["dry_run"])
            click.echo(f"{name_of(obj, target.resource)} scaled{dry}")


async def _set_replicas(client: Client, resource: Resource, name: str, given: dict[str, Any]) -> None:
    """Whatever the number is now; or only if it is the expected one, which a version in the write makes sure of."""
    namespace = given["namespace"] if resource.namespaced else ""
    write = WriteOptions(field_manager="ktui-scale", dry_run=given["dry_run"] != "none")
    change: Object = {"spec": {"replicas": given["replicas"]}}
    expected = given["current_replicas"]
    if expected is not None:
        scale = await client.get(resource, name, namespace, subresource="scale")
        current = scale["spec"].get("replicas", 0)
        if current != expected:
            raise UserError(f"expected {expected} replicas, there are {current}")
        change["metadata"] = {"resourceVersion": scale["metadata"]["resourceVersion"]}
    if given["dry_run"] == "client":
        await client.get(resource, name, namespace, subresource="scale")
        return
    await client.patch(
        resource, name, change, namespace, patch_type=PatchType.MERGE, subresource="scale", options=write
    )
