"""Some lines to read on top of a screen, that can be copied."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Label

from ktui.widgets.dialogs import FRAME


class Note(ModalScreen[None]):
    """Shows them until esc, q or enter."""

    DEFAULT_CSS = f"""
    Note {{ {FRAME} }}
    Note > .dialog {{ width: 90; }}
    Note .dialog--body {{ max-height: 24; }}
    Note .note--hint {{ margin-top: 1; color: $text-muted; }}
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "close", "Close"),
        Binding("c", "copy", "Copy"),
    ]

    def __init__(self, title: str, lines: Sequence[str]) -> None:
        super().__init__()
        self._title = title
        self._lines = lines

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Label(self._title, classes="dialog--title", markup=False)
            with VerticalScroll(classes="dialog--body"):
                yield Label("\n".join(self._lines), markup=False)
            yield Label("esc closes, c copies", classes="note--hint", markup=False)

    def action_close(self) -> None:
        self.dismiss(None)

    def action_copy(self) -> None:
        self.app.copy_to_clipboard("\n".join(self._lines))
        self.notify("Copied", timeout=2)
