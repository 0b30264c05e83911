"""The watched folder: its files, what is wrong with them, pausing, applying anew, and the yes a deletion waits for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from ktui.kube.kinds import MANIFEST_FILES
from ktui.kube.manifest_file import (
    APPROVE_PRUNE_ANNOTATION,
    FOLDER_RECORD,
    PAUSED_ANNOTATION,
    REAPPLY_ANNOTATION,
)
from ktui.kube.resource import Object
from ktui.screens.actions.registry import Action, ActionContext
from ktui.screens.manifest_files import annotate, is_folder, is_paused, path_of, read_records, summarize
from ktui.screens.outside import edit_file
from ktui.screens.view import View
from ktui.widgets.dialogs import Confirm

_GROUP = "Manifests"
_FILES = frozenset({MANIFEST_FILES.key})


async def _show(context: ActionContext) -> None:
    resource = context.session.catalog.find(MANIFEST_FILES.key)
    if resource is None:
        context.browser.notify("This cluster watches no folder of manifests", severity="warning")
        return
    context.browser.go(View(resource=resource))
    await _ask_to_prune(context)


async def _prune(context: ActionContext) -> None:
    if not await _ask_to_prune(context):
        context.browser.notify("No deletion waits for a yes")


async def _ask_to_prune(context: ActionContext) -> bool:
    """Ask about the deletion that waits, if one does; False when none."""
    summary = summarize(await read_records(context.client, context.session.catalog))
    if not summary.waiting:
        return False
    count = len(summary.waiting)
    body = ["Their manifests are gone from the folder:", *(f"  {name}" for name in summary.waiting)]
    title = f"Delete {count} object{'s' if count != 1 else ''}?"
    if await context.show(Confirm(title, body, yes="Delete them", danger=True)):
        await annotate(context.client, FOLDER_RECORD, {APPROVE_PRUNE_ANNOTATION: summary.token})
        context.browser.notify(f"Deleting {count} objects")
    return True


async def _open(context: ActionContext) -> None:
    from ktui.screens.manifest_detail import ManifestScreen

    if context.item.name == FOLDER_RECORD and await _ask_to_prune(context):
        return
    screen = ManifestScreen(context.session, context.item)
    await context.show(screen)
    if screen.goto is not None:
        context.browser.drill(screen.goto)


async def _edit(context: ActionContext) -> None:
    record = await context.client.get(MANIFEST_FILES, context.item.name)
    if is_folder(record):
        context.browser.notify("That row is the folder itself", severity="warning")
        return
    problems: list[Object] = (record.get("status") or {}).get("problems") or []
    line = int(problems[0].get("line") or 0) if problems else 0
    path = path_of(record)
    if not path.exists():
        context.browser.notify(f"{path} is not on this machine", severity="warning", markup=False)
        return
    await edit_file(context.app, path, line)


async def _reapply(context: ActionContext) -> None:
    now = datetime.fromtimestamp(context.session.now(), UTC).isoformat()
    records = await read_records(context.client, context.session.catalog)
    if any(is_folder(record) and is_paused(record) for record in records):
        context.browser.notify("The folder is paused; P resumes it", severity="warning")
        return
    paths = {record["metadata"]["name"]: str(record["spec"]["path"]) for record in records}
    resting = {record["metadata"]["name"] for record in records if is_paused(record)}
    paused = [paths[item.name] for item in context.items if item.name in resting]
    applied = [item.name for item in context.items if item.name not in resting]
    for name in applied:
        await annotate(context.client, name, {REAPPLY_ANNOTATION: now})
    if applied:
        named = _named([paths.get(name, name) for name in applied])
        context.browser.notify(f"Applying {named} anew", markup=False)
    if paused:
        verb = "is" if len(paused) == 1 else "are"
        text = f"{_named(paused)} {verb} paused; p resumes {'it' if len(paused) == 1 else 'them'}"
        context.browser.notify(text, severity="warning", markup=False)


def _named(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    return ", ".join(paths[:3]) + more


async def _pause(context: ActionContext) -> None:
    for item in context.items:
        await _toggle_pause(context, item.name)


async def _pause_all(context: ActionContext) -> None:
    await _toggle_pause(context, FOLDER_RECORD)


async def _toggle_pause(context: ActionContext, name: str) -> None:
    record = await context.client.get(MANIFEST_FILES, name)
    paused = is_paused(record)
    await annotate(context.client, name, {PAUSED_ANNOTATION: None if paused else "true"})
    what = "the folder" if is_folder(record) else str((record.get("spec") or {}).get("path"))
    context.browser.notify(f"{'Resumed' if paused else 'Paused'} {what}", markup=False)


ACTIONS = (
    Action(
        id="manifests", key="M", title="Manifests", group="Go", run=_show, commands=("manifests", "mf"),
        key_display="shift+m", help="The watched folder: each file's state, error and objects",
    ),
    Action(
        id="prune", key="", title="Prune", group=_GROUP, run=_prune, commands=("prune",),
        help="Answer a deletion of many objects that waits for a yes",
    ),
    Action(
        id="manifest", key="", title="Details", group=_GROUP, run=_open, needs="row", opens_row=True, kinds=_FILES,
        help="Enter on a file: its problems with the source, its objects, its drift",
    ),
    Action(
        id="edit-manifest", key="e", title="Edit file", group=_GROUP, run=_edit, needs="row", kinds=_FILES,
        footer=True, help="Open the file in your editor, at its first problem",
    ),
    Action(
        id="reapply", key="r", title="Re-apply", group=_GROUP, run=_reapply, needs="rows", kinds=_FILES, footer=True,
        help="Apply the file anew",
    ),
    Action(
        id="pause", key="p", title="Pause", group=_GROUP, run=_pause, needs="rows", kinds=_FILES, footer=True,
        help="Leave the objects of the files alone, or take them up again",
    ),
    Action(
        id="pause-all", key="P", title="Pause all", group=_GROUP, run=_pause_all, kinds=_FILES, key_display="shift+p",
        help="Stop applying the whole folder, or go on",
    ),
)  # fmt: skip
