"""The command palette (ctrl+p): every action for the kind at hand, and every kind to go to."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.types import IgnoreReturnCallbackType

from ktui.screens.browser import BrowserScreen


class ActionCommands(Provider):
    """Feeds the palette while a browser is in front."""

    def _entries(self) -> Iterator[tuple[str, str, IgnoreReturnCallbackType]]:
        browser = self.screen
        if not isinstance(browser, BrowserScreen):
            return
        for action in browser.registry.of(browser.view.resource):
            if action.id.startswith("namespace-") and action.id != "namespace-0":
                continue
            key = action.key_display or action.key
            title = f"{action.title}  ({key})" if key else action.title
            yield title, action.help, partial(browser.action_run, action.id)
        for resource in browser.session.catalog.resources:
            yield f"Go to {resource.plural}", f":{resource.key}", partial(browser.command, resource.key)

    async def discover(self) -> Hits:
        for title, text, run in self._entries():
            yield DiscoveryHit(title, run, help=text)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for title, text, run in self._entries():
            score = matcher.match(title)
            if score > 0:
                yield Hit(score, matcher.highlight(title), run, help=text)
