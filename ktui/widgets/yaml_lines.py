"""YAML as `to_yaml` writes it, line by line: which part is key, value or comment, and which lines fold into which.

Pure text work; a line is read alone, except that lines of a block of text (`|`, `>`) are strings.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from rich.text import Text

from ktui.widgets.document_view import Paint, StyleOf
from ktui.widgets.log_ansi import plain_text

_KEY = re.compile(
    r"""(?P<lead>[ ]*(?:-[ ]+)*)(?P<key>"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s#'"\[{&*!|>-][^#]*?|-[^\s#][^#]*?)(?P<colon>:)(?=\s|$)"""
)
_BLOCK = re.compile(r"(?:^|[:\-]\s+)[|>][-+0-9]*\s*(?:#.*)?$")
_NUMBER = re.compile(r"[-+]?(?:\d[\d_]*(?:\.\d*)?(?:[eE][-+]?\d+)?|0x[0-9a-fA-F]+)$")
_WORDS = frozenset(("true", "false", "null", "~", "{}", "[]"))


def text_blocks(lines: Sequence[str]) -> set[int]:
    """The lines that belong to blocks of text."""
    inside: set[int] = set()
    block: int | None = None
    for number, line in enumerate(lines):
        if block is not None:
            if not line.strip() or _indent(line) > block:
                inside.add(number)
                continue
            block = None
        if _BLOCK.search(line):
            block = _indent(line)
    return inside


def fold_ranges(lines: Sequence[str]) -> Mapping[int, int]:
    """The last line of each block, by the line that heads it."""
    folds: dict[int, int] = {}
    open_heads: list[tuple[int, int, bool]] = []

    def close(down_to: int, last: int, *, is_item: bool) -> None:
        while open_heads and (
            open_heads[-1][1] > down_to
            or (open_heads[-1][1] == down_to and (not is_item or open_heads[-1][2]))
        ):
            head = open_heads.pop()[0]
            if last > head:
                folds[head] = last

    blocks = text_blocks(lines)
    last = -1
    for number, line in enumerate(lines):
        if not line.strip() or number in blocks:
            last = number if number in blocks else last
            continue
        is_item = line.lstrip().startswith("- ")
        # A list of a key may stand as deep as the key: it still belongs to it.
        close(_indent(line), last, is_item=is_item)
        open_heads.append((number, _indent(line), is_item))
        last = number
    close(-1, last, is_item=False)
    return folds


def painter(lines: Sequence[str]) -> Paint:
    """A function that colours the lines."""
    blocks = text_blocks(lines)

    def paint(number: int, line: str, style: StyleOf) -> Text:
        line = plain_text(line)
        if number in blocks:
            return Text(line, style("string"), end="")
        return paint_yaml(line, style)

    return paint


def paint_yaml(line: str, style: StyleOf) -> Text:
    """One line that is no text block."""
    stripped = line.lstrip()
    if stripped.startswith("#") or stripped in ("---", "..."):
        return Text(line, style("dim"), end="")
    text = Text(end="")
    match = _KEY.match(line)
    rest = line
    if match is not None:
        text.append(match["lead"], style("dim"))
        text.append(match["key"], style("key"))
        text.append(":", style("dim"))
        rest = line[match.end() :]
    else:
        lead = re.match(r"[ ]*(?:-(?:[ ]+|$))*", line)
        assert lead is not None
        text.append(lead[0], style("dim"))
        rest = line[lead.end() :]
    value, comment = _split_comment(rest)
    text.append(value, style(_kind_of(value.strip())) if value.strip() else "")
    if comment:
        text.append(comment, style("dim"))
    return text


def _kind_of(value: str) -> str:
    if value in _WORDS or value[:1] in "&*!|>":
        return "word"
    return "number" if _NUMBER.match(value) else "string"


def _split_comment(text: str) -> tuple[str, str]:
    quote = ""
    for at, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'" and (at == 0 or text[at - 1] in " [{,:"):
            quote = character
        elif character == "#" and (at == 0 or text[at - 1] in " \t"):
            return text[:at], text[at:]
    return text, ""


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
