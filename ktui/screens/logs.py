"""Logs, live: one container's, a pod's, or those of all pods of a workload interleaved by time.

In: a `LogTarget`. The streams feed a buffer on disk, the view draws what fits; this screen binds keys to the view
and says in two lines what is shown: whose log, how much of it, what hides or finds lines.
"""

from __future__ import annotations

from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Footer

from ktui.kube.errors import StatusError
from ktui.screens.log_feed import LogFeed
from ktui.screens.log_save import default_path, save_lines
from ktui.screens.log_streams import LogScope, LogStreams, LogTarget
from ktui.screens.session import Session
from ktui.widgets.dialogs import AskText, Choose
from ktui.widgets.log_buffer import LogBuffer
from ktui.widgets.log_detail import LogDetail
from ktui.widgets.log_paint import plain_line
from ktui.widgets.log_view import LogView
from ktui.widgets.prompt import Prompt, how_many_match
from ktui.widgets.split_line import Part, SplitLine

DEFAULT_TAIL = 10_000
_SCOPES: tuple[tuple[str, LogScope], ...] = (
    ("Last minute", LogScope(since_seconds=60)),
    ("Last 5 minutes", LogScope(since_seconds=300)),
    ("Last 15 minutes", LogScope(since_seconds=900)),
    ("Last hour", LogScope(since_seconds=3600)),
    ("Last 100 lines", LogScope(tail=100)),
    ("Last 1,000 lines", LogScope(tail=1000)),
    ("Last 10,000 lines", LogScope(tail=DEFAULT_TAIL)),
    ("Everything", LogScope()),
)
_SEARCH, _FILTER = "/", "&"
_CONTEXTS = (0, 1, 2, 3, 5, 10, 20)


class LogsScreen(Screen[None]):
    """Follows a target's logs until it is left."""

    CSS_PATH = "logs.tcss"
    AUTO_FOCUS = "LogView"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", tooltip="Close the search, the filter, the logs"),
        Binding("q", "close", "Close the log", show=False),
        Binding("question_mark", "help", "Every key here", show=False),
        Binding("f", "follow", "Follow", tooltip="Stay at the end as lines come, or stay here"),
        Binding(_SEARCH, "open_prompt('/')", "Search", key_display="/", priority=True, tooltip="Find a text or regex; n and N go along the matches"),
        Binding("n", "find(1)", "Next match", show=False),
        Binding("N", "find(-1)", "Previous match", show=False),
        Binding(_FILTER, "open_prompt('&')", "Filter", key_display="&", priority=True, tooltip="Show only lines that match; !text those that don't"),
        Binding("plus,equals_sign", "context(1)", "More context", show=False, tooltip="More lines around each match of the filter"),
        Binding("minus", "context(-1)", "Less context", show=False, tooltip="Fewer lines around each match of the filter"),
        Binding("w", "wrap", "Wrap", tooltip="Long lines over several rows, or cut"),
        Binding("t", "timestamps", "Times", tooltip="Show when each line was written"),
        Binding("s", "scope", "Since", tooltip="How much of the log: the last minutes, lines, everything"),
        Binding("o", "container", "Container", tooltip="One container or all of them"),
        Binding("p", "previous", "Previous", tooltip="The log of the run before the last restart"),
        Binding("v", "raw", "Raw", show=False, tooltip="JSON and logfmt lines as they are, or compact"),
        Binding("enter", "expand", "Expand", show=False, tooltip="The whole line: JSON indented, nothing cut"),
        Binding("m", "mark", "Mark", show=False, tooltip="Mark the line, or unmark it"),
        Binding("right_square_bracket", "next_mark(1)", "Next mark", show=False),
        Binding("left_square_bracket", "next_mark(-1)", "Previous mark", show=False),
        Binding("c", "copy", "Copy", show=False, tooltip="Copy the marked lines, or this one"),
        Binding("ctrl+s", "save", "Save", tooltip="Write the shown lines to a file"),
    ]  # fmt: skip

    def __init__(self, session: Session, target: LogTarget, scope: LogScope | None = None) -> None:
        super().__init__()
        self.session = session
        self.target = target
        self.scope = scope or LogScope(tail=DEFAULT_TAIL)
        self.buffer = LogBuffer()
        self.feed = LogFeed(self.buffer, self._lines_came)
        self._all = target
        self._containers: list[str] = []
        self._state = "connecting"

    def compose(self) -> ComposeResult:
        yield SplitLine(id="logs-title")
        yield Prompt(id="prompt")
        yield LogView(self.buffer, id="log")
        yield SplitLine(id="logs-status")
        yield Footer(compact=True, show_command_palette=False)

    @property
    def view(self) -> LogView:
        return self.query_one(LogView)

    @property
    def prompt(self) -> Prompt:
        return self.query_one(Prompt)

    def on_mount(self) -> None:
        self._stream()
        self._tell()

    def on_unmount(self) -> None:
        self.buffer.close()

    # -- streaming -------------------------------------------------------------------------------------------

    def _restart(self) -> None:
        """Read anew: another scope or container."""
        self.workers.cancel_group(self, "stream")
        self.buffer.clear()
        self.feed = LogFeed(self.buffer, self._lines_came)
        self.view.reset()
        self._stream()
        self._tell()

    @work(exclusive=True, group="stream")
    async def _stream(self) -> None:
        feed = self.feed
        self._state = "connecting"
        pump = self.run_worker(feed.run(), group="pump", exclusive=True)
        try:
            await LogStreams(self.session.client, self.target, self.scope, feed).run()
        except* (StatusError, OSError, ValueError) as group:
            self._state = "stopped"
            text = str(group.exceptions[0])
            feed.note(None, text)
            feed.flush()
        finally:
            if self.feed is not feed:
                pump.cancel()
        self._tell()

    def _lines_came(self) -> None:
        if not self.is_attached:
            return
        self._state = "live"
        self.view.model.sources = self.feed.names
        several = len(self.feed.names) > 1
        if several != self.view.model.look.sources:
            self.view.set_look(sources=several)
        self._containers = list(dict.fromkeys([*self._containers, *self.feed.containers]))
        self.view.changed()

    # -- what is told ----------------------------------------------------------------------------------------

    def on_log_view_changed(self) -> None:
        self._tell()

    def _tell(self) -> None:
        if not self.is_attached:
            return
        view, counts = self.view, self.view.counts
        scope = "previous run" if self.scope.previous else scope_title(self.scope)
        title: list[Part] = [("Logs ", "bold"), (self.target.title, "$text-accent bold"), f"  {scope}"]
        if len(self.feed.pods) > 1:
            title.append((f"  {len(self.feed.pods)} containers", "$text-muted"))
        following: Part = (
            (" ● following", "$text-success") if view.follow else (" ❙❙ paused (f follows)", "$text-warning")
        )
        if self.scope.previous or self._state == "stopped":
            following = (" ended", "$text-muted")
        self.query_one("#logs-title", SplitLine).show(title, [following])
        left: list[Part] = [f"{counts.lines:,} line{'' if counts.lines == 1 else 's'}"]
        if counts.dropped:
            left.append((f"  {counts.dropped:,} older lines dropped", "$text-warning bold"))
        if view.model.filter is not None:
            around = f" ±{view.model.context}" if view.model.context else ""
            left.append(
                (f"  &{view.model.filter.query.text}{around}  {counts.shown:,} shown", "$text-warning")
            )
        if view.model.search is not None:
            found = how_many_match(counts.matches or 0, counts.match_position)
            left.append((f"  /{view.model.search.query.text}  {found}", "$text-accent"))
        if counts.scanning:
            left.append((f"  searching, {counts.scanning:,} to go", "$text-muted"))
        if view.model.marks:
            left.append((f"  {len(view.model.marks)} marked", "$text-secondary"))
        switches = [
            ("wrap", view.wrap),
            ("times", view.model.look.timestamps),
            ("raw", not view.model.look.compact),
        ]
        right: list[Part] = [(f" {name}", "$text-muted") for name, on in switches if on]
        self.query_one("#logs-status", SplitLine).show(left, right)

    # -- keys ------------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """`/` and `&` typed into the open prompt are text."""
        return not (action == "open_prompt" and self.prompt.is_open)

    def action_help(self) -> None:
        from ktui.screens.help import HelpScreen, binding_lines

        self.app.push_screen(HelpScreen("a log", binding_lines(self.BINDINGS, LogView.BINDINGS)))

    def action_open_prompt(self, mode: str) -> None:
        matches = self.view.model.filter if mode == _FILTER else None
        self.prompt.open(mode, matches.query.text if matches else "")

    def on_prompt_typed(self, event: Prompt.Typed) -> None:
        if event.mode == _FILTER:
            self.view.set_filter(event.text)
        else:
            self.view.set_search(event.text)

    def on_prompt_left(self, event: Prompt.Left) -> None:
        self.on_prompt_typed(event)
        self.view.focus()

    def on_prompt_entered(self, event: Prompt.Entered) -> None:
        self.view.focus()
        self.on_prompt_typed(event)
        if event.mode == _SEARCH and event.text:
            self.view.find(-1 if self.view.follow else 1)

    def action_back(self) -> None:
        if self.view.model.search is not None:
            self.view.set_search("")
        elif self.view.model.filter is not None:
            self.view.set_filter("")
        else:
            self.dismiss(None)

    def action_close(self) -> None:
        self.dismiss(None)

    def action_follow(self) -> None:
        self.view.set_follow(not self.view.follow)

    def action_find(self, direction: int) -> None:
        if not self.view.find(direction):
            self.notify("Nothing is searched for; / starts a search", severity="warning")

    def action_context(self, step: int) -> None:
        if self.view.model.filter is None:
            self.notify("Context is shown around the matches of a filter; & starts one", severity="warning")
            return
        at = _CONTEXTS.index(self.view.model.context) + step
        self.view.set_context(_CONTEXTS[max(0, min(at, len(_CONTEXTS) - 1))])

    def action_wrap(self) -> None:
        self.view.set_wrap(not self.view.wrap)

    def action_timestamps(self) -> None:
        self.view.set_look(timestamps=not self.view.model.look.timestamps)

    def action_raw(self) -> None:
        self.view.set_look(compact=not self.view.model.look.compact)

    def action_mark(self) -> None:
        self.view.toggle_mark()

    def action_next_mark(self, direction: int) -> None:
        if not self.view.go_to_mark(direction):
            self.notify("No line is marked; m marks one", severity="warning")

    def action_previous(self) -> None:
        self.scope = LogScope(tail=DEFAULT_TAIL) if self.scope.previous else LogScope(previous=True)
        self._restart()

    def action_scope(self) -> None:
        def chosen(scope: LogScope | None) -> None:
            if scope is not None:
                self.scope = scope
                self._restart()

        choices = [(scope, title) for title, scope in _SCOPES]
        self.app.push_screen(Choose(f"How much of {self.target.title}?", choices), chosen)

    def action_container(self) -> None:
        def chosen(container: str | None) -> None:
            if container is not None:
                self.target = LogTarget(
                    resource=self._all.resource,
                    namespace=self._all.namespace,
                    name=self._all.name,
                    container=container,
                )
                self._restart()

        choices = [("", "All containers"), *((name, name) for name in self._containers)]
        self.app.push_screen(Choose("Which container?", choices), chosen)

    def action_expand(self) -> None:
        line = self.view.cursor_line
        if line is not None:
            self.app.push_screen(LogDetail(line[1], line[2]))

    def on_log_view_line_chosen(self) -> None:
        self.action_expand()

    def action_copy(self) -> None:
        numbers = sorted(self.view.model.marks)
        cursor = self.view.cursor_line
        if cursor is None:
            return
        lines = [line for number in numbers for line in self.buffer.read(number, number + 1)] or [cursor[2]]
        times = self.view.model.look.timestamps
        self.app.copy_to_clipboard("\n".join(plain_line(line, timestamps=times) for line in lines))
        self.notify(f"Copied {len(lines)} line{'s' if len(lines) > 1 else ''}", timeout=2)

    @work
    async def action_save(self) -> None:
        path = default_path(self.target, self.session.now())
        shown = self.view.model.shown_numbers()
        question = AskText(f"Save {len(shown):,} lines to", value=str(path))
        answer = await self.app.push_screen_wait(question)
        if not answer:
            return
        try:
            written, where = await save_lines(self.view.model, shown, answer)
        except OSError as error:
            self.notify(
                f"{error.strerror or error}: {answer}", title="Not saved", severity="error", markup=False
            )
        else:
            self.notify(f"Saved {written:,} lines to {where}", markup=False)


def scope_title(scope: LogScope) -> str:
    """How much of a log, in words."""
    return next((title.lower() for title, known in _SCOPES if known == scope), "everything")
