"""Terminal output made safe to show: colours become styles, every other control sequence goes.

In: text as a program wrote it. Out: a rich `Text` of printable characters only.
"""

from __future__ import annotations

import re

from rich.color import Color
from rich.style import Style
from rich.text import Text

_TOKEN = re.compile(
    r"\x1b\[(?P<sgr>[0-9;:]*)m"  # colours and attributes
    r"|\x1b\[[0-?]*[ -/]*[@-~]"  # other control sequences
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)"  # strings: titles, links, device control
    r"|\x1b[ -/]*[0-~]?"  # what else an escape begins
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]"  # control characters except tab
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_ATTRIBUTES = {
    1: Style(bold=True), 2: Style(dim=True), 3: Style(italic=True), 4: Style(underline=True),
    7: Style(reverse=True), 9: Style(strike=True), 22: Style(bold=False, dim=False), 23: Style(italic=False),
    24: Style(underline=False), 27: Style(reverse=False), 29: Style(strike=False),
}  # fmt: skip
TAB = 8


def plain_text(text: str) -> str:
    """The printable characters of terminal output."""
    return expand_tabs(_TOKEN.sub("", text)) if _CONTROL.search(text) else text


def safe_text(text: str) -> Text:
    """Terminal output as styled text."""
    if not _CONTROL.search(text):
        return Text(text, end="")
    if "\x1b" not in text:
        return Text(plain_text(text), end="")
    result = Text(end="")
    style, at = Style(), 0
    for match in _TOKEN.finditer(text):
        if match.start() > at:
            _append(result, text[at : match.start()], style)
        at = match.end()
        codes = match["sgr"]
        if codes is not None:
            style = _apply(style, codes)
    _append(result, text[at:], style)
    return result


def expand_tabs(text: str) -> str:
    return text.expandtabs(TAB) if "\t" in text else text


def _append(result: Text, text: str, style: Style) -> None:
    if "\t" in text:
        column = len(result.plain)
        text = (" " * column + text).expandtabs(TAB)[column:]
    result.append(text, style)


def _apply(style: Style, codes: str) -> Style:
    numbers = [int(code) if code else 0 for code in codes.replace(":", ";").split(";")]
    at = 0
    while at < len(numbers):
        code = numbers[at]
        at += 1
        if code == 0:
            style = Style()
        elif code in _ATTRIBUTES:
            style += _ATTRIBUTES[code]
        elif code in (38, 48):
            colour, used = _extended(numbers[at:])
            at += used
            if colour is not None:
                style += Style.from_color(colour) if code == 38 else Style.from_color(None, colour)
        elif code in (39, 49):
            default = Color.default()
            style += Style.from_color(default) if code == 39 else Style.from_color(None, default)
        elif 30 <= code <= 37 or 90 <= code <= 97:
            style += Style.from_color(Color.from_ansi(code - 30 if code < 90 else code - 82))
        elif 40 <= code <= 47 or 100 <= code <= 107:
            style += Style.from_color(None, Color.from_ansi(code - 40 if code < 100 else code - 92))
    return style


def _extended(numbers: list[int]) -> tuple[Color | None, int]:
    """A colour of 256 or of 24 bits, and how many numbers told it."""
    if len(numbers) >= 2 and numbers[0] == 5 and numbers[1] < 256:
        return Color.from_ansi(numbers[1]), 2
    if len(numbers) >= 4 and numbers[0] == 2 and max(numbers[1:4]) < 256:
        return Color.from_rgb(*numbers[1:4]), 4
    return None, len(numbers)
