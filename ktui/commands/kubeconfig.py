"""`ktui kubeconfig`: how kubectl and other clients reach the engine of a data folder."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ktui.commands import options
from ktui.commands.flags import Verb
from ktui.commands.granting import grant
from ktui.commands.session import Session, UserError, default_data_dir, session

if TYPE_CHECKING:
    from ktui.client.kubeconfig import Access

_ADMIN = "kubernetes-admin"


@click.command("kubeconfig", cls=Verb)
@click.option("--merge", is_flag=True, help="Merge it into kubectl's own file instead of printing it.")
@click.option(
    "--name",
    metavar="NAME",
    help="What the cluster and the context are called. [default: ktui, or ktui-FOLDER]",
)
@click.option("--user", metavar="USER", help="Make a certificate for this user instead of the admin's.")
@click.option("--group", "groups", metavar="GROUP", multiple=True, help="A group of --user; may be repeated.")
@click.option(
    "--role",
    "roles",
    metavar="ROLE",
    multiple=True,
    help="Let --user do what this role allows, in --namespace or else everywhere; may be repeated.",
)
@click.option(
    "--days",
    type=click.IntRange(1, 3650),
    default=365,
    show_default=True,
    help="How long the certificate of --user is good.",
)
@click.option(
    "-n",
    "--namespace",
    default="",
    metavar="NS",
    callback=options.from_before_the_verb,
    help="The context's namespace, and the one that --role holds in.",
)
def command(
    merge: bool,
    name: str | None,
    user: str | None,
    groups: tuple[str, ...],
    roles: tuple[str, ...],
    days: int,
    namespace: str,
) -> None:
    """Print a kubeconfig for the engine, or merge it into the file kubectl uses.

    The admin's is also kept in the data folder, as `kubeconfig`.
    """
    from ktui.client import kubeconfig

    if groups and user is None:
        raise UserError("--group says what groups --user is in; name the user")
    asked = session()
    if roles and user is None:
        raise UserError("--role says what --user may do; name the user")
    access = _access(asked, name or _default_name(asked), user, groups, days, namespace)
    for role in roles:
        asked.run(lambda client, role=role: grant(client, access.user, role, namespace))
    if not merge:
        click.echo(kubeconfig.text(kubeconfig.document(access)), nl=False)
        return
    path = kubeconfig.default_path()
    try:
        kubeconfig.merge_into(path, access)
    except kubeconfig.KubeconfigError as error:
        raise UserError(f"{path}: {error}") from None
    click.echo(f"{path} now has the context {access.name}; try: kubectl --context {access.name} get pods -A")


def _default_name(asked: Session) -> str:
    return "ktui" if asked.data_dir == default_data_dir() else f"ktui-{asked.data_dir.name}"


def _access(
    asked: Session, name: str, user: str | None, groups: tuple[str, ...], days: int, namespace: str
) -> Access:
    from ktui.client.kubeconfig import Access
    from ktui.engine.api.pki.folder import Pki, PkiError

    pki = Pki(asked.data_dir / "pki")
    server = _server(asked.data_dir / "kubeconfig", asked)
    try:
        pair = pki.admin if user is None else pki.issue(user, groups, datetime.now(UTC), timedelta(days=days))
        authority = pki.authority
    except PkiError as error:
        raise UserError(str(error)) from None
    except ValueError as error:
        raise UserError(f"a certificate can't name that user or group: {error}") from None
    return Access(
        name=name,
        user=user or _ADMIN,
        server=server,
        authority=authority,
        certificate=pair.certificate,
        key=pair.key,
        namespace=namespace,
        data_dir=str(asked.data_dir),
    )


def _server(path: Path, asked: Session) -> str:
    """The URL the engine served last, from the kubeconfig it wrote."""
    import yaml

    try:
        return yaml.safe_load(path.read_text())["clusters"][0]["cluster"]["server"]
    except FileNotFoundError:
        if not asked.socket.exists():
            raise asked.not_running() from None
        raise UserError("the engine serves no HTTPS: it was started with --no-api") from None
    except (yaml.YAMLError, LookupError, TypeError, UnicodeDecodeError):
        raise UserError(
            f"{path} was changed and names no server; a restart of the engine writes it anew"
        ) from None
