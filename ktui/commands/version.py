"""`ktui version`: of the command, and of the engine that runs on the data folder."""

from __future__ import annotations

import json

import click

from ktui import __version__
from ktui.commands.flags import Verb
from ktui.commands.session import UserError, session
from ktui.kube.yaml_text import to_yaml


@click.command("version", cls=Verb)
@click.option("--client", "client_only", is_flag=True, help="Only of this command.")
@click.option("-o", "--output", type=click.Choice(["", "yaml", "json"]), default="")
def command(client_only: bool, output: str) -> None:
    """Print versions."""
    from ktui.client.http import HttpClient

    found: dict[str, object] = {"clientVersion": {"gitVersion": __version__}}
    if not client_only:

        async def ask(client: object) -> dict[str, object]:
            assert isinstance(client, HttpClient)
            return await client.version()

        try:
            found["serverVersion"] = session().run(ask)
        except UserError as error:
            click.echo(f"error: {error.message}", err=True)
    if output == "json":
        click.echo(json.dumps(found, indent=2))
    elif output == "yaml":
        click.echo(to_yaml(found), nl=False)
    else:
        click.echo(f"Client Version: {__version__}")
        server = found.get("serverVersion")
        if isinstance(server, dict):
            click.echo(f"Server Version: {server['gitVersion']}")
