"""The tree around an object, live: what leads to it and what it leads to, with states and colours (k9s' xray).

In: an `Item`; the kinds of `ktui.describe.topology` are watched while the screen is open. Out: the `Knot` to go to,
or None. The tree is only built anew when objects come or go; else just the words behind them change.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, ClassVar

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Footer
from textual.widgets import Tree as TreeWidget
from textual.widgets.tree import TreeNode

from ktui.client.informer import Delta, Informer
from ktui.describe.topology import KINDS, Knot, Tone, Tree, tree_of
from ktui.kube.kinds import NODES, PODS
from ktui.kube.resource import Resource
from ktui.screens.items import Item
from ktui.screens.session import Session
from ktui.widgets.split_line import SplitLine

_SETTLE_SECONDS = 0.1
_PATIENCE_SECONDS = 5.0
_COLOURS: dict[Tone, str] = {"good": "success", "warn": "warning", "bad": "error"}
"""Variables of the theme."""
_SIGNS: dict[Tone, str] = {"good": "●", "warn": "◐", "bad": "✗", "dim": "○", "": "·"}
Path = tuple[str, ...]


class TopologyScreen(Screen[Knot | None]):
    """The tree."""

    CSS_PATH = "topology.tcss"
    AUTO_FOCUS = "Tree"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "close", "Back"),
        Binding("enter", "go", "Go to", priority=True, tooltip="Show the object in the browser"),
        Binding("space", "fold", "Fold", priority=True, tooltip="Hide what is below, or show it"),
        Binding("d", "describe", "Describe", tooltip="The object under the cursor"),
        Binding("j", "move(1)", "Down", show=False),
        Binding("k", "move(-1)", "Up", show=False),
        Binding("question_mark", "help", "Every key here", show=False),
    ]

    def __init__(self, session: Session, item: Item) -> None:
        super().__init__()
        self._session = session
        self._item = item
        self._resource: Resource = PODS if item.pod else item.resource
        self._name = item.pod or item.name
        self._shown: dict[Path, TreeNode[Knot]] = {}

    def compose(self) -> ComposeResult:
        yield SplitLine(id="topology-title")
        tree: TreeWidget[Knot] = TreeWidget("")
        tree.show_root = False
        tree.auto_expand = False
        tree.guide_depth = 3
        yield tree
        yield Footer(compact=True, show_command_palette=False)

    @property
    def tree_widget(self) -> TreeWidget[Knot]:
        return self.query_one(TreeWidget)

    def on_mount(self) -> None:
        self._tell("loading…", "$text-muted")
        self._follow()

    def _tell(self, note: str, style: str) -> None:
        where = f"  {self._item.namespace}" if self._item.namespace else ""
        path = f"{self._resource.singular}/{self._name}"
        title = [("Tree ", "bold"), (path, "$text-accent bold"), (where, "$text-muted")]
        self.query_one("#topology-title", SplitLine).show(title, [(note, style)])

    # -- following -------------------------------------------------------------------------------------------

    @work
    async def _follow(self) -> None:
        changed = asyncio.Event()

        def wake(_: Delta[dict[str, Any]]) -> None:
            changed.set()

        informers = [
            self._informer(kind) for kind in KINDS if self._session.catalog.find(kind.key) is not None
        ]
        async with asyncio.TaskGroup() as group:
            for informer in informers:
                informer.add_handler(wake)
                group.create_task(informer.run(), name=f"tree: {informer.resource}")
            # A kind the user may not list is left out, as soon as that is clear.
            with suppress(TimeoutError):
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    for informer in informers:
                        await informer.wait_synced()
            while True:
                world = {informer.resource.key: informer.list() for informer in informers}
                self.show(tree_of(world, self._resource, self._item.namespace, self._name))
                await changed.wait()
                await asyncio.sleep(_SETTLE_SECONDS)
                changed.clear()

    def _informer(self, kind: Resource) -> Informer[dict[str, Any]]:
        # What runs on a node comes from every namespace.
        namespace = "" if self._resource.key == NODES.key or not kind.namespaced else self._item.namespace
        return Informer(self._session.client, kind, dict, namespace=namespace)

    def show(self, tree: Tree | None) -> None:
        """Show a tree; the cursor and what is folded stay."""
        if tree is None:
            self._tell("gone; this is how it was" if self._shown else "it isn't there", "$text-warning")
            return
        self._tell("● live", "$text-success")
        wanted = dict(_paths(tree))
        if list(wanted) != list(self._shown):
            self._build(wanted)
        for path, node in self._shown.items():
            knot = wanted[path]
            if node.data != knot:
                node.data = knot
                node.set_label(self._label(knot, path))

    def _build(self, wanted: dict[Path, Knot]) -> None:
        widget = self.tree_widget
        folded = {path for path, node in self._shown.items() if node.allow_expand and not node.is_expanded}
        before = next((path for path, node in self._shown.items() if node is widget.cursor_node), None)
        widget.clear()
        self._shown = {}
        with_more = {path[:-1] for path in wanted}
        for path, knot in wanted.items():
            parent = self._shown.get(path[:-1], widget.root)
            label = self._label(knot, path)
            if path in with_more:
                node = parent.add(label, knot, expand=path not in folded)
            else:
                node = parent.add_leaf(label, knot)
            self._shown[path] = node
        widget.root.expand()
        itself = next(path for path in wanted if len(path) == 1 and path[0].startswith(_ITSELF))
        target = self._shown[before if before in self._shown else itself]
        self.call_after_refresh(widget.move_cursor, target)

    def _label(self, knot: Knot, path: Path) -> Text:
        text = Text(no_wrap=True)
        if path[0].startswith(_ABOVE):
            text.append("↑ ", "dim")
        text.append(f"{knot.resource.kind}/", "dim")
        itself = path[0].startswith(_ITSELF) and len(path) == 1
        text.append(knot.name, "bold underline" if itself else "bold")
        colour = self.app.theme_variables.get(
            _COLOURS.get(knot.tone, ""), "dim" if knot.tone == "dim" else ""
        )
        text.append(f"  {_SIGNS[knot.tone]} {knot.state}", colour)
        return text

    # -- keys ------------------------------------------------------------------------------------------------

    def _chosen(self) -> Knot | None:
        node = self.tree_widget.cursor_node
        return node.data if node is not None else None

    def action_close(self) -> None:
        self.dismiss(None)

    def action_go(self) -> None:
        knot = self._chosen()
        if knot is not None:
            self.dismiss(knot)

    def action_fold(self) -> None:
        node = self.tree_widget.cursor_node
        if node is not None and node.allow_expand:
            node.toggle()

    def action_move(self, lines: int) -> None:
        self.tree_widget.cursor_line += lines

    @work
    async def action_describe(self) -> None:
        from ktui.screens.describe import DescribeScreen

        knot = self._chosen()
        if knot is None:
            return
        item = Item(
            knot.resource,
            knot.namespace,
            knot.name,
            knot.uid,
            {"name": knot.name, "namespace": knot.namespace},
        )
        await self.app.push_screen_wait(DescribeScreen(self._session, item))

    def action_help(self) -> None:
        from ktui.screens.help import HelpScreen, binding_lines

        self.app.push_screen(HelpScreen("this tree", binding_lines(type(self).BINDINGS)))


_ABOVE, _ITSELF = "above:", "itself:"


def _paths(tree: Tree) -> list[tuple[Path, Knot]]:
    """Every knot with its place, in the order of the lines: what leads to the object comes first."""
    found: list[tuple[Path, Knot]] = []

    def add(knot: Knot, above: Path, mark: str = "") -> None:
        path = (*above, f"{mark}{knot.resource.key}/{knot.namespace}/{knot.name}/{knot.uid}")
        found.append((path, knot))
        for each in knot.below:
            add(each, path)

    for knot in tree.above:
        add(knot, (), _ABOVE)
    add(tree.itself, (), _ITSELF)
    return found
