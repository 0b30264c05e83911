"""Describe, live: what `kubectl describe` prints, written anew when the object or its events change."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import ClassVar

from rich.text import Text

from ktui.describe import describe
from ktui.kube.resource import Object
from ktui.screens.document import DocumentScreen
from ktui.screens.tones import status_tone
from ktui.widgets.document_view import DocumentView, StyleOf
from ktui.widgets.log_ansi import plain_text

_LABEL = re.compile(r"(\s*)([A-Z][\w .()/-]*:)(\s+|$)")


def paint_description(number: int, line: str, style: StyleOf) -> Text:
    """Labels apart from values; warnings and states that tell of trouble in their colours."""
    line = plain_text(line)
    match = _LABEL.match(line)
    if match is None:
        return Text(line, style("warn") if line.lstrip().startswith("Warning ") else "", end="")
    indent, label, gap = match.groups()
    value = line[match.end() :]
    tone = {"good": "string", "warn": "warn", "bad": "bad"}.get(status_tone(value.strip()), "")
    text = Text(indent, end="")
    text.append(label, style("title" if not indent and not value else "key"))
    text.append(gap + value, style(tone) if tone and len(value) < 40 else "")
    return text


class DescribeScreen(DocumentScreen):
    """An object as kubectl describes it."""

    WITH_EVENTS = True
    WORD: ClassVar[str] = "Describe"

    async def write(self, obj: Object) -> str:
        now = datetime.fromtimestamp(self.session.now(), UTC)
        return await describe(self.session.client, self.resource, obj, now=now)

    def make_view(self) -> DocumentView:
        return DocumentView(paint_description, id="document")
