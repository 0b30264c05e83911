"""The Textual App: paints first, then connects, then browses; ends with what to do about the cluster.

In: a `connect` coroutine that starts or reaches a cluster (called after the first paint), and settings. Out: the
app's return value, a `QuitChoice`. It imports Textual and screens only; what is heavy comes with `connect`.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import App
from textual.binding import Binding, BindingType
from textual.theme import Theme

from ktui.kube.errors import StatusError
from ktui.screens.browser import BrowserScreen
from ktui.screens.catalog import Catalog
from ktui.screens.palette import ActionCommands
from ktui.screens.session import Connect, Connection, Session
from ktui.widgets.dialogs import Choose

log = logging.getLogger(__name__)


class QuitChoice(StrEnum):
    """What happens to the cluster when the user leaves."""

    KEEP = "keep"
    """Stop ktui; pods go on and are taken up again at the next start."""
    SERVE = "serve"
    """Hand the cluster to a background `ktui serve`."""
    STOP = "stop"
    """Stop everything."""
    LEAVE = "leave"
    """The cluster is someone else's (attached, or a remote one): nothing is asked."""


_QUIT_TEXTS = {
    QuitChoice.KEEP: "Keep pods running, stop the control plane (the next ktui takes them up)",
    QuitChoice.SERVE: "Hand over to a background ktui serve: everything goes on",
    QuitChoice.STOP: "Stop everything: pods end, the stored objects stay",
    QuitChoice.LEAVE: "Leave",
}

DARK = Theme(
    name="ktui-dark", dark=True, primary="#3b78c2", secondary="#8a6fd1", accent="#5fb3d9",
    success="#6cc088", warning="#e0a83f", error="#e5626a",
    foreground="#d7dae0", background="#14171c", surface="#181c22", panel="#232932",
)  # fmt: skip
LIGHT = Theme(
    name="ktui-light", dark=False, primary="#8db7e8", secondary="#7a5cc4", accent="#0b6e99",
    success="#1b7f3b", warning="#a86400", error="#b3261e",
    foreground="#1c2128", background="#f3f4f6", surface="#fbfbfc", panel="#e4e8ee",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class AppSettings:
    """How the app starts and ends."""

    namespace: str = "default"
    command: str = "pods"
    """The `:` line that opens the first view."""
    theme: str = DARK.name
    quit_choices: Sequence[QuitChoice] = (QuitChoice.KEEP, QuitChoice.SERVE, QuitChoice.STOP)
    """What the quit dialog offers; a single one is not asked about."""
    debug: bool = False
    """Show a traceback when the UI itself fails."""


class KtuiApp(App[QuitChoice]):
    """ktui in a terminal."""

    TITLE = "ktui"
    ENABLE_COMMAND_PALETTE = True
    COMMANDS = App.COMMANDS | {ActionCommands}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "ask_quit", "Quit", show=False, priority=True),
    ]

    def __init__(
        self,
        connect: Connect,
        settings: AppSettings | None = None,
        *,
        now: Callable[[], float] | None = None,
    ) -> None:
        super().__init__()
        self.settings = settings or AppSettings()
        self.session = Session(
            namespace=self.settings.namespace, reconnect=self.start_connection, ask_quit=self.action_ask_quit
        )
        if now is not None:
            self.session.now = now
        self.fault: BaseException | None = None
        """What ended the app, if a fault did."""
        self._connect = connect
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.theme = self.settings.theme

    def on_mount(self) -> None:
        self.session.visit(self.settings.namespace)
        self.browser = BrowserScreen(self.session)
        self.push_screen(self.browser)
        self.call_after_refresh(self.start_connection)

    async def on_unmount(self) -> None:
        await self.session.forwards.close()
        if self.session.connection is not None:
            with suppress(StatusError):
                await self.session.connection.client.close()

    @work(exclusive=True, group="connect")
    async def start_connection(self) -> None:
        """Reach the cluster and show the first view; a failure is shown and may be tried again."""
        try:
            connection = await self._connect()
            resources = await connection.client.resources()
        except (StatusError, OSError, TimeoutError) as error:
            self.browser.show_failure(str(error) or type(error).__name__)
            return
        self.connected(connection, Catalog(resources))

    def connected(self, connection: Connection, catalog: Catalog) -> None:
        """Take a cluster into use."""
        self.session.connection = connection
        self.session.catalog = catalog
        self.browser.start(self.settings.command)

    def _fatal_error(self) -> None:
        """A fault nobody caught ends the app with one line; the traceback goes to the log (and `--debug`)."""
        self.fault = sys.exc_info()[1]
        log.critical("the terminal UI failed", exc_info=True)
        if self.settings.debug:
            super()._fatal_error()
            return
        line = (
            f"ktui: the terminal UI failed: {type(self.fault).__name__}: {self.fault} (--debug shows where)"
        )
        self._exit_renderables.append(Text(line))
        self._close_messages_no_wait()

    async def action_quit(self) -> None:
        """The palette's Quit asks as ctrl-q does."""
        self.action_ask_quit()

    def action_help_quit(self) -> None:
        """ctrl-c, with nothing selected to copy: what it does in k9s."""
        self.action_ask_quit()

    def action_ask_quit(self) -> None:
        """Ask what to do with the cluster, unless there is nothing to choose."""
        choices = list(self.settings.quit_choices)
        if self.session.connection is None or len(choices) < 2:
            self.exit(choices[0] if choices else QuitChoice.LEAVE)
            return

        def answered(choice: QuitChoice | None) -> None:
            if choice is not None:
                self.exit(choice)

        if not any(isinstance(screen, Choose) for screen in self.screen_stack):
            options = [(choice, _QUIT_TEXTS[choice]) for choice in choices]
            self.push_screen(Choose("Quit: what about the cluster?", options), answered)
