"""Questions on top of a screen: yes or no, a line of text, one of several choices. Each returns its answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Generic, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, OptionList
from textual.widgets.option_list import Option

from ktui.widgets.tick import Tick

T = TypeVar("T")

FRAME = """
    align: center middle;
    & > .dialog {
        width: 68; max-width: 95%; height: auto; max-height: 90%; padding: 1 2;
        background: $panel; border: round $primary;
    }
    &.-danger > .dialog { border: round $error; }
    & OptionList, & OptionList:focus { height: auto; margin-top: 1; border: none; padding: 0; background: $panel; }
    & .dialog--title { text-style: bold; width: 1fr; }
    &.-danger .dialog--title { color: $text-error; }
    & .dialog--body { height: auto; max-height: 12; margin-top: 1; }
    & .dialog--body Label { width: 1fr; }
    & .dialog--error { color: $text-error; width: 1fr; }
    & .dialog--buttons { height: 1; margin-top: 1; align-horizontal: right; }
    & .dialog--buttons Button { margin-left: 2; }
"""


class _Ticking(ModalScreen[T]):
    """A question with something that may be done besides: `option` is its text, "" where there is none."""

    option = ""
    option_key: ClassVar[str]
    box: Tick | None = None

    def compose_option(self) -> ComposeResult:
        if self.option:
            self.box = Tick(f"{self.option} ({self.option_key})")
            yield self.box

    @property
    def ticked(self) -> bool:
        """Whether the user wants it; to be read with the answer."""
        return self.box is not None and self.box.ticked


class Confirm(_Ticking[bool]):
    """Asks before something is done. `body` tells what it will touch; cancelling is the default."""

    DEFAULT_CSS = f"Confirm {{ {FRAME} }}"
    option_key = "p"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Yes"),
        Binding("n,escape,q", "answer(False)", "No"),
        Binding("p", "tick", show=False),
        Binding("left,up", "app.focus_previous", show=False),
        Binding("right,down", "app.focus_next", show=False),
    ]

    def __init__(
        self,
        title: str,
        body: Sequence[str] = (),
        *,
        yes: str = "Yes",
        danger: bool = False,
        option: str = "",
    ) -> None:
        super().__init__(classes="-danger" if danger else "")
        self.option = option
        self._title = title
        self._body = body
        self._yes = yes
        self._danger = danger

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Label(self._title, classes="dialog--title", markup=False)
            if self._body:
                with VerticalScroll(classes="dialog--body", can_focus=False):
                    yield Label("\n".join(self._body), markup=False)
            yield from self.compose_option()
            with Horizontal(classes="dialog--buttons"):
                yield Button("Cancel (n)", id="no", compact=True)
                yield Button(
                    f"{self._yes} (y)", id="yes", compact=True, variant="error" if self._danger else "primary"
                )

    def on_mount(self) -> None:
        self.query_one("#no").focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")

    def action_tick(self) -> None:
        if self.box is not None:
            self.box.action_tick()

    def action_answer(self, answer: bool) -> None:
        self.dismiss(answer)


class AskText(_Ticking[str | None]):
    """Asks for a line of text; `check` returns what is wrong with it, or "". None when cancelled."""

    DEFAULT_CSS = f"AskText {{ {FRAME} }} AskText Input {{ margin-top: 1; }}"
    option_key = "tab, space"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel"),
        Binding("enter", "submit", "OK", show=False),
        # At once, or keys typed fast after it would still go to the line that is left.
        Binding("tab", "app.focus_next", show=False, priority=True),
        Binding("shift+tab", "app.focus_previous", show=False, priority=True),
    ]

    def __init__(
        self,
        title: str,
        body: Sequence[str] = (),
        *,
        value: str = "",
        placeholder: str = "",
        check: Callable[[str], str] | None = None,
        option: str = "",
    ) -> None:
        super().__init__()
        self.option = option
        self._title = title
        self._body = body
        self._value = value
        self._placeholder = placeholder
        self._check = check

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Label(self._title, classes="dialog--title", markup=False)
            if self._body:
                with VerticalScroll(classes="dialog--body", can_focus=False):
                    yield Label("\n".join(self._body), markup=False)
            yield Input(self._value, placeholder=self._placeholder)
            yield Label("", classes="dialog--error", markup=False)
            yield from self.compose_option()

    def on_input_changed(self) -> None:
        self.query_one(".dialog--error", Label).update("")

    def on_input_submitted(self) -> None:
        self.action_submit()

    def action_submit(self) -> None:
        value = self.query_one(Input).value
        problem = self._check(value) if self._check else ""
        if problem:
            self.query_one(".dialog--error", Label).update(problem)
        else:
            self.dismiss(value)

    def action_cancel(self) -> None:
        self.dismiss(None)


class Choose(ModalScreen[T | None], Generic[T]):
    """Asks for one of several values, by arrow keys, digit or mouse. None when cancelled."""

    DEFAULT_CSS = f"Choose {{ {FRAME} }}"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "cancel", "Cancel"),
        *(Binding(str(n), f"pick({n - 1})", show=False) for n in range(1, 10)),
    ]

    def __init__(self, title: str, choices: Sequence[tuple[T, str]], body: Sequence[str] = ()) -> None:
        super().__init__()
        self._title = title
        self._choices = choices
        self._body = body

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Label(self._title, classes="dialog--title", markup=False)
            if self._body:
                yield Label("\n".join(self._body), markup=False)
            yield OptionList(
                *(Option(f"{n}  {text}") for n, (_, text) in enumerate(self._choices, 1)), markup=False
            )

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.action_pick(event.option_index)

    def action_pick(self, index: int) -> None:
        if index < len(self._choices):
            self.dismiss(self._choices[index][0])

    def action_cancel(self) -> None:
        self.dismiss(None)
