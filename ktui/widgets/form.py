"""A question with several lines to fill in. `check` says what is wrong with what was typed, or ""."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Label

from ktui.widgets.dialogs import FRAME


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A line of a form."""

    label: str
    value: str = ""
    placeholder: str = ""


class Form(ModalScreen[tuple[str, ...] | None]):
    """Asks for some lines of text; the answer has one a field, None when cancelled. Enter anywhere answers."""

    DEFAULT_CSS = f"""
    Form {{ {FRAME} }}
    Form Horizontal {{ height: 1; margin-top: 1; }}
    Form Horizontal Label {{ width: 18; color: $text-muted; }}
    Form Input, Form Input:focus {{ width: 1fr; border: none; height: 1; padding: 0; background: $surface; }}
    Form Input:focus {{ background: $primary 40%; }}
    Form .form--hint {{ margin-top: 1; color: $text-muted; }}
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel"),
        # At once, or keys typed fast after it would still go to the line that is left.
        Binding("up,shift+tab", "app.focus_previous", show=False, priority=True),
        Binding("down,tab", "app.focus_next", show=False, priority=True),
    ]

    def __init__(
        self,
        title: str,
        fields: Sequence[Field],
        body: Sequence[str] = (),
        *,
        check: Callable[[tuple[str, ...]], str] | None = None,
    ) -> None:
        super().__init__()
        self._title = title
        self._fields = fields
        self._body = body
        self._check = check

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Label(self._title, classes="dialog--title", markup=False)
            if self._body:
                yield Label("\n".join(self._body), markup=False)
            for field in self._fields:
                with Horizontal():
                    yield Label(field.label, markup=False)
                    yield Input(field.value, placeholder=field.placeholder)
            yield Label("", classes="dialog--error", markup=False)
            yield Label(
                "enter goes ahead, tab the next line, esc cancels", classes="form--hint", markup=False
            )

    def on_input_changed(self) -> None:
        self.query_one(".dialog--error", Label).update("")

    def on_input_submitted(self) -> None:
        values = tuple(line.value.strip() for line in self.query(Input))
        problem = self._check(values) if self._check else ""
        if problem:
            self.query_one(".dialog--error", Label).update(problem)
        else:
            self.dismiss(values)

    def action_cancel(self) -> None:
        self.dismiss(None)
