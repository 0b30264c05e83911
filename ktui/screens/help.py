"""Help, made from the bindings: every key and command for the kind at hand, grouped as they are declared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Label, Static

from ktui.kube.resource import Resource
from ktui.screens.actions.registry import Registry
from ktui.widgets.virtual_table import VirtualTable

_FILTERS = (
    ("text", "rows that contain it, spaces and all"),
    ("web-[0-9]+", "a regular expression"),
    ("!text", "rows that do not"),
    ("-l app=web", "labels"),
    ("-f wbp", "letters in this order"),
    ("status:pending", "a column contains; also = != > < (restarts>3 age<1h)"),
)

_KEY_SIGNS = {
    "question_mark": "?",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "ampersand": "&",
    "slash": "/",
    "plus": "+",
    "minus": "-",
    "equals_sign": "=",
}


def help_lines(registry: Registry, resource: Resource) -> list[tuple[str, list[tuple[str, str]]]]:
    """Groups of (keys, what they do) for a kind."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for action in registry.of(resource):
        if action.id.startswith("namespace-") and action.key not in ("0", "1"):
            continue
        keys = action.key_display or action.key.replace(",", " ").replace("escape", "esc")
        if action.key == "1":
            keys, text = "1-9", "Recent namespaces"
        else:
            text = action.help
        names = " ".join(f":{name}" for name in action.commands[:2])
        groups.setdefault(action.group, []).append((" ".join(filter(None, (keys, names))), text))
    _add(groups, VirtualTable.BINDINGS)
    groups["Filters (/)"] = list(_FILTERS)
    return list(groups.items())


def binding_lines(*bindings: Iterable[BindingType]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Groups of (keys, what they do) of a screen and the widget in it."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for declared in bindings:
        _add(groups, declared, "Here")
    return list(groups.items())


def _add(
    groups: dict[str, list[tuple[str, str]]], bindings: Iterable[BindingType], otherwise: str = "Move"
) -> None:
    for binding in Binding.make_bindings(bindings):
        title = binding.group.description if binding.group else otherwise
        _merge(groups.setdefault(title, []), binding)


def _merge(entries: list[tuple[str, str]], binding: Binding) -> None:
    key = _KEY_SIGNS.get(binding.key) or binding.key.replace("ctrl+@", "ctrl+space").replace("escape", "esc")
    does = binding.tooltip or binding.description
    for index, (keys, text) in enumerate(entries):
        if text == does:
            if key not in keys.split():
                entries[index] = (f"{keys} {key}", text)
            return
    entries.append((key, does))


class HelpScreen(ModalScreen[None]):
    """One page to scroll; esc closes."""

    CSS_PATH = "help.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark", "close", "Close")]

    def __init__(self, title: str, groups: Sequence[tuple[str, list[tuple[str, str]]]]) -> None:
        super().__init__()
        self._groups = groups
        self._title = title

    def compose(self) -> ComposeResult:
        with Vertical(id="help"):
            yield Label(f"Keys on {self._title}  (esc closes)", id="help-title")
            with VerticalScroll(id="help-body"):
                for title, entries in self._groups:
                    yield Label(title, classes="help-group--title", markup=False)
                    yield Static(_group(entries), classes="help-group")

    def on_mount(self) -> None:
        self.query_one("#help-body").focus()

    def action_close(self) -> None:
        self.dismiss(None)


def _group(entries: Iterable[tuple[str, str]]) -> Table:
    """Keys and what they do side by side; what needs more than a line goes on below itself."""
    group = Table.grid(padding=(0, 1, 0, 2), pad_edge=True)
    group.add_column(min_width=22, no_wrap=True)
    group.add_column()
    for keys, text in entries:
        group.add_row(Text(keys, style="bold"), Text(text))
    return group
