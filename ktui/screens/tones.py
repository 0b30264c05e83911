"""Which cell explains a row, and in what colour: the words Kubernetes uses, judged column by column."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeAlias

from ktui.kube.resource import Resource
from ktui.widgets.table_model import Column, Tone

Tones: TypeAlias = tuple[Tone, ...]

_GOOD = {"Running", "Ready", "Active", "Bound", "Available", "True", "Synced", "Healthy"}
_DONE = {"Completed", "Complete", "Succeeded", "Released", "Paused"}
_BAD = re.compile(
    r"(^|:|,)(\w*Err\w*|\w*BackOff|OOMKilled|Evicted|Failed|NotReady|Unknown|Lost|Invalid\w*|DeadlineExceeded|"
    r"ContainerStatusUnknown|StartError|ContainerCannotRun|Signal:\d+|ExitCode:\d+|"
    r"UnexpectedAdmissionError|Shutdown|NodeLost|NodeAffinity|Conflict|SchedulingGated|Drifted)"
)
_WAITING = re.compile(
    r"^(Pending|Waiting|ContainerCreating|PodInitializing|Init:\d|Terminating|Suspended|Progressing|Released)|"
    r"SchedulingDisabled"
)
_STATUS_COLUMNS = {"Status", "State", "Phase", "Reason", "Sync"}
_COUNTS_AGAINST = {"Ready", "Available", "Up-to-date", "Current"}
_TELLING = {"Status", "State", "Phase", "Ready", "Available", "Sync", "Type", "Endpoints"}
"""Columns whose warning makes a row one in trouble."""


def status_tone(text: str) -> Tone:
    """The tone of a status word as kubectl prints it."""
    if _BAD.search(text):
        return "bad"
    if _WAITING.search(text):
        return "warn"
    if text in _GOOD:
        return "good"
    return "dim" if text in _DONE else ""


def row_tones(resource: Resource, columns: Sequence[Column], cells: Sequence[str]) -> Tones:
    """The tone of each cell of a row."""
    texts = {column.name: cell for column, cell in zip(columns, cells, strict=False)}
    done = texts.get("Status") in _DONE
    is_event = resource.plural == "events"
    return tuple(
        _tone(column.name, cell, texts, done=done, is_event=is_event)
        for column, cell in zip(columns, cells, strict=False)
    )


def troubled(columns: Sequence[Column], tones: Tones) -> bool:
    """Whether a row wants attention: a bad cell, or a warning in a column that tells its state."""
    return any(
        tone == "bad" or (tone == "warn" and column.name in _TELLING)
        for column, tone in zip(columns, tones, strict=False)
    )


def _tone(name: str, text: str, texts: dict[str, str], *, done: bool, is_event: bool) -> Tone:
    if is_event:
        if name in ("Type", "Reason"):
            return "warn" if texts.get("Type") == "Warning" else "dim" if name == "Type" else ""
        return ""
    if name in _STATUS_COLUMNS:
        return status_tone(text)
    if name in _COUNTS_AGAINST:
        return _count_tone(text, texts, done=done)
    if name == "Endpoints":
        return _endpoints_tone(text)
    if name == "Restarts":
        return "warn" if text[:1] not in ("0", "", "<") else ""
    if name == "Namespace" or text in ("<none>", "<unset>"):
        return "dim"
    return ""


def _endpoints_tone(text: str) -> Tone:
    """Of `2/3`; the addresses in the column of that name of Endpoints have none."""
    ready, slash, total = text.partition("/")
    if not (slash and ready.isdigit() and total.isdigit()):
        return "dim" if text == "<none>" else ""
    return "bad" if ready == "0" else "warn" if int(ready) < int(total) else ""


def _count_tone(text: str, texts: dict[str, str], *, done: bool) -> Tone:
    have, slash, want = text.partition("/")
    if not slash:
        want = texts.get("Desired") or (texts.get("Ready") or "").partition("/")[2]
    if done or not (have.isdigit() and want.isdigit()):
        return "dim" if done else ""
    if want == "0":
        return "dim"
    if int(have) >= int(want):
        return ""
    return "bad" if have == "0" and slash and texts.get("Status") not in ("", None, "Running") else "warn"
