"""`ktui port-forward`: local ports that lead to a pod, until it is interrupted.

Where a Service or workload is named, the forward goes on with another of its pods when the one in use goes.
"""

from __future__ import annotations

import asyncio
import errno
import signal
from typing import Any

import click

from ktui.client.base import Client
from ktui.client.forward_ports import PortError, PortPair, parse_pair
from ktui.client.port_forward import LOCALHOST, Forward, ForwardError, ListenError, Target
from ktui.commands import options
from ktui.commands.flags import Duration, Verb
from ktui.commands.session import UserError, session
from ktui.commands.targets import ResourceIndex
from ktui.kube.address import join_host_port
from ktui.kube.kinds import PODS


@click.command("port-forward", cls=Verb)
@click.argument("name", metavar="POD | TYPE/NAME")
@click.argument("ports", nargs=-1, metavar="[LOCAL_PORT:]REMOTE_PORT…")
@options.namespace
@click.option(
    "--address",
    "addresses",
    default=LOCALHOST,
    show_default=True,
    metavar="ADDRESS,…",
    help="Where to listen: localhost or IP addresses.",
)
@click.option(
    "--pod-running-timeout",
    "patience",
    type=Duration(),
    default=60.0,
    metavar="DURATION",
    help="How long to wait for a pod that runs. [default: 1m]",
)
def command(name: str, ports: tuple[str, ...], **given: Any) -> None:
    """Forward local ports to a pod. A port may be a name; :REMOTE_PORT chooses any free local one."""
    if not ports:
        raise UserError("TYPE/NAME and list of ports are required for port-forward")
    try:
        pairs = [parse_pair(port) for port in ports]
    except PortError as error:
        raise UserError(str(error)) from None
    session().run(lambda client: _forward(client, name, pairs, given))


async def _forward(client: Client, name: str, pairs: list[PortPair], given: dict[str, Any]) -> None:
    target = Target(PODS, given["namespace"], name)
    if "/" in name:
        found = (await ResourceIndex.of(client)).targets([name])[0]
        target = Target(found.resource, given["namespace"], found.names[0])
    addresses = tuple(address for address in given["addresses"].split(",") if address)
    forwards = [Forward(client, target, pair, addresses, on_news=_tell) for pair in pairs]
    interrupted = _interrupted()
    try:
        started = [forward for forward in forwards if await _start(forward, given["patience"])]
        if not started:
            wanted = " ".join(f"{{{f.local} {f.remote}}}" for f in forwards)
            raise UserError(f"unable to listen on any of the requested ports: [{wanted}]")
        await interrupted.wait()
    finally:
        for forward in forwards:
            await forward.stop()


async def _start(forward: Forward, patience: float) -> bool:
    """Whether it listens; a port that is taken is told, and the others go on."""
    try:
        await forward.start(patience)
    except ListenError as error:
        click.echo(f"Unable to listen on port {error.port}: {_listeners(error)}", err=True)
        return False
    except (ForwardError, PortError) as error:
        raise UserError(str(error)) from None
    forward.on_connection = lambda: click.echo(f"Handling connection for {forward.local}")
    for address, port in forward.listening:
        click.echo(f"Forwarding from {join_host_port(address, port)} -> {forward.remote}")
    return True


def _listeners(error: ListenError) -> str:
    reason = (
        "address already in use"
        if error.cause.errno == errno.EADDRINUSE
        else str(error.cause.strerror or error.cause).lower()
    )
    network = "tcp6" if ":" in error.address else "tcp4"
    where = join_host_port(error.address, error.port)
    return (
        "Listeners failed to create with the following errors: "
        f"[unable to create listener: Error listen {network} {where}: bind: {reason}]"
    )


def _tell(text: str) -> None:
    click.echo(text, err=True)


def _interrupted() -> asyncio.Event:
    """Set at ctrl+c and SIGTERM, which end the forward as they should end it."""
    event = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, event.set)
    return event
