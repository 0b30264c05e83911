"""Rules for paths inside volumes and on nodes, and for file modes."""

from __future__ import annotations

from typing import Any

from ktui.engine.api.validation.fields import invalid
from ktui.kube.errors import Cause

_MODE = "must be a number between 0 and 0777 (octal), both inclusive"


def no_backsteps(text: str, path: str) -> list[Cause]:
    """A path must not climb."""
    return [invalid(path, text, "must not contain '..'")] if ".." in text.split("/") else []


def descending(text: str, path: str) -> list[Cause]:
    """A relative path that stays inside."""
    absolute = [invalid(path, text, "must be a relative path")] if text.startswith("/") else []
    return absolute + no_backsteps(text, path)


def not_reserved(text: str, path: str) -> list[Cause]:
    """A descending path that does not start with dots, which atomic updates use for themselves."""
    causes = descending(text, path)
    if text.startswith("..") and not text.startswith("../"):
        causes.append(invalid(path, text, "must not start with '..'"))
    return causes


def file_mode(mode: Any, path: str) -> list[Cause]:
    return [] if mode is None or 0 <= mode <= 0o777 else [invalid(path, mode, _MODE)]
