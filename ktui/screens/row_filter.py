"""The `/` filter: plain text, regex, `!` inverse, `-l` labels, `-f` fuzzy, and queries on columns.

Text in, a predicate on rows out (or a `FilterError` that says what is wrong). Words of the form
`column:text`, `column=value`, `column!=value`, `column>n` query a column (`status:pending restarts>3 age<1h`);
everything else is text to find, spaces included.
"""

from __future__ import annotations

import operator
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ktui.kube.selector import Selector, SelectorError
from ktui.widgets.natural import SortKey, duration_seconds, natural_key
from ktui.widgets.table_model import Column, Row

Predicate = Callable[[Row], bool]

_REGEX_CHARACTERS = re.compile(r"[\\^$*+?\[\](){}|]")
_TERM = re.compile(r"([A-Za-z][\w-]*)(!=|>=|<=|[:=<>])(\S+)$")
_COMPARE: dict[str, Callable[[SortKey, SortKey], bool]] = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}


class FilterError(ValueError):
    """A filter that cannot be read; the message is for the user."""


@dataclass(frozen=True, slots=True)
class _Texts:
    """The cells of a row as they read now."""

    columns: Sequence[Column]
    now: Callable[[], float]

    def cell(self, row: Row, index: int) -> str:
        live = self.columns[index].live
        return row.cells[index] if live is None else live(row, self.now())

    def line(self, row: Row) -> str:
        return " ".join(self.cell(row, i) for i in range(len(row.cells)) if self.columns[i].live is None)


def compile_filter(
    text: str, columns: Sequence[Column], *, now: Callable[[], float] = time.time
) -> Predicate | None:
    """The predicate of a filter as typed; None when it filters nothing."""
    text = text.strip()
    inverse = text.startswith("!")
    if inverse:
        text = text[1:].strip()
    if not text:
        return None
    keep = _compile(text, columns, _Texts(columns, now))
    return (lambda row: not keep(row)) if inverse else keep


def _compile(text: str, columns: Sequence[Column], texts: _Texts) -> Predicate:
    if text == "-l" or text.startswith("-l "):
        return _labels(text[2:].strip())
    if text == "-f" or text.startswith("-f "):
        return _fuzzy(text[2:].strip(), texts)
    terms: list[Predicate] = []
    words: list[str] = []
    for word in text.split():
        term = _column_term(word, columns, texts)
        if term is None:
            words.append(word)
        else:
            terms.append(term)
    if words:
        terms.append(_text(" ".join(words) if terms else text, texts))
    return terms[0] if len(terms) == 1 else (lambda row: all(term(row) for term in terms))


def _labels(text: str) -> Predicate:
    if not text:
        raise FilterError("-l needs a label selector, like -l app=web,tier!=db")
    try:
        selector = Selector.parse(text)
    except SelectorError as error:
        raise FilterError(str(error)) from error
    return lambda row: selector.matches(row.data.metadata.get("labels") or {})


def _fuzzy(text: str, texts: _Texts) -> Predicate:
    if not text:
        raise FilterError("-f needs letters to look for, in order: -f wbp finds web-proxy")
    pattern = re.compile(".*?".join(re.escape(letter) for letter in text if letter != " "), re.IGNORECASE)
    return lambda row: pattern.search(texts.line(row)) is not None


def _text(text: str, texts: _Texts) -> Predicate:
    if _REGEX_CHARACTERS.search(text):
        try:
            pattern = re.compile(text, re.IGNORECASE)
        except re.error as error:
            raise FilterError(f"not a regular expression: {error}") from error
        return lambda row: pattern.search(texts.line(row)) is not None
    wanted = text.lower()
    return lambda row: wanted in texts.line(row).lower()


def _column_term(word: str, columns: Sequence[Column], texts: _Texts) -> Predicate | None:
    match = _TERM.match(word)
    if match is None:
        return None
    name, sign, value = match.groups()
    index = _column(name, columns)
    if index is None:
        return None
    if sign == ":":
        wanted = value.lower()
        return lambda row: wanted in texts.cell(row, index).lower()
    if sign in ("=", "!="):
        wanted = value.lower()
        same = sign == "="
        return lambda row: (_value(texts.cell(row, index)) == wanted) is same
    compare = _COMPARE[sign]
    duration = columns[index].live is not None and duration_seconds(value) is not None
    limit = natural_key(value, duration=duration)

    def compares(row: Row) -> bool:
        key = natural_key(texts.cell(row, index), duration=duration)
        return key[0] == limit[0] and compare(key, limit)

    return compares


def _value(text: str) -> str:
    # "3 (5m ago)" is 3 to someone who asks for restarts=3.
    return text.split(" (", 1)[0].lower()


def _column(name: str, columns: Sequence[Column]) -> int | None:
    wanted = _plain(name)
    names = [_plain(column.name) for column in columns]
    if wanted in names:
        return names.index(wanted)
    starts = [i for i, known in enumerate(names) if len(wanted) > 1 and known.startswith(wanted)]
    return starts[0] if len(starts) == 1 else None


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
