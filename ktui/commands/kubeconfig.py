"""`ktui kubeconfig`: how other clients reach the running engine."""

from __future__ import annotations

import click

from ktui.commands.session import UserError, session


@click.command("kubeconfig")
def command() -> None:
    """Say how the running engine is reached.

    kubectl speaks HTTPS only; the engine listens on a unix socket, which ktui's own verbs use.
    """
    asked = session()
    if not asked.socket.exists():
        raise asked.not_running()
    raise UserError(
        f"the engine listens on the unix socket {asked.socket} only, and kubectl needs HTTPS; "
        f"use ktui's own verbs (ktui get, apply, logs …) or curl --unix-socket {asked.socket} http://ktui/api"
    )
