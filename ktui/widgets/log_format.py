"""What a log line says: its level, and for JSON and logfmt its message and fields.

In: the text of a line. Out: a `Structured` to show compactly, a level to colour by, or the pretty form of it all.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Literal, cast

Level = Literal["", "debug", "info", "warn", "error"]

_LEVELS: dict[str, Level] = {
    "trace": "debug", "debug": "debug", "dbg": "debug", "info": "info", "information": "info", "notice": "info",
    "warn": "warn", "warning": "warn", "wrn": "warn", "error": "error", "err": "error", "fatal": "error",
    "critical": "error", "crit": "error", "panic": "error", "alert": "error", "emerg": "error", "severe": "error",
}  # fmt: skip
_WORD = re.compile(
    r"\b(" + "|".join(word for word in _LEVELS if word not in ("alert", "notice")) + r")\b", re.IGNORECASE
)
_STRICT = re.compile(r"\b(TRACE|DEBUG|INFO|WARN(?:ING)?|ERR(?:OR)?|FATAL|CRIT(?:ICAL)?|PANIC)\b")
_KLOG = re.compile(r"([IWEF])\d{4} \d\d:\d\d:\d\d")
_KLOG_LEVELS: dict[str, Level] = {"I": "info", "W": "warn", "E": "error", "F": "error"}
_LEVEL_KEYS = ("level", "severity", "lvl", "levelname", "log.level", "loglevel")
_MESSAGE_KEYS = ("msg", "message", "event", "log", "text")
_TIME_KEYS = ("time", "ts", "timestamp", "@timestamp", "t")
_PAIR = re.compile(r'([A-Za-z_@][\w.@/-]*)=("(?:[^"\\]|\\.)*"|[^\s"]*)(?:\s+|$)')
_HEAD = 200


@dataclass(frozen=True, slots=True)
class Structured:
    """A line that carries fields."""

    level: Level
    message: str
    fields: tuple[tuple[str, str], ...]
    kind: Literal["json", "logfmt"]


def level_of(text: str) -> Level:
    """The level of an unstructured line: klog's letter, a word in capitals, or a `[word]` / `level=word`."""
    klog = _KLOG.match(text)
    if klog:
        return _KLOG_LEVELS[klog[1]]
    head = text[:_HEAD]
    word = _STRICT.search(head)
    if word:
        return _LEVELS[word[1].lower()]
    for match in _WORD.finditer(head):
        before, after = head[: match.start()][-1:], head[match.end() :][:1]
        if (
            (before in ("[", "<", "(") and after in ("]", ">", ")"))
            or before == "="
            or (not before and after == ":")
        ):
            return _LEVELS[match[1].lower()]
    return ""


def parse_structured(text: str) -> Structured | None:
    """The fields of a JSON or logfmt line; None for any other."""
    text = text.strip()
    if text.startswith("{") and text.endswith("}"):
        return _parse_json(text)
    return _parse_logfmt(text) if "=" in text else None


def pretty(text: str) -> str:
    """A line over several: JSON indented, logfmt a field a line; anything else as it is."""
    structured = parse_structured(text)
    if structured is None:
        return text
    if structured.kind == "json":
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    width = max(len(match[1]) for match in _PAIR.finditer(text))
    return "\n".join(f"{match[1]:{width}}  {_unquote(match[2])}" for match in _PAIR.finditer(text.strip()))


def _parse_json(text: str) -> Structured | None:
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or not value:
        return None
    fields = cast("dict[str, Any]", value)
    return _structured([(key, _text(item)) for key, item in fields.items()], "json")


def _parse_logfmt(text: str) -> Structured | None:
    fields: list[tuple[str, str]] = []
    at = 0
    while at < len(text):
        match = _PAIR.match(text, at)
        if match is None:
            return None
        fields.append((match[1], _unquote(match[2])))
        at = match.end()
    return _structured(fields, "logfmt") if len(fields) > 1 else None


def _structured(pairs: list[tuple[str, str]], kind: Literal["json", "logfmt"]) -> Structured:
    names = {key.lower(): key for key, _ in reversed(pairs)}
    values = dict(pairs)
    level_key = next((names[key] for key in _LEVEL_KEYS if key in names), "")
    message_key = next((names[key] for key in _MESSAGE_KEYS if key in names), "")
    hidden = {level_key, message_key, *(names[key] for key in _TIME_KEYS if key in names)}
    return Structured(
        _level(values.get(level_key, "")),
        values.get(message_key, ""),
        tuple((key, value) for key, value in pairs if key not in hidden),
        kind,
    )


def _level(text: str) -> Level:
    if text.isdigit():
        number = int(text)  # pino and bunyan: 10 trace, 20 debug, 30 info, 40 warn, 50 error, 60 fatal
        return "error" if number >= 50 else "warn" if number >= 40 else "info" if number >= 30 else "debug"
    return _LEVELS.get(text.lower(), "")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _unquote(text: str) -> str:
    if not text.startswith('"'):
        return text
    try:
        return str(json.loads(text))
    except ValueError:
        return text.strip('"')
