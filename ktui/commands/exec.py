"""`ktui exec`: run a command in a container, with a terminal if asked for."""

from __future__ import annotations

import contextlib
import sys
from typing import Any

import click

from ktui.client.base import Client, ExecOptions
from ktui.client.podsof import pods_of
from ktui.client.terminal import raw_terminal, run_session
from ktui.commands import options
from ktui.commands.default_container import default_container
from ktui.commands.flags import Verb
from ktui.commands.session import UserError, session
from ktui.commands.targets import ResourceIndex
from ktui.kube.kinds import PODS


@click.command(
    "exec", cls=Verb, context_settings={"ignore_unknown_options": True, "allow_interspersed_args": True}
)
@click.argument("pod", metavar="POD | TYPE/NAME")
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND [ARG…]")
@options.namespace
@options.container
@click.option("-i", "--stdin", is_flag=True, help="Pass standard input to the container.")
@click.option("-t", "--tty", is_flag=True, help="Standard input is a terminal.")
@click.option("-q", "--quiet", is_flag=True, help="Only print what the command prints.")
def command(pod: str, words: tuple[str, ...], **given: Any) -> None:
    """Run a command in a container; its exit code is passed on."""
    sys.exit(session().run(lambda client: _exec(client, pod, words, given)))


async def _exec(client: Client, pod: str, words: tuple[str, ...], given: dict[str, Any]) -> int:
    name = pod.removeprefix("pod/").removeprefix("pods/").removeprefix("po/")
    if "/" in name:
        target = (await ResourceIndex.of(client)).targets([name])[0]
        pods = await pods_of(client, target.resource, target.names[0], given["namespace"])
        if not pods:
            raise UserError(f"no pods found for {name}")
        found = pods[0]
        name = found["metadata"]["name"]
    else:
        found = await client.get(PODS, name, given["namespace"])
    phase = (found.get("status") or {}).get("phase")
    if phase in ("Succeeded", "Failed"):
        raise UserError(f"cannot exec into a container in a completed pod; current phase is {phase}")
    container = given["container"] or default_container(found, quiet=given["quiet"])
    is_terminal = sys.stdin is not None and sys.stdin.isatty()
    tty = given["tty"] and is_terminal
    if given["tty"] and not is_terminal and given["stdin"] and not given["quiet"]:
        click.echo("Unable to use a TTY - input is not a terminal or the right kind of file", err=True)
    started = await client.exec(
        name,
        given["namespace"],
        options=ExecOptions(
            container=container, command=words, stdin=given["stdin"], stderr=not tty, tty=tty
        ),
    )
    try:
        with raw_terminal() if tty else contextlib.nullcontext():
            code = await run_session(started, stdin=given["stdin"], tty=tty)
    finally:
        await started.close()
    if code and not given["quiet"]:
        click.echo(f"command terminated with exit code {code}", err=True)
    return code
