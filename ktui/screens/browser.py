"""The browser: one live table on any kind, with the way in (`:`), down (enter) and back (esc).

The screen moves data: a view's `Source` feeds the `BrowserModel`, the table draws it, keys run actions of the
registry. What can be done is in `ktui.screens.actions`; what rows look like in `ktui.screens.items`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingsMap, BindingType
from textual.screen import Screen
from textual.widgets import Footer

from ktui.kube.errors import StatusError
from ktui.kube.kinds import PODS
from ktui.screens.actions import REGISTRY
from ktui.screens.actions.registry import Action, ActionContext
from ktui.screens.browser_model import BrowserModel
from ktui.screens.catalog import Catalog
from ktui.screens.cluster_bar import ClusterBar
from ktui.screens.command_line import (
    CommandError,
    Goto,
    Run,
    UnknownKindError,
    complete_command,
    parse_command,
)
from ktui.screens.crumbs import crumbs_of, namespace_keys
from ktui.screens.feed import Feed
from ktui.screens.live_table import Link
from ktui.screens.more_columns import with_more_columns
from ktui.screens.session import Session
from ktui.screens.view import Trail, View
from ktui.widgets.cut_cells import CutCells
from ktui.widgets.prompt import Prompt
from ktui.widgets.split_line import SplitLine
from ktui.widgets.virtual_table import VirtualTable

log = logging.getLogger(__name__)

_COMMAND, _FILTER = ":", "/"
_PATIENCE_SECONDS = 3.0
"""How long rows may take before the screen says that it waits."""


class BrowserScreen(Screen[None]):
    """Browses every kind the cluster serves."""

    CSS_PATH = "browser.tcss"
    TITLE = "Browse"
    AUTO_FOCUS = "VirtualTable"
    BINDING_GROUP_TITLE = "Browser"
    BINDINGS: ClassVar[list[BindingType]] = [
        # The app handles these before it forwards any further key: what is typed right after goes to the prompt.
        Binding(_COMMAND, "open_prompt('command')", "Command", key_display=":", priority=True),
        Binding(_FILTER, "open_prompt('filter')", "Filter", key_display="/", priority=True),
    ]
    registry: ClassVar = REGISTRY

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.model = BrowserModel(session.now)
        self.trail = Trail()
        self.view = View(resource=PODS, namespace=session.namespace)
        self.feed: Feed | None = None
        """Who may still tell this screen of rows: the source of the present view."""
        self._held = ""
        """A command that was typed before the cluster was there."""

    def compose(self) -> ComposeResult:
        yield ClusterBar(self.session)
        yield SplitLine(id="crumbs")
        yield Prompt(id="prompt")
        yield VirtualTable(self.model.table, now=self.session.now, id="table")
        yield CutCells()
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        self._bind()
        self.describe()

    @property
    def table(self) -> VirtualTable:
        return self.query_one(VirtualTable)

    @property
    def prompt(self) -> Prompt:
        return self.query_one(Prompt)

    def start(self, command: str) -> None:
        """The cluster is there: open the first view."""
        self.query_one(ClusterBar).start()
        held, self._held = self._held, ""
        self.command(held or command)

    def show_failure(self, message: str) -> None:
        """The cluster could not be reached."""
        self.model.open(self.view)
        self.show_link(Link.REFUSED, message)

    # -- views -----------------------------------------------------------------------------------------------

    def go(self, view: View) -> None:
        """Show a view as a new start (`:` commands)."""
        self._leave()
        self.trail.go(view)
        self._enter(view)

    def drill(self, view: View) -> None:
        """Show a view one level deeper; esc comes back."""
        self._leave()
        self.trail.drill(view)
        self._enter(view)

    def change_namespace(self, namespace: str) -> None:
        """The present kind in another namespace ("" is all)."""
        self.session.visit(namespace)
        if self.view.resource.namespaced:
            self._leave()
            view = View(resource=self.view.resource, namespace=namespace, filter=self.view.filter)
            self.trail.replace(view)
            self._enter(view)
        else:
            self.describe()

    def back(self) -> bool:
        """Close what is open: the filter, the marks, the view. False when there is nothing left to close."""
        if self.view.filter or self.view.only_trouble:
            self.view.only_trouble = False
            self.set_filter("")
        elif self.model.table.marks:
            self.table.clear_marks()
        else:
            self._leave()
            if not self.trail.back():
                return False
            self._enter(self.trail.stack[-1])
        return True

    def step_history(self, direction: int) -> None:
        self._leave()
        if self.trail.step(direction):
            self._enter(self.trail.stack[-1])

    def reload(self) -> None:
        """List anew, or try again to reach the cluster."""
        if self.session.connection is None:
            self.session.reconnect()
            return
        self._leave()
        self._enter(self.view)

    def set_filter(self, text: str) -> None:
        self.view.filter = text
        self.prompt.set_class(bool(self.model.refilter()), "-wrong")
        self.table.refresh_rows()
        self.describe()

    def _leave(self) -> None:
        if self.trail.stack:
            self.model.remember(self.table.cursor_row)

    def _enter(self, view: View) -> None:
        self.view = view
        self.feed = Feed(self, view.cursor)
        self.model.open(view)
        self.table.reset_cursor()
        self.table.refresh_rows()
        self._bind()
        self.describe()
        if self.session.connection is not None:
            self.query_one(ClusterBar).show_link(Link.LOADING)
            self._follow(view, self.feed)
            self.set_timer(_PATIENCE_SECONDS, partial(self._grow_impatient, self.feed))

    @work(exclusive=True, group="source")
    async def _follow(self, view: View, feed: Feed) -> None:
        client = self.session.client
        source = view.rows_of(client)
        if view.source is None:
            source = with_more_columns(source, client, self.session.catalog, view.resource, view.namespace)
        await feed.take(source)

    def _grow_impatient(self, feed: Feed) -> None:
        if self.feed is feed and self.model.link is Link.LOADING:
            self.model.problem = "The cluster takes its time; ctrl+r asks again, esc goes back"
            self.describe()

    def hears(self, feed: object) -> bool:
        """Whether a feed is the present view's."""
        return self.feed is feed

    def show_link(self, link: Link, message: str) -> None:
        """How the view stands with the cluster."""
        self.model.link, self.model.problem = link, message
        self.query_one(ClusterBar).show_link(link)
        self.describe()

    # -- actions ---------------------------------------------------------------------------------------------

    def _bind(self) -> None:
        own = self.registry.bindings(self.view.resource)
        self._bindings = BindingsMap.merge([own, type(self)._merged_bindings or BindingsMap()])
        self.refresh_bindings()

    def action_run(self, action_id: str, argument: str = "") -> None:
        """Run an action of the registry on the selection."""
        action = self.registry.get(action_id)
        if action is not None:
            self.run_action_of_registry(action, argument)

    def run_action_of_registry(self, action: Action, argument: str = "") -> None:
        items = self.model.items(self.table.cursor_row, marked=action.needs == "rows")
        if action.needs != "nothing" and not items:
            self.notify(f"There is no row to {action.title.lower()}", severity="warning")
            return
        if self.session.connection is None and action.needs != "nothing":
            return
        self._run(
            action,
            ActionContext(
                app=self.app,
                browser=self,
                session=self.session,
                registry=self.registry,
                items=items,
                argument=argument,
            ),
        )

    @work(group="actions")
    async def _run(self, action: Action, context: ActionContext) -> None:
        try:
            await action.run(context)
        except Exception as error:
            # Whatever an action meets, the browser goes on; what is no answer of the cluster is a fault to log.
            if not isinstance(error, StatusError | OSError):
                log.exception("action %s failed", action.id)
            text = str(error) or type(error).__name__
            self.notify(text, title=f"{action.title} failed", severity="error", markup=False)

    # -- prompt ----------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A `:` or `/` typed into the open prompt is text."""
        return not (action == "open_prompt" and self.prompt.is_open)

    def action_open_prompt(self, which: str) -> None:
        if which == "command":
            self.open_command()
        else:
            self.open_filter()

    def open_command(self, text: str = "") -> None:
        self.prompt.open(
            _COMMAND,
            text,
            lambda typed: complete_command(
                typed, self.session.catalog, self.registry, self.session.namespaces, self._arguments
            ),
        )

    def _arguments(self, action: Action) -> Sequence[str]:
        return action.arguments(self.app, self.session) if action.arguments else ()

    def open_filter(self) -> None:
        self.prompt.open(_FILTER, self.view.filter)

    def on_prompt_typed(self, event: Prompt.Typed) -> None:
        if event.mode == _FILTER:
            self.set_filter(event.text)

    def on_prompt_left(self, event: Prompt.Left) -> None:
        self.on_prompt_typed(event)
        self.table.focus()

    def on_prompt_entered(self, event: Prompt.Entered) -> None:
        self.on_prompt_typed(event)
        self.table.focus()
        if event.mode == _COMMAND and event.text.strip():
            self.command(event.text)

    def command(self, text: str) -> None:
        """Do what a `:` line says."""
        try:
            self.follow(parse_command(text, self.session.catalog, self.registry))
        except UnknownKindError:
            if self.session.connection is None:
                self._held = text
                self.describe()
            else:
                self.look_up(text)
        except CommandError as error:
            self.refuse(error)

    def refuse(self, error: CommandError) -> None:
        self.notify(str(error), title="No such command", severity="warning", markup=False)

    @work(exclusive=True, group="discovery")
    async def look_up(self, text: str) -> None:
        """Do a command on a kind that may have come since the cluster was asked what it serves."""
        if self.session.connection is not None:
            with suppress(StatusError, OSError, TimeoutError):
                self.session.catalog = Catalog(await self.session.connection.client.resources())
        try:
            self.follow(parse_command(text, self.session.catalog, self.registry))
        except CommandError as error:
            self.refuse(error)

    def follow(self, parsed: Goto | Run) -> None:
        """Do what was typed."""
        if not isinstance(parsed, Goto):
            self.run_action_of_registry(parsed.action, parsed.argument)
            return
        if parsed.namespace is not None:
            self.session.visit(parsed.namespace)
        namespace = self.session.namespace if parsed.resource.namespaced else ""
        self.go(View(resource=parsed.resource, namespace=namespace, filter=parsed.filter))

    # -- table and texts -------------------------------------------------------------------------------------

    def on_virtual_table_row_chosen(self) -> None:
        self.action_run("open")

    def on_virtual_table_changed(self) -> None:
        self.describe()

    def on_virtual_table_cursor_moved(self) -> None:
        self.query_one(CutCells).read(self.table)

    def describe(self) -> None:
        """Say anew what the lines around the table say."""
        crumbs = crumbs_of(self.trail, self.view, self.model)
        self.query_one("#crumbs", SplitLine).show(crumbs, namespace_keys(self.session))
        self.query_one(ClusterBar).show_namespace()
        placeholder = self.model.placeholder(self.session.manifests, self.session.namespaces)
        self.table.set_placeholder(placeholder + (f"\n:{self._held} follows" if self._held else ""))
        self.query_one(CutCells).read(self.table)
