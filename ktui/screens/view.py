"""What a browser looks at: a kind, where, and which of them; with the way back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ktui.client.base import Client
from ktui.kube.resource import Resource
from ktui.screens.live_table import LiveTable, Source


@dataclass(slots=True, kw_only=True, eq=False)
class View:
    """One place in the browser. The lower fields are what the user did there, kept for the way back."""

    resource: Resource
    namespace: str = ""
    """"" shows all namespaces (or a cluster-scoped kind)."""
    label_selector: str = ""
    field_selector: str = ""
    owner_uid: str = ""
    """Only objects with this owner."""
    about: str = ""
    """What the view was opened from (`deployment/web`), for the breadcrumb."""
    source: Callable[[Client], Source] | None = None
    """Where rows come from when not from the API's list and watch of `resource`."""
    hint: str = ""
    """What to do where there are no rows; "" for what goes for all kinds."""

    filter: str = ""
    cursor: str | None = None
    """UID of the row the cursor was on."""
    sort: tuple[str, bool] | None = None
    """Column name and whether descending; None: the kind's default."""
    only_trouble: bool = False

    def rows_of(self, client: Client) -> Source:
        """What feeds the view."""
        if self.source is not None:
            return self.source(client)
        return LiveTable(
            client,
            self.resource,
            self.namespace,
            label_selector=self.label_selector,
            field_selector=self.field_selector,
        )

    @property
    def title(self) -> str:
        """The breadcrumb: `Pods(default)`, or `web › Pods` once drilled down."""
        where = f"({self.namespace or 'all'})" if self.resource.namespaced and not self.about else ""
        return (
            f"{self.about} › {plural_kind(self.resource)}"
            if self.about
            else f"{plural_kind(self.resource)}{where}"
        )


def plural_kind(resource: Resource) -> str:
    """The kind's name for several: `ReplicaSets`, `NetworkPolicies`."""
    kind, plural = resource.kind, resource.plural
    if plural.startswith(kind.lower()):
        return kind + plural[len(kind) :]
    return kind[:-1] + "ies" if plural == kind.lower()[:-1] + "ies" else plural.capitalize()


@dataclass(slots=True)
class Trail:
    """The stack of views that esc walks back, and the history that `[` and `]` walk along."""

    stack: list[View] = field(default_factory=list)
    history: list[list[View]] = field(default_factory=list)
    position: int = -1

    @property
    def view(self) -> View | None:
        return self.stack[-1] if self.stack else None

    def go(self, view: View) -> None:
        """Start a new stack (a `:` command)."""
        self._visit([view])

    def drill(self, view: View) -> None:
        """Go deeper from the present view."""
        self._visit([*self.stack, view])

    def replace(self, view: View) -> None:
        """Show another view in the present one's place (another namespace)."""
        self._visit([*self.stack[:-1], view])

    def back(self) -> bool:
        """Up one level; False at the root."""
        if len(self.stack) < 2:
            return False
        self.stack = self.stack[:-1]
        return True

    def step(self, direction: int) -> bool:
        """Along the history; False at its end."""
        position = self.position + direction
        if not 0 <= position < len(self.history):
            return False
        self.position = position
        self.stack = self.history[position]
        return True

    def _visit(self, stack: list[View]) -> None:
        self.history = [*self.history[: self.position + 1], stack][-50:]
        self.position = len(self.history) - 1
        self.stack = stack
