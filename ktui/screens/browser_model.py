"""The browser without its terminal: a view's rows, what filters them, and the words for when there are none.

In: columns, rows and changes as a `Source` gives them, the user's filter. Out: a `TableModel` to draw, the texts
around it. The screen only moves data between this, the source and the widgets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ktui.kube.resource import Object
from ktui.screens.items import Item, columns_of, default_sort, row_of
from ktui.screens.live_table import Link
from ktui.screens.row_filter import FilterError, Predicate, compile_filter
from ktui.screens.view import View
from ktui.widgets.table_model import Row, TableModel


class BrowserModel:
    """The rows of one view at a time."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.table = TableModel()
        self.view: View | None = None
        self.link = Link.LOADING
        self.problem = ""
        self.filter_error = ""
        self._now = now
        self._definitions: Sequence[Object] = ()

    def open(self, view: View) -> None:
        """Start on a view, with no rows yet."""
        self.view = view
        self.link = Link.LOADING
        self.problem = ""
        self._definitions = ()
        self.table.marks.clear()
        self.table.set_columns(())
        self.table.filter(None)

    def set_columns(self, definitions: Sequence[Object]) -> bool:
        """Take the server's columns; False when they are what is shown already."""
        view = self.view
        if view is None or (definitions == self._definitions and self.table.columns):
            return False
        self._definitions = definitions
        columns = columns_of(definitions, namespaced=self._shows_namespace)
        self.table.set_columns(columns)
        names = [column.name for column in columns]
        if view.sort is not None and view.sort[0] in names:
            self.table.sort(names.index(view.sort[0]), view.sort[1])
        else:
            self.table.sort(*default_sort(view.resource, columns))
        self.refilter()
        return True

    def convert(self, rows: Sequence[Object]) -> list[Row]:
        """Rows of a Table as rows to draw."""
        view = self.view
        if view is None:
            return []
        now = self._now()
        namespaced = self._shows_namespace
        return [
            row_of(view.resource, self.table.columns, row, namespaced=namespaced, now=now) for row in rows
        ]

    def split(self, changes: Mapping[str, Object | None]) -> tuple[list[Row], list[str]]:
        """A batch as rows to add or change, and UIDs to remove."""
        gone = [uid for uid, row in changes.items() if row is None]
        return self.convert([row for row in changes.values() if row is not None]), gone

    def refilter(self) -> str:
        """Apply the view's filters anew; returns what is wrong with the filter text, or ""."""
        view = self.view
        self.filter_error = ""
        if view is None:
            return ""
        terms: list[Predicate] = []
        try:
            predicate = compile_filter(view.filter, self.table.columns, now=self._now)
            if predicate is not None:
                terms.append(predicate)
        except FilterError as error:
            self.filter_error = str(error)
        if view.only_trouble:
            terms.append(lambda row: row.trouble)
        if view.owner_uid:
            owner = view.owner_uid
            terms.append(
                lambda row: any(r.get("uid") == owner for r in row.data.metadata.get("ownerReferences") or ())
            )
        self.table.filter((lambda row: all(term(row) for term in terms)) if terms else None)
        return self.filter_error

    def items(self, cursor: Row | None, *, marked: bool) -> list[Item]:
        """What an action is for: the marked rows if there are any (and it takes several), else the cursor's."""
        rows = self.table.marked() if marked else []
        return [row.data for row in (rows or ([cursor] if cursor is not None else []))]

    def remember(self, cursor: Row | None) -> None:
        """Keep in the view what the user did, for coming back to it."""
        if self.view is not None and self.table.columns:
            self.view.cursor = cursor.uid if cursor is not None else None
            self.view.sort = (self.table.columns[self.table.sort_column].name, self.table.descending)

    @property
    def count(self) -> str:
        """`12`, or `3 of 12` when filtered."""
        shown, total = len(self.table), self.table.total
        return str(total) if shown == total else f"{shown} of {total}"

    def placeholder(self, manifests: str, namespaces: Sequence[str] = ()) -> str:
        """What to say where rows would be; says what to do next."""
        view = self.view
        if view is None:
            return "Starting…"
        plural = view.resource.plural
        where = f" in {view.namespace}" if view.namespace else ""
        match self.link:
            case Link.REFUSED:
                return f"The cluster does not show {plural}{where}\n{self.problem}\nctrl+r tries again, esc goes back"
            case Link.RECONNECTING:
                return f"Waiting for the cluster\n{self.problem}"
            case Link.LOADING:
                return f"Loading {plural}…\n{self.problem}"
            case _:
                pass
        if self.table.total:
            if view.filter:
                return f"None of {self.table.total} {plural} match {view.filter!r}\nesc clears the filter"
            if view.only_trouble:
                return f"None of {self.table.total} {plural} are in trouble\nctrl+z shows them all"
        if view.namespace and namespaces and view.namespace not in namespaces:
            return f"There is no namespace {view.namespace!r}\n:ns lists them, 0 shows all"
        if view.hint:
            return f"No {plural}\n{view.hint}"
        hints = [f"Drop a manifest into {manifests}" if manifests else ""]
        hints.append("0 shows all namespaces" if view.namespace else "")
        hints.append("esc goes back" if view.about else "")
        return f"No {plural}{where}\n" + ", ".join(hint for hint in hints if hint)

    @property
    def _shows_namespace(self) -> bool:
        view = self.view
        return view is not None and view.resource.namespaced and not view.namespace
