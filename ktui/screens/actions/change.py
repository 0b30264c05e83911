"""Deleting and killing, on any kind; both ask, and say what goes with it."""

from __future__ import annotations

import asyncio

from ktui.client.base import DeleteOptions
from ktui.kube.errors import StatusError
from ktui.kube.kinds import PODS
from ktui.screens.actions.registry import Action, ActionContext
from ktui.screens.impact import impact_of
from ktui.screens.items import Item
from ktui.screens.manifest_files import keepers_of
from ktui.widgets.dialogs import Confirm

_GROUP = "Danger"
_LISTED = 8


def name_all(items: list[Item]) -> list[str]:
    """The objects a dialog is about, one a line, the tail of a long list counted."""
    lines = [f"  {item.namespace + '/' if item.namespace else ''}{item.name}" for item in items[:_LISTED]]
    return [*lines, f"  and {len(items) - _LISTED} more"] if len(items) > _LISTED else lines


async def _delete(context: ActionContext) -> None:
    await _remove(context, "Delete", DeleteOptions())


async def _kill(context: ActionContext) -> None:
    await _remove(context, "Kill", DeleteOptions(grace_period_seconds=0))


async def _remove(context: ActionContext, verb: str, options: DeleteOptions) -> None:
    items = list(context.items)
    resource = items[0].resource
    what = items[0].path if len(items) == 1 else f"{len(items)} {resource.plural}"
    lines = name_all(items) if len(items) > 1 else []
    if items[0].namespace and len(items) == 1:
        lines.append(f"In namespace {items[0].namespace}.")
    keepers = await keepers_of(context.client, context.session.catalog, [item.uid for item in items])
    lines += await impact_of(context.client, context.session.catalog, items, kept=keepers.uids)
    lines += keepers.warning
    if options.grace_period_seconds == 0:
        lines.append("At once: no preStop hook, no grace period, no SIGTERM.")
    question = Confirm(f"{verb} {what}?", lines, yes=verb, danger=True, option=keepers.option)
    if not await context.show(question):
        return
    if question.ticked:
        await keepers.pause(context.client)
    results = await asyncio.gather(*(_delete_one(context, item, options) for item in items))
    problems = [problem for problem in results if problem]
    done = len(items) - len(problems)
    context.browser.table.clear_marks()
    if problems:
        title = f"{verb} failed" if not done else f"{done} of {len(items)} done"
        context.browser.notify("\n".join(problems[:5]), title=title, severity="error", markup=False)
    else:
        past = {"Delete": "Deleted", "Kill": "Killed"}[verb]
        context.browser.notify(f"{past} {what}", markup=False)


async def _delete_one(context: ActionContext, item: Item, options: DeleteOptions) -> str:
    # The UID is a precondition: what took the name meanwhile is not what the user looked at.
    guarded = DeleteOptions(grace_period_seconds=options.grace_period_seconds, uid=item.uid)
    try:
        await context.client.delete(item.resource, item.name, item.namespace, options=guarded)
    except StatusError as error:
        return "" if error.is_not_found else error.message
    except OSError as error:
        return f"{item.path}: {error}"
    return ""


ACTIONS = (
    Action(
        id="delete", key="ctrl+d", title="Delete", group=_GROUP, run=_delete, needs="rows", verb="delete",
        footer=True, help="Delete the marked objects, after a question that says what goes with them",
    ),
    Action(
        id="kill", key="ctrl+k", title="Kill", group=_GROUP, run=_kill, needs="rows", verb="delete",
        kinds=frozenset({PODS.key}), help="Delete pods at once, without grace period, after a question",
    ),
)  # fmt: skip
