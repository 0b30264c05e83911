"""One log line in full: when, from whom, and its text with nothing cut, JSON and logfmt a field a line."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Label, Static

from ktui.widgets.log_ansi import plain_text
from ktui.widgets.log_buffer import split_line
from ktui.widgets.log_format import pretty


class LogDetail(ModalScreen[None]):
    """Shows a line; `c` copies it."""

    DEFAULT_CSS = """
    LogDetail { align: center middle; }
    LogDetail > VerticalScroll {
        width: 90%; height: auto; max-height: 85%; padding: 0 1;
        background: $panel; border: round $primary;
    }
    LogDetail .head { color: $text-muted; margin-bottom: 1; }
    LogDetail Static { width: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "close", "Close"),
        Binding("c", "copy", "Copy"),
        Binding("down,j", "scroll(1)", show=False),
        Binding("up,k", "scroll(-1)", show=False),
    ]

    def __init__(self, source: str, raw: bytes) -> None:
        super().__init__()
        stamp, body = split_line(raw)
        text = body.decode("utf-8", "replace")
        self._head = "  ".join(part for part in (stamp.decode("ascii", "replace"), source) if part)
        self._text = "\n".join(plain_text(line) for line in pretty(text).splitlines())

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield Label(self._head, classes="head", markup=False)
            yield Static(Content(self._text))

    def action_close(self) -> None:
        self.dismiss(None)

    def action_copy(self) -> None:
        self.app.copy_to_clipboard(self._text)
        self.notify("Copied", timeout=2)

    def action_scroll(self, step: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=step, animate=False)
