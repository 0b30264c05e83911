"""`ktui rollout`: status, history, undo and restart of Deployments, StatefulSets and DaemonSets; pause and resume."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import click

from ktui.client.base import Client, PatchType, WatchOptions, WriteOptions
from ktui.client.rollout import read_revisions, restart_patch, rollout_status, undo_patch
from ktui.client.set_rollout import NOT_ROLLING, Revision
from ktui.commands import options
from ktui.commands.flags import Duration, Verb
from ktui.commands.output import columns
from ktui.commands.session import UserError, session
from ktui.commands.targets import ResourceIndex
from ktui.kube.clock import RealClock
from ktui.kube.kinds import DAEMON_SETS, DEPLOYMENTS, STATEFUL_SETS
from ktui.kube.resource import Object, Resource
from ktui.kube.yaml_text import to_yaml

_WRITE = WriteOptions(field_manager="ktui-rollout")

command = click.Group("rollout", help="Manage the rollouts of Deployments, StatefulSets and DaemonSets.")

_words = click.argument("words", nargs=-1, required=True, metavar="KIND NAME | KIND/NAME")


_ROLLED = {each.key: each for each in (DEPLOYMENTS, STATEFUL_SETS, DAEMON_SETS)}


def _each(words: tuple[str, ...], namespace: str, act: Callable[[Client, Object], Awaitable[None]]) -> None:
    async def run(client: Client) -> None:
        for target in (await ResourceIndex.of(client)).targets(words):
            resource = _ROLLED.get(target.resource.key)
            if resource is None:
                raise UserError(
                    f"{target.resource} have no rollouts; Deployments, StatefulSets and DaemonSets have"
                )
            if not target.names:
                raise UserError(f"name the {resource.kind}, such as {resource.singular}/web")
            for name in target.names:
                await act(client, await client.get(resource, name, namespace))

    session().run(run)


def _resource(workload: Object) -> Resource:
    return next(each for each in _ROLLED.values() if each.kind == workload["kind"])


def _path(workload: Object) -> str:
    return f"{_resource(workload).singular}.apps/{workload['metadata']['name']}"


def _only_deployments(workload: Object, verb: str) -> None:
    resource = _resource(workload)
    if resource != DEPLOYMENTS:
        raise UserError(f'{resource.key} "{workload["metadata"]["name"]}" {verb} is not supported')


@command.command("status", cls=Verb)
@_words
@options.namespace
@click.option("-w", "--watch/--no-watch", default=True, show_default=True, help="Until the rollout is done.")
@click.option(
    "--timeout", type=Duration(), default=0.0, metavar="DURATION", help="30s, 5m; 0: as long as it takes."
)
def status(words: tuple[str, ...], namespace: str, watch: bool, timeout: float) -> None:
    """Show how a rollout goes; the exit code tells whether it went well."""

    async def act(client: Client, deployment: Object) -> None:
        try:
            await asyncio.wait_for(_follow(client, deployment, watch), timeout or None)
        except TimeoutError:
            raise UserError("timed out waiting for the rollout") from None

    _each(words, namespace, act)


async def _follow(client: Client, deployment: Object, watch: bool) -> None:
    said = ""
    metadata = deployment["metadata"]
    while True:
        message, done = rollout_status(deployment)
        if "exceeded its progress deadline" in message or message == NOT_ROLLING:
            raise UserError(message)
        if message != said:
            click.echo(message)
            said = message
        if done or not watch:
            return
        options_ = WatchOptions(
            field_selector=f"metadata.name={metadata['name']}",
            resource_version=deployment["metadata"]["resourceVersion"],
        )
        async with client.watch(_resource(deployment), metadata["namespace"], options=options_) as batches:
            async for batch in batches:
                changes = [event for event in batch if event.type != "BOOKMARK"]
                if any(event.type == "DELETED" for event in changes):
                    raise UserError("object has been deleted")
                if changes:
                    deployment = changes[-1].object
                    break


@command.command("history", cls=Verb)
@_words
@options.namespace
@click.option("--revision", type=int, default=0, metavar="N", help="The pod template of one revision.")
def history(words: tuple[str, ...], namespace: str, revision: int) -> None:
    """List the revisions of a workload, or show one."""

    async def act(client: Client, deployment: Object) -> None:
        revisions = await read_revisions(client, deployment)
        name = _path(deployment)
        if revision:
            found = _revision(revisions, revision)
            click.echo(f"{name} with revision #{found.number}\n{to_yaml(found.template)}", nl=False)
            return
        lines = [["REVISION", "CHANGE-CAUSE"]]
        lines += [[str(item.number), item.change_cause or "<none>"] for item in reversed(revisions)]
        click.echo(f"{name} \n{columns(lines, 2)}")

    _each(words, namespace, act)


@command.command("undo", cls=Verb)
@_words
@options.namespace
@click.option("--to-revision", type=int, default=0, metavar="N", help="0: the one before.")
def undo(words: tuple[str, ...], namespace: str, to_revision: int) -> None:
    """Go back to an earlier revision."""

    async def act(client: Client, deployment: Object) -> None:
        revisions = await read_revisions(client, deployment)
        earlier = [item for item in revisions if not item.current]
        name = deployment["metadata"]["name"]
        if not to_revision and not earlier:
            raise UserError(f'no rollout history found for {_resource(deployment).singular} "{name}"')
        target = _revision(revisions, to_revision) if to_revision else earlier[0]
        if target.current:
            click.echo(
                f"{_path(deployment)} skipped rollback (current template already matches revision {target.number})"
            )
            return
        if deployment["spec"].get("paused"):
            raise UserError(
                f'you cannot rollback a paused deployment; resume it first with "ktui rollout resume deployment/{name}"'
            )
        await client.patch(
            _resource(deployment),
            name,
            undo_patch(deployment, target),
            namespace,
            patch_type=PatchType.JSON,
            options=_WRITE,
        )
        click.echo(f"{_path(deployment)} rolled back")

    _each(words, namespace, act)


def _revision(revisions: list[Revision], number: int) -> Revision:
    for revision in revisions:
        if revision.number == number:
            return revision
    raise UserError(f"unable to find the specified revision {number}")


@command.command("restart", cls=Verb)
@_words
@options.namespace
def restart(words: tuple[str, ...], namespace: str) -> None:
    """Replace all pods by the rules of the rollout."""

    async def act(client: Client, deployment: Object) -> None:
        if deployment["spec"].get("paused"):
            raise UserError("can't restart paused deployment (run rollout resume first)")
        await _patch(client, deployment, restart_patch(RealClock().now()), "restarted")

    _each(words, namespace, act)


@command.command("pause", cls=Verb)
@_words
@options.namespace
def pause(words: tuple[str, ...], namespace: str) -> None:
    """Let changes of the template wait until the Deployment is resumed."""

    async def act(client: Client, deployment: Object) -> None:
        _only_deployments(deployment, "pausing")
        if deployment["spec"].get("paused"):
            raise UserError(f'deployments.apps "{deployment["metadata"]["name"]}" is already paused')
        await _patch(client, deployment, {"spec": {"paused": True}}, "paused")

    _each(words, namespace, act)


@command.command("resume", cls=Verb)
@_words
@options.namespace
def resume(words: tuple[str, ...], namespace: str) -> None:
    """Go on with a paused Deployment."""

    async def act(client: Client, deployment: Object) -> None:
        _only_deployments(deployment, "resuming")
        if not deployment["spec"].get("paused"):
            raise UserError(f'deployments.apps "{deployment["metadata"]["name"]}" is not paused')
        await _patch(client, deployment, {"spec": {"paused": None}}, "resumed")

    _each(words, namespace, act)


async def _patch(client: Client, deployment: Object, patch: Any, verb: str) -> None:
    metadata = deployment["metadata"]
    await client.patch(_resource(deployment), metadata["name"], patch, metadata["namespace"], options=_WRITE)
    click.echo(f"{_path(deployment)} {verb}")
