"""A workload's rollouts: how the present one goes, its revisions, and what each would change; undo to any.

In: the workload and its ReplicaSets or ControllerRevisions, read again whenever one of them changes. Out: a patch when the user goes
back to a revision.
"""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Sequence
from typing import Any, ClassVar

import yaml
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Footer, Label, Static

from ktui.client.base import PatchType, WatchOptions, WriteOptions
from ktui.client.rollout import read_revisions, rollout_status, undo_patch
from ktui.client.set_rollout import Revision
from ktui.kube.errors import StatusError
from ktui.kube.kinds import CONTROLLER_REVISIONS, DEPLOYMENTS, REPLICA_SETS
from ktui.kube.resource import Object
from ktui.screens.items import Item, columns_of, row_of
from ktui.screens.manifest_files import keepers_of
from ktui.screens.session import Session
from ktui.widgets.dialogs import Confirm
from ktui.widgets.table_model import Row
from ktui.widgets.virtual_table import VirtualTable


def _columns(keeper: str = REPLICA_SETS.kind) -> Sequence[Object]:
    """`keeper` is the kind that keeps the revisions."""
    return (
        {"name": "Revision", "type": "integer"},
        {"name": keeper},
        {"name": "Ready"},
        {"name": "Change"},
        {"name": "Images"},
        {"name": "Age"},
    )


def revision_rows(revisions: Sequence[Revision], now: float) -> list[Row]:
    """The revisions as rows of a table."""
    columns = columns_of(_columns(), namespaced=False)
    rows: list[Row] = []
    for revision in revisions:
        images = [c.get("image") or "" for c in (revision.template.get("spec") or {}).get("containers") or ()]
        cells: list[Any] = [
            revision.number,
            revision.name,
            f"{revision.ready}/{revision.replicas}" if revision.replicas else "-",
            "(current) " * revision.current + (revision.change_cause or "-"),
            ",".join(images),
            "",
        ]
        metadata = {"name": revision.name, "uid": revision.name, "creationTimestamp": revision.created}
        rows.append(
            row_of(
                REPLICA_SETS,
                columns,
                {"cells": cells, "object": {"metadata": metadata}},
                namespaced=False,
                now=now,
            )
        )
    return rows


def template_diff(old: Revision, new: Revision) -> list[str]:
    """What going from one revision to another changes in the pod template, as a unified diff of YAML."""
    return list(
        difflib.unified_diff(
            yaml.safe_dump(old.template, sort_keys=True).splitlines(),
            yaml.safe_dump(new.template, sort_keys=True).splitlines(),
            f"revision {old.number}",
            f"revision {new.number}",
            lineterm="",
        )
    )


def colour_diff(lines: Sequence[str]) -> Content:
    """A diff with its sides told apart by colour, and still by sign."""
    styles = {"+": "$text-success", "-": "$text-error", "@": "$text-accent"}
    return Content("\n").join(Content.styled(line, styles.get(line[:1], "")) for line in lines)


class RolloutScreen(Screen[None]):
    """Revisions above, the difference to the present one below."""

    CSS_PATH = "rollout.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "close", "Back"),
        Binding(
            "u", "undo", "Go back to this revision", tooltip="Roll the workload back to the row's revision"
        ),
    ]

    def __init__(self, session: Session, item: Item) -> None:
        super().__init__()
        self._session = session
        self._item = item
        self._deployment: Object = {}
        self._revisions: list[Revision] = []

    def compose(self) -> ComposeResult:
        yield Label(f"Rollouts of {self._item.path}", id="rollout-title", markup=False)
        yield Label("", id="rollout-status", markup=False)
        yield VirtualTable(now=self._session.now, id="revisions")
        with VerticalScroll(id="rollout-diff", can_focus=True), Vertical():
            yield Static("", id="rollout-diff-text")
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        table = self.query_one(VirtualTable)
        of_deployment = self._item.resource.key == DEPLOYMENTS.key
        keeper = REPLICA_SETS.kind if of_deployment else CONTROLLER_REVISIONS.kind
        table.model.set_columns(columns_of(_columns(keeper), namespaced=False))
        table.model.sort(0, descending=True)
        self._follow()

    @work
    async def _follow(self) -> None:
        client, item = self._session.client, self._item
        while True:
            try:
                await self._read()
                version = (self._deployment.get("metadata") or {}).get("resourceVersion")
                options = WatchOptions(field_selector=f"metadata.name={item.name}", resource_version=version)
                async with client.watch(item.resource, item.namespace, options=options) as batches:
                    async for _ in batches:
                        await self._read()
            except StatusError as error:
                if not error.is_expired:
                    self.query_one("#rollout-status", Label).update(error.message)
                    if error.is_not_found:
                        return
            except OSError as error:
                self.query_one("#rollout-status", Label).update(str(error))
            await asyncio.sleep(1.0)

    async def _read(self) -> None:
        item = self._item
        self._deployment = await self._session.client.get(item.resource, item.name, item.namespace)
        self._revisions = await read_revisions(self._session.client, self._deployment)
        message, done = rollout_status(self._deployment)
        status = self.query_one("#rollout-status", Label)
        status.update(message)
        status.set_class(not done, "-going")
        table = self.query_one(VirtualTable)
        rows = revision_rows(self._revisions, self._session.now())
        gone = {row.uid for row in table.model.all_rows()} - {row.uid for row in rows}
        table.apply(rows, gone)
        table.set_placeholder("No revisions yet")
        self._show_diff()

    def _chosen(self) -> Revision | None:
        row = self.query_one(VirtualTable).cursor_row
        return next((r for r in self._revisions if row is not None and r.name == row.uid), None)

    def on_virtual_table_cursor_moved(self) -> None:
        self._show_diff()

    def _show_diff(self) -> None:
        chosen = self._chosen()
        current = next((r for r in self._revisions if r.current), None)
        if chosen is None or current is None:
            text = Content("")
        elif chosen is current:
            before = next((r for r in self._revisions if r.number < current.number), None)
            text = (
                Content("This is what runs now.")
                if before is None
                else Content.assemble(
                    "What the present revision changed:\n", colour_diff(template_diff(before, current))
                )
            )
        else:
            lines = template_diff(current, chosen)
            heading = f"What going back to revision {chosen.number} (u) changes:\n"
            text = Content.assemble(heading, colour_diff(lines) if lines else "nothing")
        self.query_one("#rollout-diff-text", Static).update(text)

    @work
    async def action_undo(self) -> None:
        chosen, item = self._chosen(), self._item
        if chosen is None or chosen.current:
            self.notify("That revision is what runs now", severity="warning")
            return
        if (self._deployment.get("spec") or {}).get("paused"):
            self.notify(f"{item.path} is paused; resume it first", severity="warning", markup=False)
            return
        keepers = await keepers_of(self._session.client, self._session.catalog, [item.uid])
        question = Confirm(
            f"Go back to revision {chosen.number} of {item.path}?",
            keepers.warning,
            yes="Go back",
            option=keepers.option,
        )
        if not await self.app.push_screen_wait(question):
            return
        try:
            if question.ticked:
                await keepers.pause(self._session.client)
            await self._session.client.patch(
                item.resource, item.name, undo_patch(self._deployment, chosen), item.namespace,
                patch_type=PatchType.JSON, options=WriteOptions(field_manager="ktui-tui"),
            )  # fmt: skip
        except (StatusError, OSError) as error:
            self.notify(str(error), title="Undo failed", severity="error", markup=False)
        else:
            self.notify(f"{item.path} goes back to revision {chosen.number}", markup=False)

    def action_close(self) -> None:
        self.dismiss(None)
