"""The line a command or a filter is typed into, with inline completion and a history.

In: a mode (its sign, `:` or `/`) and a completion function. Out: messages while typing, on enter, on esc.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.suggester import Suggester
from textual.widgets import Input, Label

Complete = Callable[[str], Sequence[str]]
"""Whole texts that continue what was typed, best first."""


def _nothing(text: str) -> Sequence[str]:
    return ()


def how_many_match(count: int, at: int | None) -> str:
    """What a search found, for a status line; `at` is the match that is shown."""
    if not count:
        return "no match"
    where = f"{at:,} of " if at else ""
    return f"{where}{count:,} match{'' if count == 1 else 'es'}"


class _Completion(Suggester):
    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self.complete: Complete = _nothing

    async def get_suggestion(self, value: str) -> str | None:
        found = self.complete(value) if value else ()
        return next((text for text in found if text.startswith(value) and text != value), None)


class PromptInput(Input):
    """The text field; tab takes the suggestion, arrows walk the history."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Cancel", show=False),
        Binding("tab", "take", "Complete", show=False),
        Binding("up", "recall(-1)", "Earlier", show=False),
        Binding("down", "recall(1)", "Later", show=False),
    ]

    def action_leave(self) -> None:
        if isinstance(self.parent, Prompt):
            self.parent.cancel()

    def action_take(self) -> None:
        if self._suggestion:
            self.value = self._suggestion
            self.cursor_position = len(self.value)

    def action_recall(self, step: int) -> None:
        if isinstance(self.parent, Prompt):
            self.parent.recall(step)


class Prompt(Horizontal):
    """Hidden until opened; closes on enter and esc."""

    DEFAULT_CSS = """
    Prompt { height: 1; display: none; background: $panel; }
    Prompt.-open { display: block; }
    Prompt > Label { width: 2; color: $text-accent; text-style: bold; }
    Prompt > Input { width: 1fr; height: 1; border: none; padding: 0; background: $panel; }
    Prompt > Input:focus { border: none; }
    Prompt.-wrong > Label { color: $text-error; }
    """

    class Typed(Message):
        """The text changed."""

        def __init__(self, mode: str, text: str) -> None:
            super().__init__()
            self.mode = mode
            self.text = text

    class Entered(Typed):
        """Enter."""

    class Left(Typed):
        """Esc; `text` is what was there when the prompt opened."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name for it
        super().__init__(id=id)
        self.mode = ""
        self._completion = _Completion()
        self._before = ""
        self._history: dict[str, list[str]] = {}
        self._recalled = 0

    def compose(self) -> ComposeResult:
        yield Label("", markup=False)
        yield PromptInput(suggester=self._completion, select_on_focus=False)

    @property
    def field(self) -> Input:
        return self.query_one(PromptInput)

    @property
    def is_open(self) -> bool:
        return self.has_class("-open")

    def open(self, mode: str, text: str = "", complete: Complete = _nothing) -> None:
        """Show the prompt with its sign and take the focus."""
        self.mode = mode
        self._before = text
        self._completion.complete = complete
        self._recalled = len(self._history.setdefault(mode, []))
        self.query_one(Label).update(f"{mode} ")
        self.set_class(False, "-wrong")
        self.set_class(True, "-open")
        with self.prevent(Input.Changed):
            self.field.value = text
        self.field.cursor_position = len(text)
        # Not `focus()`, which waits for a turn of the loop: keys typed meanwhile would go elsewhere.
        self.screen.set_focus(self.field, scroll_visible=False)

    def close(self) -> None:
        self.set_class(False, "-open")

    def cancel(self) -> None:
        self.close()
        self.post_message(self.Left(self.mode, self._before))

    def recall(self, step: int) -> None:
        """Put an earlier (or later) line into the field."""
        history = self._history[self.mode]
        self._recalled = max(0, min(len(history), self._recalled + step))
        self.field.value = history[self._recalled] if self._recalled < len(history) else ""
        self.field.cursor_position = len(self.field.value)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if self.is_open:
            self.post_message(self.Typed(self.mode, event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        history = self._history[self.mode]
        if event.value and (not history or history[-1] != event.value):
            history.append(event.value)
        self.close()
        self.post_message(self.Entered(self.mode, event.value))
