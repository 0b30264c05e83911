"""Kubernetes' `$(VAR)` expansion in commands, arguments, environment values and subPathExpr.

`$$` is a literal `$` (so `$$(VAR)` stays `$(VAR)`), a reference that cannot be resolved stays as it is
written, and nothing is expanded twice.
"""

from __future__ import annotations

from collections.abc import Mapping


def expand(text: str, values: Mapping[str, str]) -> str:
    """`text` with every `$(NAME)` that `values` knows replaced."""
    return _expand(text, values)[0]


def unresolved(text: str, values: Mapping[str, str]) -> list[str]:
    """The names referenced in `text` that `values` doesn't know."""
    return _expand(text, values)[1]


def _expand(text: str, values: Mapping[str, str]) -> tuple[str, list[str]]:
    out: list[str] = []
    missing: list[str] = []
    at = 0
    while True:
        dollar = text.find("$", at)
        if dollar < 0 or dollar + 1 >= len(text):
            out.append(text[at:])
            return "".join(out), missing
        out.append(text[at:dollar])
        following = text[dollar + 1]
        if following == "$":
            out.append("$")
            at = dollar + 2
        elif following == "(" and (end := text.find(")", dollar + 2)) >= 0:
            name = text[dollar + 2 : end]
            if name in values:
                out.append(values[name])
            else:
                out.append(f"$({name})")
                missing.append(name)
            at = end + 1
        else:
            out.append("$" + following)
            at = dollar + 2
