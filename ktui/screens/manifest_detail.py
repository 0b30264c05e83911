"""One manifest file, live: its state, what is wrong with the source beside it, the objects it brought, its drift.

In: the `ManifestFile` record and, where the folder is on this machine, the file. Out: a text to read; enter on an
object goes to it, on a problem opens the file there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import work
from textual.binding import Binding, BindingType

from ktui.kube.resource import GroupVersionKind, Object
from ktui.screens.document import DocumentScreen
from ktui.screens.items import Item
from ktui.screens.manifest_files import excerpt, is_folder, is_paused, path_of
from ktui.screens.outside import edit_file
from ktui.screens.session import Session
from ktui.screens.tones import status_tone
from ktui.screens.view import View
from ktui.widgets.document_view import DocumentView, StyleOf
from ktui.widgets.log_ansi import plain_text

_MAX_SOURCE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Detail:
    """The text of a record, and what its lines stand for."""

    lines: list[str]
    positions: Mapping[int, int] = field(default_factory=dict[int, int])
    """Lines of the text about a line of the file."""
    objects: Mapping[int, Object] = field(default_factory=dict[int, Object])
    """Lines of the text about an object."""


def detail_of(record: Object, source: list[str]) -> Detail:
    """The text of a record; `source` is the file's, empty when it can't be read."""
    status: Object = record.get("status") or {}
    spec: Object = record.get("spec") or {}
    detail = Detail([], {}, {})
    positions: dict[int, int] = {}
    objects: dict[int, Object] = {}
    lines = detail.lines
    paused = " (paused)" if is_paused(record) and status.get("state") != "Paused" else ""
    lines += [f"File:     {path_of(record)}", f"State:    {status.get('state') or 'Pending'}{paused}"]
    lines.append(f"Applied:  {status.get('appliedAt') or '<never>'}")
    if status.get("message") and not status.get("problems"):
        lines.append(f"Message:  {status['message']}")
    prune: Object = status.get("prune") or {}
    if is_folder(record) and prune.get("objects"):
        lines += ["", "Waiting to be deleted (:prune asks):", *(f"  {name}" for name in prune["objects"])]
    for problem in status.get("problems") or ():
        line, column = int(problem.get("line") or 1), int(problem.get("column") or 1)
        where = f"{spec.get('path')}:{line}:{column}: "
        what = f"{problem['field']}: " if problem.get("field") else ""
        start = len(lines) + 1
        lines += ["", f"Problem: {where}{what}{problem.get('message')}"]
        lines += [f"  {text}" for text in excerpt(source, line, column)] if line <= len(source) else []
        positions.update(dict.fromkeys(range(start, len(lines)), line))
    brought: list[Object] = status.get("objects") or []
    if not is_folder(record):
        lines += ["", f"Objects:  {len(brought) or 'none'}"]
    for obj in brought:
        where = f"{obj.get('namespace')}/" if obj.get("namespace") else ""
        objects[len(lines)] = obj
        lines.append(f"  {obj.get('kind')} {where}{obj.get('name')}")
    if status.get("drift"):
        lines += ["", "Changed by hand and put back:", *(f"  {note}" for note in status["drift"])]
    return Detail(lines, positions, objects)


def read_source(path: Path) -> list[str]:
    """The file's lines; none when it is not here, or too big to show."""
    try:
        if path.stat().st_size > _MAX_SOURCE:
            return []
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def paint_detail(number: int, line: str, style: StyleOf) -> Text:
    """Labels, problems, the source and its caret in their colours."""
    line = plain_text(line)
    if line.startswith("Problem:"):
        return Text(line, style("bad"), end="")
    if line.startswith("  > ") or line.rstrip().endswith("| ^") or line.strip(" |") == "^":
        return Text(line, style("warn"), end="")
    label, colon, value = line.partition(":")
    if colon and not line.startswith(" "):
        tone = {"good": "string", "warn": "warn", "bad": "bad"}.get(
            status_tone(value.split("(")[0].strip()), ""
        )
        return Text.assemble((label + colon, style("key")), (value, style(tone) if tone else ""), end="")
    return Text(line, style("dim") if " | " in line else "", end="")


class ManifestScreen(DocumentScreen):
    """A manifest file in detail."""

    WORD: ClassVar[str] = "Manifest"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Open", tooltip="Go to the object, or open the file at the problem"),
        Binding("e", "edit", "Edit file", tooltip="Open the file in your editor, at its first problem"),
    ]

    def __init__(self, session: Session, item: Item) -> None:
        super().__init__(session, item, editable=True)
        self._detail = Detail([])
        self.goto: View | None = None
        """Where the browser is to go when the screen is left."""

    async def write(self, obj: Object) -> str:
        source = await asyncio.to_thread(read_source, path_of(obj)) if not is_folder(obj) else []
        self._detail = detail_of(obj, source)
        return "\n".join(self._detail.lines)

    def make_view(self) -> DocumentView:
        return DocumentView(paint_detail, id="document")

    @property
    def _path(self) -> str:
        return str(((self.obj or {}).get("spec") or {}).get("path") or self.item.name)

    def action_open(self) -> None:
        number = self.view.cursor_number
        brought = self._detail.objects.get(number)
        if brought is not None:
            self._go_to(brought)
        elif number in self._detail.positions:
            self._edit(self._detail.positions[number])

    def _go_to(self, brought: Object) -> None:
        resource = self.session.catalog.of_reference(brought)
        if resource is None:
            kind = GroupVersionKind.of(brought).kind
            self.notify(f"The cluster does not list the kind {kind}", severity="warning", markup=False)
            return
        self.goto = View(
            resource=resource,
            namespace=str(brought.get("namespace") or "") if resource.namespaced else "",
            field_selector=f"metadata.name={brought.get('name')}",
            about=self._path,
        )
        self.dismiss(None)

    def action_edit(self) -> None:
        self._edit(min(self._detail.positions.values(), default=0))

    @work
    async def _edit(self, line: int) -> None:
        if self.obj is None or is_folder(self.obj):
            return
        await open_file(self, path_of(self.obj), line)


async def open_file(screen: DocumentScreen, path: Path, line: int) -> None:
    """Open a manifest in the editor; what stands in the way is a notice."""
    try:
        await edit_file(screen.app, path, line)
    except OSError as error:
        screen.notify(str(error), title="Can't edit the file", severity="error", markup=False)
