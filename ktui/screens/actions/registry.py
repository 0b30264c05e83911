"""What a user can do, declared once: an `Action` feeds key, footer, help, command palette and `:` commands.

An action module lists its actions in `ACTIONS`; `ktui.screens.actions.MODULES` names the modules. An action gets
an `ActionContext`: the rows it is for, and what it needs to open a screen, ask, or call the cluster.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from textual.binding import Binding, BindingsMap

from ktui.kube.resource import Resource

if TYPE_CHECKING:
    from textual.app import App
    from textual.screen import Screen

    from ktui.client.base import Client
    from ktui.screens.browsing import Browser
    from ktui.screens.items import Item
    from ktui.screens.session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionContext:
    """What an action works on. `items` are the marked rows, or the one under the cursor."""

    app: App[Any]
    browser: Browser
    session: Session
    registry: Registry
    items: Sequence[Item]
    argument: str = ""
    """What was typed after the command, when the action was called as one."""

    @property
    def client(self) -> Client:
        return self.session.client

    @property
    def resource(self) -> Resource:
        return self.browser.view.resource

    @property
    def item(self) -> Item:
        """The first item; actions that need a row are only called with one."""
        return self.items[0]

    async def show(self, screen: Screen[Any]) -> Any:
        """Open a screen on top and wait for its result (None when it was just closed)."""
        return await self.app.push_screen_wait(screen)


Needs = Literal["nothing", "row", "rows"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One thing to do. `run` may await dialogs; a `StatusError` it raises becomes a notice."""

    id: str
    key: str
    """Textual key names, comma-separated; "" for actions reached by command or palette only."""
    title: str
    """For footer and palette: a verb, short."""
    help: str
    """One line for help and tooltip: what it does, to what."""
    group: str
    run: Callable[[ActionContext], Awaitable[None]]
    kinds: frozenset[str] = frozenset()
    """`Resource.key`s it applies to; empty: every kind."""
    subresource: str = ""
    """Kinds that have it are applied to besides `kinds`: custom ones that scale."""
    verb: str = ""
    """API verb the kind must serve (`delete`, `patch`)."""
    needs: Needs = "nothing"
    """`row`: the row under the cursor; `rows`: all marked ones."""
    footer: bool = False
    opens_row: bool = False
    """Enter does this on kinds that have nothing to drill down into; the first declared wins."""
    commands: tuple[str, ...] = ()
    """Names it has on the `:` line."""
    key_display: str | None = None
    arguments: Callable[[App[Any], Session], Sequence[str]] | None = None
    """What may follow its command, for completion."""

    def applies(self, resource: Resource) -> bool:
        """Whether the action makes sense on a kind."""
        if self.kinds and resource.key not in self.kinds and self.subresource not in resource.subresources:
            return False
        return not self.verb or not resource.verbs or self.verb in resource.verbs

    def binding(self) -> Binding:
        """The Textual binding that runs it."""
        return Binding(
            self.key,
            f"run('{self.id}')",
            self.title,
            show=self.footer,
            key_display=self.key_display,
            tooltip=self.help,
            id=self.id,
        )


class Registry:
    """All actions, in the order declared; a later one with the same key and a narrower kind wins."""

    def __init__(self, actions: Iterable[Action]) -> None:
        self._actions: dict[str, Action] = {}
        for action in actions:
            if action.id in self._actions:
                raise ValueError(f"two actions are called {action.id!r}")
            self._actions[action.id] = action

    def get(self, action_id: str) -> Action | None:
        return self._actions.get(action_id)

    def all(self) -> Sequence[Action]:
        return list(self._actions.values())

    def of(self, resource: Resource) -> Sequence[Action]:
        """The actions for a kind: where two share a key, the one made for the kind."""
        by_key: dict[str, Action] = {}
        for action in self._actions.values():
            if not action.applies(resource):
                continue
            taken = by_key.get(action.key)
            if action.key and taken is not None and taken.kinds and not action.kinds:
                continue
            by_key[action.key or action.id] = action
        return list(by_key.values())

    def bindings(self, resource: Resource) -> BindingsMap:
        """The keys of the actions for a kind."""
        return BindingsMap([action.binding() for action in self.of(resource) if action.key])

    def command(self, word: str) -> Action | None:
        """The action a `:` word names."""
        return next((a for a in self._actions.values() if word in a.commands), None)

    def command_names(self) -> list[str]:
        return [name for action in self._actions.values() for name in action.commands]
