"""Moving around: commands, filter, namespaces, history, sorting, what is shown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ktui.kube.kinds import NAMESPACES
from ktui.screens.actions.registry import Action, ActionContext
from ktui.screens.save import ask_and_save, csv_of, new_path
from ktui.screens.view import View

_GO, _SHOW, _SORT, _APP = "Go", "Show", "Sort", "ktui"


async def _command(context: ActionContext) -> None:
    context.browser.open_command()


async def _filter(context: ActionContext) -> None:
    context.browser.open_filter()


async def _back(context: ActionContext) -> None:
    context.browser.back()


async def _back_or_quit(context: ActionContext) -> None:
    if not context.browser.back():
        await _quit(context)


async def _quit(context: ActionContext) -> None:
    context.session.ask_quit()


async def _help(context: ActionContext) -> None:
    from ktui.screens.help import HelpScreen, help_lines

    resource = context.browser.view.resource
    await context.show(HelpScreen(resource.kind, help_lines(context.registry, resource)))


def _namespace(digit: int) -> Callable[[ActionContext], Awaitable[None]]:
    async def go(context: ActionContext) -> None:
        recent = context.session.recent
        if digit == 0:
            context.browser.change_namespace("")
        elif digit <= len(recent):
            context.browser.change_namespace(recent[digit - 1])
        else:
            context.browser.notify(
                f"No namespace under {digit} yet; :ns shows all of them", severity="warning"
            )

    return go


async def _namespaces(context: ActionContext) -> None:
    name = context.argument.strip()
    if name:
        context.browser.change_namespace("" if name == "all" else name)
    else:
        context.browser.go(View(resource=NAMESPACES))


def _history(step: int) -> Callable[[ActionContext], Awaitable[None]]:
    async def go(context: ActionContext) -> None:
        context.browser.step_history(step)

    return go


def _sort_by(*names: str) -> Callable[[ActionContext], Awaitable[None]]:
    async def sort(context: ActionContext) -> None:
        table = context.browser.table
        columns = [column.name for column in table.model.columns]
        wanted = next((name for name in names if name in columns), None)
        if wanted is None:
            context.browser.notify(f"There is no {names[0].lower()} column here", severity="warning")
        else:
            table.sort_by(columns.index(wanted))

    return sort


async def _wide(context: ActionContext) -> None:
    context.browser.table.set_wide(not context.browser.table.wide)


async def _trouble(context: ActionContext) -> None:
    view = context.browser.view
    view.only_trouble = not view.only_trouble
    context.browser.set_filter(view.filter)


async def _refresh(context: ActionContext) -> None:
    context.browser.reload()


async def _copy(context: ActionContext) -> None:
    text = "\n".join(item.name for item in context.items)
    context.app.copy_to_clipboard(text)
    context.browser.notify(
        f"Copied {text if len(context.items) == 1 else f'{len(context.items)} names'}", markup=False
    )


async def _save(context: ActionContext) -> None:
    browser, now = context.browser, context.session.now()
    rows = len(browser.table.model)
    path = new_path((browser.view.namespace, browser.view.resource.plural), ".csv", now)
    await ask_and_save(context.app, f"{rows} row{'' if rows == 1 else 's'}", path, csv_of(browser.table, now))


async def _theme(context: ActionContext) -> None:
    app, wanted = context.app, context.argument.strip()
    if wanted and wanted not in app.available_themes:
        names = ", ".join(sorted(app.available_themes))
        context.browser.notify(f"No theme {wanted!r}; there are {names}", severity="warning", markup=False)
        return
    app.theme = wanted or ("ktui-light" if app.current_theme.dark else "ktui-dark")


async def _save_screenshot(context: ActionContext) -> None:
    path = context.app.save_screenshot()
    context.browser.notify(f"Saved {path}", markup=False)


ACTIONS = (
    Action(
        id="command", key=":", title="Command", group=_GO, run=_command, footer=True, key_display=":",
        help="Go to any kind (:pods, :deploy kube-system, :po /text) or run a command; tab completes",
    ),
    Action(
        id="filter", key="/", title="Filter", group=_SHOW, run=_filter, footer=True, key_display="/",
        help="Only rows that match: text, regex, !not, -l app=web, -f fuzzy, status:pending restarts>3",
    ),
    Action(
        id="help", key="?", title="Help", group=_APP, run=_help, footer=True, key_display="?",
        help="Every key and command, for the kind you look at", commands=("help", "h", "?"),
    ),
    Action(id="back", key="escape", title="Back", group=_GO, run=_back, help="Close the filter, the marks, the view"),
    Action(
        id="back-or-quit", key="q", title="Back / quit", group=_GO, run=_back_or_quit,
        help="As esc; at the first view it asks to quit",
    ),
    Action(
        id="quit", key="", title="Quit", group=_APP, run=_quit, commands=("q", "q!", "quit", "exit"),
        help="Leave ktui; asks what to do with the cluster",
    ),
    Action(
        id="namespaces", key="", title="Namespaces", group=_GO, run=_namespaces,
        commands=("ns", "namespace", "namespaces"),
        arguments=lambda app, session: ("all", *session.namespaces),
        help="List namespaces, or with a name change to it",
    ),
    *(
        Action(
            id=f"namespace-{digit}", key=str(digit), title=f"Namespace {digit}" if digit else "All namespaces",
            group=_GO, run=_namespace(digit),
            help=f"The recent namespace number {digit}" if digit else "Show all namespaces",
        )
        for digit in range(10)
    ),
    Action(id="history-back", key="[", title="Previous view", group=_GO, run=_history(-1), help="The view before this one", key_display="["),
    Action(id="history-forward", key="]", title="Next view", group=_GO, run=_history(1), help="The view after this one", key_display="]"),
    Action(id="sort-name", key="N", title="Sort by name", group=_SORT, run=_sort_by("Name", "Object"), help="Sort by name; again to reverse", key_display="shift+n"),
    Action(id="sort-age", key="A", title="Sort by age", group=_SORT, run=_sort_by("Age", "Last Seen"), help="Sort by age; again to reverse", key_display="shift+a"),
    Action(id="sort-status", key="S", title="Sort by status", group=_SORT, run=_sort_by("Status", "State", "Ready", "Type", "Phase"), help="Sort by status; again to reverse", key_display="shift+s"),
    Action(id="wide", key="ctrl+w", title="Wide", group=_SHOW, run=_wide, help="All columns, unshortened (kubectl's -o wide); left and right scroll"),
    Action(id="trouble", key="ctrl+z", title="Only trouble", group=_SHOW, run=_trouble, help="Only rows that want attention (marked ! in the margin)"),
    Action(id="refresh", key="ctrl+r", title="Refresh", group=_SHOW, run=_refresh, help="List anew (the view is live anyway)"),
    Action(id="copy", key="c", title="Copy name", group=_SHOW, run=_copy, needs="rows", help="Copy the names of the rows to the clipboard"),
    Action(id="save", key="ctrl+s", title="Save", group=_SHOW, run=_save, help="Save the shown rows as a CSV file"),
    Action(
        id="theme", key="", title="Light / dark", group=_APP, run=_theme, commands=("theme",),
        arguments=lambda app, session: sorted(app.available_themes),
        help="Change between the dark and the light theme, or to a named one",
    ),
    Action(id="screenshot", key="", title="Screenshot", group=_APP, run=_save_screenshot, commands=("screenshot",), help="Save the screen as SVG"),
)  # fmt: skip
