"""A box to tick, told by a sign and not by colour alone: `[ ] text`, `[x] text`."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget


class Tick(Widget, can_focus=True):
    """Toggled with space or the mouse; enter is left to the dialog around it."""

    DEFAULT_CSS = """
    Tick { height: auto; width: 1fr; margin-top: 1; }
    Tick:focus { background: $primary; color: $foreground; text-style: bold; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("space", "tick", "Tick", show=False)]
    ticked: reactive[bool] = reactive(False)

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def render(self) -> Content:
        return Content(f"[{'x' if self.ticked else ' '}] {self._text}")

    def action_tick(self) -> None:
        self.ticked = not self.ticked

    def on_click(self) -> None:
        self.action_tick()
