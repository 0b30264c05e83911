"""What actions and feeds may ask of the browser: the screen's outside, so that neither has to know the screen."""

from __future__ import annotations

from typing import Protocol

from textual.notifications import SeverityLevel

from ktui.screens.browser_model import BrowserModel
from ktui.screens.live_table import Link
from ktui.screens.view import View
from ktui.widgets.virtual_table import VirtualTable


class Browser(Protocol):
    """A screen that shows one view at a time."""

    model: BrowserModel
    view: View

    @property
    def table(self) -> VirtualTable: ...

    @property
    def is_attached(self) -> bool: ...

    def go(self, view: View) -> None: ...

    def drill(self, view: View) -> None: ...

    def back(self) -> bool: ...

    def step_history(self, direction: int) -> None: ...

    def change_namespace(self, namespace: str) -> None: ...

    def set_filter(self, text: str) -> None: ...

    def open_command(self) -> None: ...

    def open_filter(self) -> None: ...

    def reload(self) -> None: ...

    def hears(self, feed: object) -> bool:
        """Whether a feed is the present view's."""
        ...

    def describe(self) -> None: ...

    def show_link(self, link: Link, message: str) -> None: ...

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = True,
    ) -> None: ...
