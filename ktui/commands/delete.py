"""`ktui delete`: remove objects by name, selector or manifest, and wait until they are gone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Literal, cast

import click

from ktui.client.base import Client, DeleteOptions, ListOptions, WatchOptions
from ktui.commands import options
from ktui.commands.flags import Duration, Verb
from ktui.commands.session import UserError, session
from ktui.commands.sources import read_sources
from ktui.commands.targets import ResourceIndex
from ktui.kube.errors import StatusError
from ktui.kube.resource import Object, Resource

_NOT_TO_BE_SEEN = ("Forbidden", "MethodNotAllowed")
"""Who may delete an object but not look at it can't wait for its end, which is no failure."""
_CASCADES = {"background": "Background", "foreground": "Foreground", "orphan": "Orphan"}


@click.command("delete", cls=Verb)
@click.argument("words", nargs=-1, metavar="TYPE NAME… | TYPE/NAME… | -f FILE")
@options.filenames
@options.recursive
@options.scope
@options.selection
@click.option("--all", "everything", is_flag=True, help="All objects of the type in the namespace.")
@click.option("--cascade", type=click.Choice(list(_CASCADES)), default="background", show_default=True)
@click.option("--grace-period", type=int, default=-1, metavar="SECONDS", help="-1: the object's own.")
@click.option("--now", "at_once", is_flag=True, help="A grace period of one second.")
@click.option("--force", is_flag=True, help="With --grace-period=0: do not wait for confirmation.")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Return when the objects are gone.")
@click.option(
    "--timeout", type=Duration(), default=0.0, metavar="DURATION", help="30s, 5m; 0: as long as it takes."
)
@click.option("--ignore-not-found", is_flag=True)
@options.dry_run
@click.option("-o", "--output", type=click.Choice(["", "name"]), default="", help="name: print names only.")
@click.pass_context
def command(context: click.Context, words: tuple[str, ...], **given: Any) -> None:
    """Delete objects by names, by selector, or those in manifests."""
    explicit = options.is_namespace_given(context)
    session().run(lambda client: _Delete(client, given).run(words, explicit))


class _Delete:
    """One call of the verb."""

    def __init__(self, client: Client, given: dict[str, Any]) -> None:
        self._client = client
        self._given = given
        grace: int = 1 if given["at_once"] else given["grace_period"]
        if given["at_once"] and given["grace_period"] >= 0:
            raise UserError("--now and --grace-period cannot be specified together")
        if given["force"] and grace > 0:
            raise UserError("--force and --grace-period greater than 0 cannot be specified together")
        if given["force"]:
            grace = 0
        elif grace == 0:
            grace = 1  # as kubectl has it: without --force a pod gets a moment to end
        self._options = DeleteOptions(
            grace_period_seconds=grace if grace >= 0 else None,
            propagation_policy=cast(
                Literal["Background", "Foreground", "Orphan"], _CASCADES[given["cascade"]]
            ),
            dry_run=given["dry_run"] != "none",
        )

    async def run(self, words: Sequence[str], explicit_namespace: bool) -> None:
        if self._given["filenames"]:
            chosen = await self._from_files(explicit_namespace)
        else:
            chosen = await self._from_words(words)
        deleted: list[tuple[Resource, str, str, str]] = []
        failures: list[StatusError] = []
        for resource, namespace, name in chosen:
            try:
                if self._given["dry_run"] == "client":
                    answer = await self._client.get(resource, name, namespace)
                else:
                    answer = await self._client.delete(resource, name, namespace, options=self._options)
            except StatusError as error:
                if not (error.is_not_found and self._given["ignore_not_found"]):
                    failures.append(error)
                continue
            deleted.append((resource, namespace, name, _uid(answer)))
            self._say(resource, name)
        if self._given["wait"] and not self._options.dry_run:
            await self._wait(deleted)
        for failure in failures[:-1]:
            click.echo(f"Error from server ({failure.reason}): {failure.message}", err=True)
        if failures:
            raise failures[-1]

    def _say(self, resource: Resource, name: str) -> None:
        kind = f"{resource.singular}.{resource.group}" if resource.group else resource.singular
        if self._given["output"] == "name":
            click.echo(f"{kind}/{name}")
            return
        forced = " force" if self._given["force"] else ""
        dry = options.dry_run_note(self._given["dry_run"])
        click.echo(f'{kind} "{name}"{forced} deleted{dry}')

    async def _from_files(self, explicit_namespace: bool) -> list[tuple[Resource, str, str]]:
        sources, mistakes = read_sources(
            self._given["filenames"],
            recursive=self._given["recursive"],
            index=await ResourceIndex.of(self._client),
            namespace=self._given["namespace"],
            explicit_namespace=explicit_namespace,
        )
        if mistakes:
            raise UserError("; ".join(mistakes))
        return [(source.resource, source.namespace, source.name) for source in reversed(sources)]

    async def _from_words(self, words: Sequence[str]) -> list[tuple[Resource, str, str]]:
        chosen: list[tuple[Resource, str, str]] = []
        for target in (await ResourceIndex.of(self._client)).targets(words):
            namespace = self._given["namespace"] if target.resource.namespaced else ""
            by_selection = (
                self._given["selector"] or self._given["field_selector"] or self._given["everything"]
            )
            if target.names and by_selection:
                raise UserError("name cannot be provided when a selector or --all is specified")
            if not target.names and not by_selection:
                raise UserError(
                    "resource(s) were provided, but no name, label selector, or --all flag specified"
                )
            if target.names:
                chosen += [(target.resource, namespace, name) for name in target.names]
                continue
            if self._given["all_namespaces"]:
                namespace = ""
            selection = ListOptions(
                label_selector=self._given["selector"], field_selector=self._given["field_selector"]
            )
            for item in (await self._client.list(target.resource, namespace, options=selection)).items:
                metadata = item["metadata"]
                chosen.append((target.resource, metadata.get("namespace") or "", metadata["name"]))
        if not chosen:
            click.echo("No resources found", err=True)
        return chosen

    async def _wait(self, deleted: Sequence[tuple[Resource, str, str, str]]) -> None:
        async def all_gone() -> None:
            for resource, namespace, name, uid in deleted:
                try:
                    await _until_gone(self._client, resource, namespace, name, uid)
                except StatusError as error:
                    if error.reason not in _NOT_TO_BE_SEEN:
                        raise

        try:
            await asyncio.wait_for(all_gone(), self._given["timeout"] or None)
        except TimeoutError:
            raise UserError("timed out waiting for the objects to be gone") from None


def _uid(answer: Object) -> str:
    """Which object was deleted: a lingering one is answered with, of one that is gone there is a `Status`."""
    about: Object = answer.get("details") or {} if answer.get("kind") == "Status" else answer["metadata"]
    return about.get("uid") or ""


async def _until_gone(client: Client, resource: Resource, namespace: str, name: str, uid: str) -> None:
    while True:
        try:
            obj = await client.get(resource, name, namespace)
        except StatusError as error:
            if error.is_not_found:
                return
            raise
        if uid and obj["metadata"]["uid"] != uid:
            return
        watch = WatchOptions(
            field_selector=f"metadata.name={name}", resource_version=obj["metadata"]["resourceVersion"]
        )
        async with client.watch(resource, namespace, options=watch) as batches:
            async for batch in batches:
                if any(event.type == "DELETED" for event in batch):
                    return
