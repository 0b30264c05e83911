"""What leaves the screen for a while: editing an object in an editor, a shell in a container, attaching to it."""

from __future__ import annotations

from ktui.client.base import ExecOptions
from ktui.kube.kinds import PODS
from ktui.screens.actions.registry import Action, ActionContext
from ktui.screens.container_state import container_names, container_now
from ktui.screens.containers import CONTAINERS
from ktui.screens.manifest_files import bringer_of, is_folder, is_paused, path_of, read_records
from ktui.screens.outside import edit_file, run_in_terminal
from ktui.widgets.dialogs import Choose

_GROUP = "Change"
_INSIDE = frozenset({PODS.key, CONTAINERS.key})
_SHELL = (
    "sh", "-c",
    "TERM=${TERM:-xterm-256color}; export TERM; command -v bash >/dev/null 2>&1 && exec bash; exec sh",
)  # fmt: skip


async def _edit(context: ActionContext) -> None:
    from ktui.screens.edit import Edit

    item, browser = context.item, context.browser
    records = await read_records(context.client, context.session.catalog)
    file = bringer_of(records, item.uid)
    if file is not None:
        path = path_of(file)
        rests = is_paused(file) or any(is_folder(record) and is_paused(record) for record in records)
        choices = [
            ("file", f"Edit {path} ({'applied once it is resumed' if rests else 'the folder is the truth'})"),
            ("object", "Edit the object itself (it stays until the file is resumed)")
            if rests
            else ("object", "Edit the object all the same (the folder puts back what differs)"),
        ]
        if not path.exists():
            choices = choices[1:]
        name = (file.get("spec") or {}).get("path")
        body = [f"It comes from the manifest {name}{', which is paused' if rests else ''}."]
        answer = await context.show(Choose(f"Edit {item.path}", choices, body))
        if answer == "file":
            written = await edit_file(context.app, path)
            browser.notify(f"{'Saved' if written else 'No change to'} {path}", markup=False)
        if answer != "object":
            return
    result = await Edit(context.app, context.client, item.resource, item.name, item.namespace).run()
    text = result.message + (f". What you wrote is kept in {result.kept}" if result.kept else "")
    browser.notify(text, severity="warning" if result.kept else "information", markup=False)


async def _container(context: ActionContext) -> tuple[str, str] | None:
    """The pod and container that is meant, asked for where there are several that run."""
    item = context.item
    if item.pod:
        return item.pod, item.name
    pod = await context.client.get(PODS, item.name, item.namespace)
    running = [name for name in container_names(pod) if container_now(pod, name).running]
    if not running:
        context.browser.notify(f"No container of {item.path} is running", severity="warning", markup=False)
        return None
    if len(running) == 1:
        return item.name, running[0]
    chosen = await context.show(Choose("Which container?", [(name, name) for name in running]))
    return None if chosen is None else (item.name, chosen)


async def _shell(context: ActionContext) -> None:
    await _inside(context, _SHELL, "shell", "exit or ctrl+d comes back")


async def _attach(context: ActionContext) -> None:
    await _inside(context, (), "attached", "your keys go to its main process; it comes back when that ends")


async def _inside(context: ActionContext, command: tuple[str, ...], what: str, hint: str) -> None:
    meant = await _container(context)
    if meant is None:
        return
    pod, container = meant
    tty = True
    if not command:
        spec = (await context.client.get(PODS, pod, context.item.namespace)).get("spec") or {}
        known = next((c for c in spec.get("containers") or () if c.get("name") == container), {})
        tty = bool(known.get("tty"))
    options = ExecOptions(container=container, command=command, stdin=True, stderr=not tty, tty=tty)
    code = await run_in_terminal(
        context.app,
        lambda: context.client.exec(pod, context.item.namespace, options=options),
        f"{pod} › {container}: {what}; {hint}",
        tty=tty,
    )
    severity = "warning" if code else "information"
    end = f"{what} ended with exit code {code}" if command else "no longer attached"
    context.browser.notify(f"{pod} › {container}: {end}", severity=severity, markup=False)


ACTIONS = (
    Action(
        id="edit", key="e", title="Edit", group=_GROUP, run=_edit, needs="row", verb="patch",
        help="The object in your editor; saving applies just what you changed",
    ),
    Action(
        id="shell", key="s", title="Shell", group=_GROUP, run=_shell, needs="row", kinds=_INSIDE, footer=True,
        help="A shell in the container: bash, or else sh",
    ),
    Action(
        id="attach", key="a", title="Attach", group=_GROUP, run=_attach, needs="row", kinds=_INSIDE,
        help="Connect with the container's main process",
    ),
)  # fmt: skip
