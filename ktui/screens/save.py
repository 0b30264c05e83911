"""Saving what is on the screen: where to, after a question, and a table as CSV."""

from __future__ import annotations

import asyncio
import csv
import io
import os
import re
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from textual.app import App

from ktui.widgets.dialogs import AskText
from ktui.widgets.virtual_table import VirtualTable


def new_path(words: Sequence[str], suffix: str, now: float) -> Path:
    """A new file named after words and the time: here, at home, or where temporary files are."""
    moment = datetime.fromtimestamp(now, UTC).strftime("%Y%m%d-%H%M%S")
    name = re.sub(r"[^\w.-]+", "-", "-".join(word for word in (*words, moment) if word)) + suffix
    folders = (Path.cwd(), Path.home(), Path(tempfile.gettempdir()))
    return next((folder for folder in folders if os.access(folder, os.W_OK)), folders[-1]) / name


async def ask_and_save(app: App[Any], what: str, path: Path, text: str) -> None:
    """Ask where to write a text, write it, and say so."""
    answer = await app.push_screen_wait(AskText(f"Save {what} to", value=str(path)))
    if not answer:
        return
    where = Path(answer).expanduser().absolute()
    try:
        await asyncio.to_thread(where.write_text, text, encoding="utf-8")
    except OSError as error:
        app.notify(f"{error.strerror or error}: {where}", title="Not saved", severity="error", markup=False)
    else:
        app.notify(f"Saved {what} to {where}", markup=False)


def csv_of(table: VirtualTable, now: float) -> str:
    """The rows of a table as they are shown: filtered, sorted, with a header."""
    columns, shown = table.model.columns, table.shown_columns
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns[i].name for i in shown)
    for row in table.model.rows():
        live = ((columns[i].live, row.cells[i]) for i in shown)
        writer.writerow(text if of_time is None else of_time(row, now) for of_time, text in live)
    return file.getvalue()
