"""The styles of a widget's parts, its Textual component classes, as Rich styles that can be laid over each other.

A part that sets only a colour or only a background leaves the other to what is below it; Textual's own
`get_component_rich_style` blends both. What was read is kept until the theme or the focus changes.
"""

from __future__ import annotations

from rich.style import Style
from textual.widget import Widget


class ComponentStyles:
    """Called with the name of a part (`cursor` of `table--cursor`); "" is the widget's own style."""

    def __init__(self, widget: Widget, prefix: str) -> None:
        self._widget = widget
        self._prefix = prefix
        self._kept: dict[str, Style] = {}

    def __call__(self, name: str) -> Style:
        style = self._kept.get(name)
        if style is None:
            style = self._kept[name] = self._read(name) if name else self._widget.rich_style
        return style

    def forget(self) -> None:
        """Read anew what is asked for next."""
        self._kept.clear()

    def _read(self, name: str) -> Style:
        part = f"{self._prefix}--{name}"
        rules = self._widget.get_component_styles(part)
        blended = self._widget.get_component_rich_style(part)
        return rules.text_style + Style.from_color(
            blended.color if rules.has_rule("color") else None,
            blended.bgcolor if rules.has_rule("background") else None,
        )
