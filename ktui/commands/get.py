"""`ktui get`: list or show objects, once or as they change."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from contextlib import AsyncExitStack
from typing import Any, TypeVar

import click

from ktui.client.base import Client, ListOptions, WatchOptions
from ktui.commands import options
from ktui.commands.flags import Verb
from ktui.commands.output import as_list, columns, is_table, print_table, printer, table_lines
from ktui.commands.session import UserError, session
from ktui.commands.sorting import sorted_by
from ktui.commands.targets import ResourceIndex, Target
from ktui.kube.errors import StatusError
from ktui.kube.resource import Object, ObjectKey, Resource

T = TypeVar("T")


@click.command("get", cls=Verb)
@click.argument("words", nargs=-1, metavar="TYPE[,TYPE] [NAME…] | TYPE/NAME…")
@options.scope
@options.selection
@options.output
@click.option("-w", "--watch", is_flag=True, help="Print changes as they come, after the list.")
@click.option("--watch-only", is_flag=True, help="Print changes only.")
@click.option("--sort-by", default="", metavar="PATH", help="Sort by a field: .metadata.creationTimestamp")
@click.option("--show-labels", is_flag=True, help="A last column with all labels.")
@click.option("-L", "--label-columns", multiple=True, metavar="KEY", help="A column with a label's value.")
@click.option("--no-headers", is_flag=True, help="Leave the header out.")
@click.option("--show-managed-fields", is_flag=True, help="Keep metadata.managedFields in YAML and JSON.")
@click.option("--ignore-not-found", is_flag=True, help="A missing object is no error.")
def command(words: tuple[str, ...], **given: Any) -> None:
    """List objects of a type, or show some by name."""
    session().run(lambda client: _Get(client, given).run(words))


class _Get:
    """One call of the verb."""

    def __init__(self, client: Client, given: dict[str, Any]) -> None:
        self._client = client
        self._given = given
        self._output: str = given["output"]
        self._failures: list[StatusError] = []
        self._namespace: str = "" if given["all_namespaces"] else given["namespace"]
        self._selection = ListOptions(
            label_selector=given["selector"], field_selector=given["field_selector"]
        )

    async def run(self, words: Sequence[str]) -> None:
        targets = (await ResourceIndex.of(self._client)).targets(words)
        if any(target.names for target in targets) and (
            self._given["selector"] or self._given["all_namespaces"]
        ):
            raise UserError("a resource cannot be retrieved by name across all namespaces or with a selector")
        if self._given["watch"] or self._given["watch_only"]:
            if len(targets) != 1 or len(targets[0].names) > 1:
                raise UserError("you may only watch one type of resource, or one object, at a time")
            await self._watch(targets[0])
        elif is_table(self._output):
            await self._print_tables(targets)
        else:
            await self._print_objects(targets)
        self._fail()

    async def _print_tables(self, targets: Sequence[Target]) -> None:
        mixed = len(targets) > 1
        blocks: list[tuple[str, Object]] = []
        for target in targets:
            table = await self._table(target)
            if table and table["rows"]:
                blocks.append((_prefix(target.resource) if mixed else "", table))
        if blocks:
            namespaced = self._given["all_namespaces"] and any(t.resource.namespaced for t in targets)
            text = print_table(
                blocks,
                wide=self._output == "wide",
                with_namespace=namespaced,
                headers=not self._given["no_headers"],
            )
            click.echo(text, nl=False)
        elif not self._failures and not self._given["ignore_not_found"]:
            is_namespaced = any(target.resource.namespaced for target in targets)
            where = f" in {self._namespace} namespace" if self._namespace and is_namespaced else ""
            click.echo(f"No resources found{where}" + ("." if where else ""), err=True)

    async def _found(self, calls: Sequence[Awaitable[T]]) -> list[T]:
        """What the calls answer; one that fails is kept for the end and the others go on, as in kubectl."""
        found: list[T] = []
        for call in calls:
            try:
                found.append(await call)
            except StatusError as error:
                if not (error.is_not_found and self._given["ignore_not_found"]):
                    self._failures.append(error)
        return found

    def _fail(self) -> None:
        for failure in self._failures[:-1]:
            click.echo(f"Error from server ({failure.reason}): {failure.message}", err=True)
        if self._failures:
            raise self._failures[-1]

    async def _table(self, target: Target) -> Object | None:
        resource = target.resource
        namespace = self._namespace if resource.namespaced else ""
        if not target.names:
            tables = await self._found([self._client.table(resource, namespace, options=self._selection)])
        else:
            calls = [self._client.table(resource, namespace, name=name) for name in target.names]
            tables = await self._found(calls)
        if not tables:
            return None
        table = {**tables[0], "rows": [row for one in tables for row in one["rows"]]}
        if self._given["sort_by"]:
            present = tuple(row["object"]["metadata"]["name"] for row in table["rows"])
            known = Target(resource, present) if target.names else target
            objects = {_key(item): item for item in await self._objects(known)}
            rows = [row for row in table["rows"] if _key(row["object"]) in objects]
            table = {
                **table,
                "rows": sorted_by(self._given["sort_by"], rows, lambda row: objects[_key(row["object"])]),
            }
        return self._with_labels(table)

    def _with_labels(self, table: Object) -> Object:
        keys: Sequence[str] = [key for keys in self._given["label_columns"] for key in keys.split(",")]
        if not keys and not self._given["show_labels"]:
            return table
        added = [{"name": key.rpartition("/")[2]} for key in keys]
        added += [{"name": "Labels"}] if self._given["show_labels"] else []
        rows = [{**row, "cells": [*row["cells"], *self._label_cells(row, keys)]} for row in table["rows"]]
        return {**table, "columnDefinitions": [*table["columnDefinitions"], *added], "rows": rows}

    def _label_cells(self, row: Object, keys: Sequence[str]) -> list[str]:
        labels: dict[str, str] = row["object"]["metadata"].get("labels") or {}
        cells = [labels.get(key, "") for key in keys]
        if self._given["show_labels"]:
            cells.append(",".join(f"{key}={value}" for key, value in sorted(labels.items())) or "<none>")
        return cells

    async def _objects(self, target: Target) -> list[Object]:
        resource = target.resource
        namespace = self._namespace if resource.namespaced else ""
        if target.names:
            return await self._found([self._client.get(resource, name, namespace) for name in target.names])
        lists = await self._found([self._client.list(resource, namespace, options=self._selection)])
        kind: Object = {"apiVersion": resource.api_version, "kind": resource.kind}
        return [{**kind, **item} for found in lists for item in found.items]

    async def _print_objects(self, targets: Sequence[Target]) -> None:
        show = printer(self._output, show_managed_fields=self._given["show_managed_fields"])
        found: list[tuple[Object, Resource]] = []
        for target in targets:
            found += [(item, target.resource) for item in await self._objects(target)]
        if self._given["sort_by"]:
            found = sorted_by(self._given["sort_by"], found, lambda pair: pair[0])
        is_one = len(targets) == 1 and len(targets[0].names) == 1
        if self._output == "name":
            text = "".join(show(item, resource) for item, resource in found)
        elif is_one and found:
            text = show(found[0][0], found[0][1])
        elif is_one:
            text = ""
        elif found or not self._failures:
            text = show(as_list([item for item, _ in found]), None)
        else:
            text = ""
        click.echo(text, nl=False)

    async def _watch(self, target: Target) -> None:
        resource, wide = target.resource, self._output == "wide"
        table_form = is_table(self._output)
        show = None if table_form else printer(self._output)
        namespace = self._namespace if resource.namespaced else ""
        field_selector = self._selection.field_selector
        if target.names:
            await self._client.get(resource, target.names[0], namespace)
            field_selector = ",".join(
                part for part in (field_selector, f"metadata.name={target.names[0]}") if part
            )
        selection = ListOptions(label_selector=self._selection.label_selector, field_selector=field_selector)
        listing = await self._client.list(resource, namespace, options=selection)
        version = listing.resource_version
        widths = _Widths(with_namespace=self._given["all_namespaces"] and resource.namespaced, wide=wide)
        if not self._given["watch_only"]:
            if show is None:
                table = self._with_labels(await self._client.table(resource, namespace, options=selection))
                click.echo(widths.first(table, headers=not self._given["no_headers"]), nl=False)
            else:
                for item in listing.items:
                    click.echo(show(item, resource), nl=False)
        while True:
            watch = WatchOptions(
                label_selector=selection.label_selector,
                field_selector=field_selector,
                resource_version=version,
            )
            async with AsyncExitStack() as stack:
                batches = await stack.enter_async_context(
                    self._client.watch(resource, namespace, options=watch, table=table_form)
                )
                async for batch in batches:
                    for event in batch:
                        obj = event.object
                        if event.type == "BOOKMARK":
                            version = obj["metadata"]["resourceVersion"]
                        elif show is None:
                            version = (obj.get("metadata") or {}).get("resourceVersion") or version
                            click.echo(widths.more(self._with_labels(obj)), nl=False)
                        else:
                            version = obj["metadata"]["resourceVersion"]
                            click.echo(show(obj, resource), nl=False)


class _Widths:
    """Keeps the columns of a watched table where they were."""

    def __init__(self, *, with_namespace: bool, wide: bool) -> None:
        self._options: dict[str, Any] = {"with_namespace": with_namespace, "wide": wide}
        self._widths: list[str] = []

    def first(self, table: Object, *, headers: bool) -> str:
        lines = table_lines(table, **self._options)
        self._widths = [max((line[index] for line in lines), key=len) for index in range(len(lines[0]))]
        return columns(lines if headers else lines[1:])

    def more(self, table: Object) -> str:
        lines = table_lines(table, **self._options)[1:]
        if not self._widths:
            return self.first(table, headers=True)
        return "".join(columns([self._widths, line]).split("\n", 1)[1] for line in lines)


def _key(obj: Object) -> ObjectKey:
    return ObjectKey.of(obj)


def _prefix(resource: Resource) -> str:
    return f"{resource.singular}.{resource.group}" if resource.group else resource.singular
