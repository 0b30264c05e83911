"""The line under the header: the way to the view, how many rows, what hides some; and the namespace keys."""

from __future__ import annotations

from ktui.screens.browser_model import BrowserModel
from ktui.screens.session import Session
from ktui.screens.view import Trail, View
from ktui.widgets.split_line import Part


def crumbs_of(trail: Trail, view: View, model: BrowserModel) -> list[Part]:
    """The path of views, the last one with its number of rows, marks and filters."""
    parts: list[Part] = []
    for above in trail.stack[:-1]:
        parts += [(above.title, "$text-muted"), (" › ", "$text-muted")]
    parts += [(view.title, "$text-accent bold"), f" [{model.count}]"]
    if model.table.marks:
        parts.append((f"  ●{len(model.table.marks)} marked", "$text-secondary"))
    if view.filter:
        parts.append((f"  /{view.filter}", "$text-warning"))
    if view.only_trouble:
        parts.append(("  only in trouble", "$text-warning"))
    if model.filter_error:
        parts.append((f"  {model.filter_error}", "$text-error"))
    return parts


def namespace_keys(session: Session) -> list[Part]:
    """What the digit keys go to, the present namespace marked."""
    keys = [("0 all", ""), *((f"{n} {name}", name) for n, name in enumerate(session.recent, 1))]
    style = {True: "$text-accent bold", False: "$text-muted"}
    return [(f" {text}", style[name == session.namespace]) for text, name in keys]
