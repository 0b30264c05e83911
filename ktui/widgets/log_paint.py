"""One log line as it is drawn: margin, timestamp, source, then the text with its colours, level and matches.

Pure: bytes and switches in, rich `Text` and strips out; styles come from a function, so that themes apply.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.style import Style
from rich.text import Text
from textual.strip import Strip

from ktui.widgets.log_ansi import plain_text, safe_text
from ktui.widgets.log_buffer import NOTE, split_line
from ktui.widgets.log_format import Structured, level_of, parse_structured

StyleOf = Callable[[str], Style]
"""The style of a component class `log--…`."""

MAX_SHOWN = 20_000
"""Characters of one line that are drawn; all of it is in the buffer, and shown when the line is expanded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineLook:
    """The switches that decide how lines look."""

    timestamps: bool = False
    compact: bool = True
    """Fields of JSON and logfmt lines behind their message instead of the raw line."""
    sources: bool = False
    highlights: tuple[re.Pattern[str], ...] = ()


def paint_line(
    raw: bytes, source: Sequence[str], colour: Style, look: LineLook, style: StyleOf
) -> tuple[Text, Text]:
    """A line's head (timestamp, source) and its text; `source` is one short name, or nothing."""
    if raw.startswith(NOTE):
        return Text(end=""), Text(f"── {plain_text(_decode(raw[1:]))} ──", style("note"), end="")
    stamp, body = split_line(raw)
    head = Text(end="")
    if look.timestamps and stamp:
        head.append(short_stamp(stamp) + " ", style("dim"))
    if look.sources and source:
        head.append(source[0] + " ", colour)
    text = _body(_decode(body), look, style)
    for pattern in look.highlights:
        _highlight(text, pattern, style("match"))
    return head, text


def cut_line(mark: Text, line: Text, left: int, width: int, console: Console) -> Strip:
    """The part of a line from column `left` on that fits, with a sign where it goes on."""
    if line.cell_len > left + width:
        line.truncate(left + width - 1)
        line.append("›")
    return Strip.join([Strip(mark.render(console)), Strip(line.render(console)).crop(left, left + width)])


def wrap_line(mark: Text, line: Text, width: int, console: Console) -> list[Strip]:
    """A line over as many rows as it needs, the later ones indented."""
    rows: list[Strip] = []
    for part in line.wrap(console, width - 2, overflow="fold") or [Text()]:
        part.end = ""
        lead = Text("   ", end="") if rows else mark
        rows.append(Strip.join([Strip(lead.render(console)), Strip(part.render(console))]))
    return rows


def short_stamp(stamp: bytes) -> str:
    """The timestamp to the millisecond, always as wide."""
    text = stamp.decode("ascii", "replace")
    seconds, dot, rest = text.rstrip("Z").partition(".")
    return f"{seconds}.{(rest + '000')[:3]}Z" if dot else f"{seconds}.000Z"


def plain_line(raw: bytes, source: str = "", *, timestamps: bool = True) -> str:
    """A line as it is copied or saved: no control characters."""
    stamp, body = split_line(raw)
    parts = [stamp.decode("ascii", "replace")] if timestamps and stamp else []
    parts += [source] if source and stamp else []
    parts.append(plain_text(_decode(body)))
    return " ".join(parts)


def _decode(body: bytes) -> str:
    return body.decode("utf-8", "replace").rstrip("\r")


def _body(text: str, look: LineLook, style: StyleOf) -> Text:
    cut = len(text) > MAX_SHOWN
    structured = parse_structured(text) if look.compact and not cut else None
    if structured is not None:
        return _structured(structured, style)
    result = safe_text(text[:MAX_SHOWN])
    if cut:
        result.append(f" … {len(text) - MAX_SHOWN} more characters (enter shows all)", style("note"))
    level = level_of(result.plain)
    if level:
        result.stylize_before(style(level))
    return result


def _structured(line: Structured, style: StyleOf) -> Text:
    result = Text(end="")
    tone = style(line.level) if line.level else Style()
    if line.level:
        result.append(f"{line.level.upper():5} ", tone + Style(bold=True))
    result.append(plain_text(line.message).replace("\n", "⏎"), tone)
    for key, value in line.fields:
        result.append("  " if result.plain else "")
        result.append(f"{plain_text(key)}=", style("dim"))
        result.append(plain_text(value).replace("\n", "⏎"), style("field"))
    return result


def _highlight(text: Text, pattern: re.Pattern[str], style: Style) -> None:
    for match in pattern.finditer(text.plain):
        if match.end() > match.start():
            text.stylize(style, match.start(), match.end())
