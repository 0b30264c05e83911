"""Carries what a view's source tells to the browser: rows into model and table, the connection into the header.

One `Feed` a view shown; once another view is shown (or the screen is gone) it is deaf, so that what an abandoned
source still sends goes nowhere.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from ktui.kube.resource import Object
from ktui.screens.browsing import Browser
from ktui.screens.live_table import Link, Source

log = logging.getLogger(__name__)


class Feed:
    """The `Sink` of one view."""

    def __init__(self, browser: Browser, cursor: str | None) -> None:
        self._browser = browser
        self._restore = cursor
        """UID of the row to put the cursor on as soon as it is there."""

    async def take(self, source: Source) -> None:
        """Run a source until it ends or is cancelled; a fault in it is shown, and the screen goes on."""
        try:
            await source.run(self)
        except Exception as error:
            log.exception("a view's source failed")
            self.on_link(Link.REFUSED, f"{type(error).__name__}: {error}")

    @property
    def _heard(self) -> bool:
        return self._browser.hears(self) and self._browser.is_attached

    def on_columns(self, definitions: Sequence[Object]) -> None:
        if self._heard and self._browser.model.set_columns(definitions):
            self._browser.table.refresh_rows()

    def on_rows(self, rows: Sequence[Object], *, append: bool, more: bool) -> None:
        if not self._heard:
            return
        model, table = self._browser.model, self._browser.table
        converted = model.convert(rows)
        if append:
            table.apply(converted)
        else:
            model.table.replace(converted)
            table.refresh_rows()
        if self._restore and (table.move_to(self._restore) or not more):
            self._restore = None
        self._browser.describe()

    def on_changes(self, changes: Mapping[str, Object | None]) -> None:
        if not self._heard:
            return
        model = self._browser.model
        before = model.count
        self._browser.table.apply(*model.split(changes))
        if model.count != before:
            self._browser.describe()

    def on_link(self, link: Link, message: str) -> None:
        if not self._heard:
            return
        browser, before = self._browser, self._browser.model.link
        if link is Link.RECONNECTING and before is Link.LIVE:
            text = f"{message}. Trying again."
            browser.notify(text, title="Lost the cluster", severity="warning", markup=False)
        elif link is Link.LIVE and before is Link.RECONNECTING:
            browser.notify("Connected again", timeout=3)
        browser.show_link(link, message)
