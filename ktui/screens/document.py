"""A screen that shows one object as a text that follows it: what describe and YAML have in common.

In: a session and an `Item`; a subclass says how the object becomes text. The object (and, where asked, its events)
is watched; a change replaces the text in place, cursor and folds stay. `/` searches, `c` copies, esc goes back.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Footer

from ktui.client.base import WatchOptions
from ktui.kube.errors import StatusError
from ktui.kube.kinds import EVENTS, PODS
from ktui.kube.resource import Object, Resource
from ktui.screens.items import Item
from ktui.screens.save import ask_and_save, new_path
from ktui.screens.session import Session
from ktui.widgets.document_view import DocumentView
from ktui.widgets.prompt import Prompt, how_many_match
from ktui.widgets.split_line import Part, SplitLine

_SETTLE_SECONDS = 0.1
"""Changes that come together are shown together."""
_TICK_SECONDS = 10.0


class DocumentScreen(Screen[bool | None]):
    """An object as text, live. Its result is True when the user wants to edit the object."""

    CSS_PATH = "document.tcss"
    AUTO_FOCUS = "DocumentView"
    WITH_EVENTS: ClassVar[bool] = False
    WORD: ClassVar[str] = ""
    SUFFIX: ClassVar[str] = ".txt"
    """Of a file that the text is saved to."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", tooltip="Close the search, then the text"),
        Binding("q", "close", "Close the text", show=False),
        Binding("question_mark", "help", "Every key here", show=False),
        Binding("/", "search", "Search", key_display="/", priority=True, tooltip="Find a text or regex; n and N go along"),
        Binding("n", "find(1)", "Next match", show=False),
        Binding("N", "find(-1)", "Previous match", show=False),
        Binding("e", "edit", "Edit", tooltip="The object in your editor"),
        Binding("c", "copy", "Copy", tooltip="Copy the whole text"),
        Binding("ctrl+s", "save", "Save", show=False, tooltip="Write the text to a file"),
    ]  # fmt: skip

    def __init__(self, session: Session, item: Item, *, editable: bool = False) -> None:
        super().__init__()
        self.editable = editable
        self.session = session
        self.item = item
        self.resource: Resource = PODS if item.pod else item.resource
        self.name_of_object = item.pod or item.name
        self.obj: Object | None = None
        self.text = ""
        self._note: Part = ("loading…", "$text-muted")
        self._changed = asyncio.Event()

    async def write(self, obj: Object) -> str:
        """The object as text."""
        raise NotImplementedError

    def show(self, text: str) -> None:
        """Put the text into the view."""
        self.view.set_text(text)

    def compose(self) -> ComposeResult:
        yield SplitLine(id="document-title")
        yield Prompt(id="prompt")
        yield self.make_view()
        yield Footer(compact=True, show_command_palette=False)

    def make_view(self) -> DocumentView:
        """The widget that shows the text."""
        return DocumentView(id="document")

    @property
    def view(self) -> DocumentView:
        return self.query_one(DocumentView)

    @property
    def prompt(self) -> Prompt:
        return self.query_one(Prompt)

    def on_mount(self) -> None:
        self._tell()
        self._follow()
        self._write_changes()
        if self.WITH_EVENTS:
            self._follow_events()
            self.set_interval(_TICK_SECONDS, self._changed.set)

    # -- following -------------------------------------------------------------------------------------------

    @work(group="follow")
    async def _follow(self) -> None:
        client, namespace = self.session.client, self.item.namespace
        while True:
            try:
                self._take(await client.get(self.resource, self.name_of_object, namespace))
                assert self.obj is not None
                options = WatchOptions(
                    field_selector=f"metadata.name={self.name_of_object}",
                    resource_version=(self.obj.get("metadata") or {}).get("resourceVersion"),
                )
                async with client.watch(self.resource, namespace, options=options) as batches:
                    async for batch in batches:
                        for event in batch:
                            if event.type == "DELETED":
                                self._say((" deleted; this is how it was", "$text-warning"))
                            elif event.type != "BOOKMARK":
                                self._take(event.object)
            except StatusError as error:
                if error.is_not_found:
                    words = " deleted; this is how it was" if self.obj else f" {error.message}"
                    self._say((words, "$text-warning"))
                    return
                if not error.is_expired:
                    self._say((f" {error.message}", "$text-error"))
            except OSError as error:
                self._say((f" {error}", "$text-error"))
            await asyncio.sleep(1.0)

    @work(group="follow")
    async def _follow_events(self) -> None:
        item = self.item
        fields = f"involvedObject.name={self.name_of_object},involvedObject.kind={self.resource.kind}"
        while True:
            try:
                options = WatchOptions(field_selector=fields)
                async with self.session.client.watch(EVENTS, item.namespace, options=options) as batches:
                    async for _ in batches:
                        self._changed.set()
            except (StatusError, OSError):
                pass  # The object's own watch tells what is wrong; the text has the events as last read.
            await asyncio.sleep(2.0)

    def _take(self, obj: Object) -> None:
        self.obj = obj
        self._say((" ● live", "$text-success"))
        self._changed.set()

    @work(group="follow")
    async def _write_changes(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            if self.obj is not None:
                try:
                    self.text = await self.write(self.obj)
                except (StatusError, OSError) as error:
                    self._say((f" {error}", "$text-error"))
                else:
                    self.show(self.text)
                    self._tell()
            await asyncio.sleep(_SETTLE_SECONDS)

    def rewrite(self) -> None:
        """Write the text anew: a switch changed."""
        self._changed.set()

    # -- what is told ----------------------------------------------------------------------------------------

    def _say(self, note: Part) -> None:
        self._note = note
        self._tell()

    def on_document_view_moved(self) -> None:
        self._tell()

    def switches(self) -> list[Part]:
        """What a subclass has to tell in the title."""
        return []

    def _tell(self) -> None:
        if not self.is_attached:
            return
        view = self.view
        where = f"  {self.item.namespace}" if self.item.namespace else ""
        left: list[Part] = [
            (f"{self.WORD} ", "bold"),
            (self._path, "$text-accent bold"),
            (where, "$text-muted"),
        ]
        left += self.switches()
        if view.query_text is not None:
            found = how_many_match(len(view.matches), view.match_position)
            left.append((f"  /{view.query_text.text}  {found}", "$text-warning"))
        self.query_one("#document-title", SplitLine).show(left, [self._note])

    @property
    def _path(self) -> str:
        return f"{self.resource.singular or self.resource.kind.lower()}/{self.name_of_object}"

    # -- keys ------------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A `/` typed into the open prompt is text."""
        if action == "edit":
            return self.editable
        return not (action == "search" and self.prompt.is_open)

    def action_help(self) -> None:
        from ktui.screens.help import HelpScreen, binding_lines

        declared = [
            kind.BINDINGS
            for kind in type(self).__mro__
            if "BINDINGS" in vars(kind) and issubclass(kind, DocumentScreen)
        ]
        self.app.push_screen(HelpScreen("this text", binding_lines(*declared, DocumentView.BINDINGS)))

    def action_search(self) -> None:
        self.prompt.open("/", "")

    def on_prompt_typed(self, event: Prompt.Typed) -> None:
        self.view.set_search(event.text)

    def on_prompt_left(self, event: Prompt.Left) -> None:
        self.view.set_search(event.text)
        self.view.focus()

    def on_prompt_entered(self, event: Prompt.Entered) -> None:
        self.view.set_search(event.text)
        self.view.focus()
        self.view.find(1, here=True)

    def action_find(self, direction: int) -> None:
        if not self.view.find(direction):
            self.notify("No match; / starts a search", severity="warning")

    def action_back(self) -> None:
        if self.view.query_text is not None:
            self.view.set_search("")
        else:
            self.dismiss(None)

    def action_close(self) -> None:
        self.dismiss(None)

    def action_edit(self) -> None:
        self.dismiss(True)

    @work
    async def action_save(self) -> None:
        words = (self.item.namespace, self.resource.singular, self.name_of_object)
        path = new_path(words, self.SUFFIX, self.session.now())
        await ask_and_save(self.app, f"{len(self.view.lines)} lines", path, self.text + "\n")

    def action_copy(self) -> None:
        self.app.copy_to_clipboard(self.text)
        self.notify(f"Copied {len(self.view.lines)} lines", timeout=2)
