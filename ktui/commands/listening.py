"""The options of whoever starts an engine: where the API is served over TLS, how Secrets are kept."""

from __future__ import annotations

from pathlib import Path

import click

from ktui.commands.session import UserError

listen_option = click.option(
    "--listen",
    metavar="HOST:PORT",
    help="Where to serve the Kubernetes API; port 0 takes any. [default: 127.0.0.1 and the port of last time, else 6443, else any]",
)
no_api_option = click.option(
    "--no-api", is_flag=True, help="Don't serve the API over HTTPS; ktui's own verbs work without."
)

encrypt_secrets_option = click.option(
    "--encrypt-secrets",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="KEYFILE",
    help="Encrypt Secrets in the data folder with the keys in this file, which is made if it isn't there. Keep a copy of it outside of the data folder: without it the Secrets are lost.",
)


def host_and_port(listen: str) -> tuple[str, int]:
    """`127.0.0.1:6443`, `[::1]:0`, `:6443` (every address) as host and port."""
    host, colon, port = listen.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        colon = ""
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise UserError(f'--listen "{listen}": say HOST:PORT, for example 127.0.0.1:6443 or [::1]:0')
    return host or "0.0.0.0", int(port)
