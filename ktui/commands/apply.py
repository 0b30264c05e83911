"""`ktui apply`: server-side apply of manifests; mistakes are told at their line in the file."""

from __future__ import annotations

import sys
from typing import Any, Literal

import click

from ktui.client.base import Client, PatchType, WriteOptions
from ktui.commands import options
from ktui.commands.flags import Verb
from ktui.commands.output import name_of, printer
from ktui.commands.session import session
from ktui.commands.sources import Source, read_sources
from ktui.commands.targets import ResourceIndex
from ktui.kube.errors import StatusError
from ktui.kube.resource import Object

FIELD_MANAGER = "ktui-apply"
_VALIDATION: dict[str, Literal["Strict", "Warn", "Ignore"]] = {
    "strict": "Strict",
    "warn": "Warn",
    "ignore": "Ignore",
    "true": "Strict",
    "false": "Ignore",
}


@click.command("apply", cls=Verb)
@options.filenames
@options.recursive
@options.namespace
@options.dry_run
@options.output
@click.option("--server-side", is_flag=True, help="Accepted for kubectl's sake: ktui always applies there.")
@click.option("--force-conflicts", is_flag=True, help="Take fields that other managers own.")
@click.option("--field-manager", default=FIELD_MANAGER, show_default=True, metavar="NAME")
@click.option(
    "--validate",
    type=click.Choice(list(_VALIDATION)),
    default="strict",
    show_default=True,
    help="What to do about unknown fields.",
)
@click.pass_context
def command(context: click.Context, **given: Any) -> None:
    """Create objects, or change them to what the manifests say."""
    explicit = options.is_namespace_given(context)
    failed = session().run(lambda client: _apply(client, given, explicit_namespace=explicit))
    if failed:
        sys.exit(1)


async def _apply(client: Client, given: dict[str, Any], *, explicit_namespace: bool) -> bool:
    sources, mistakes = read_sources(
        given["filenames"],
        recursive=given["recursive"],
        index=await ResourceIndex.of(client),
        namespace=given["namespace"],
        explicit_namespace=explicit_namespace,
    )
    show = printer(given["output"]) if given["output"] else None
    write = WriteOptions(
        field_manager=given["field_manager"],
        force=given["force_conflicts"],
        dry_run=given["dry_run"] != "none",
        field_validation=_VALIDATION[given["validate"]],
    )
    for source in sources:
        try:
            before = await _version(client, source)
            if given["dry_run"] == "client":
                obj = source.object
            else:
                obj = await client.patch(
                    source.resource,
                    source.name,
                    source.object,
                    source.namespace,
                    patch_type=PatchType.APPLY,
                    options=write,
                )
        except StatusError as error:
            mistakes += source.explain(error)
            continue
        if show:
            click.echo(show(obj, source.resource), nl=False)
        else:
            click.echo(
                f"{name_of(obj, source.resource)} {_verdict(before, obj)}{options.dry_run_note(given['dry_run'])}"
            )
    for mistake in mistakes:
        click.echo(mistake, err=True)
    return bool(mistakes)


async def _version(client: Client, source: Source) -> str:
    try:
        obj = await client.get(source.resource, source.name, source.namespace)
    except StatusError as error:
        if error.is_not_found:
            return ""
        raise
    return obj["metadata"]["resourceVersion"]


def _verdict(before: str, obj: Object) -> str:
    if not before:
        return "created"
    return "unchanged" if obj["metadata"].get("resourceVersion") == before else "configured"
