"""One line under a table: the full text of the cells that the cursor's row shows shortened."""

from __future__ import annotations

from ktui.widgets.split_line import SplitLine
from ktui.widgets.virtual_table import VirtualTable


class CutCells(SplitLine):
    """Takes room only while the table cuts any cell, so that it does not come and go with the cursor."""

    DEFAULT_CSS = """
    CutCells { display: none; padding: 0 1; background: $panel; }
    """

    def read(self, table: VirtualTable) -> None:
        """Show what the row under the cursor hides."""
        self.display = table.shortens
        cut = table.shortened(table.cursor_row)
        self.show([part for name, text in cut for part in ((f"{name}: ", "$text-muted"), f"{text}  ")])
