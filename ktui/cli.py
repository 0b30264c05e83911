"""The `ktui` command: which verbs there are, the options they share, and errors as one line.

Verbs live in `ktui.commands`, one module each, imported only when called, so that `ktui --help` stays quick.
Without a verb the TUI opens.
"""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ktui import __version__
from ktui.commands.flags import as_click_reads, until_verb
from ktui.commands.listening import encrypt_secrets_option, listen_option, no_api_option
from ktui.commands.session import DATA_DIR_META, DATA_DIR_VARIABLE, DEBUG_META, NAMESPACE_META, session

if TYPE_CHECKING:
    from ktui.engine.engine import RuntimeName

VERBS: dict[str, str] = {
    "apply": "Apply manifests from files or standard input",
    "delete": "Delete objects by name, selector or file",
    "describe": "Show an object in detail, with its events",
    "doctor": "What ktui found on this machine, what it chose, and what to mend",
    "down": "Stop the engine of the data folder and everything it runs",
    "events": "List events, or watch them",
    "exec": "Run a command in a container",
    "get": "List or show objects",
    "kubeconfig": "Print or merge a kubeconfig, so that kubectl reaches the engine",
    "logs": "Print or follow the logs of a container or of a workload's pods",
    "port-forward": "Forward local ports to a pod, or to a ready pod of a Service or workload",
    "rollout": "Status, history, undo, restart, pause and resume of a Deployment",
    "scale": "Set the number of replicas",
    "serve": "Run the engine without the TUI",
    "store": "Check or repair the store of a data folder",
    "version": "Versions of ktui, of the Kubernetes API it serves, and of the container runtime",
}


def _set_data_dir(context: click.Context, _: click.Parameter, value: str | None) -> str | None:
    if value is not None:
        context.find_root().meta[DATA_DIR_META] = Path(value).expanduser().absolute()
    return value


def _set_namespace(context: click.Context, _: click.Parameter, value: str | None) -> str | None:
    if value is not None:
        context.meta[NAMESPACE_META] = value
    return value


def _set_debug(context: click.Context, _: click.Parameter, value: bool) -> bool:
    if value:
        context.find_root().meta[DEBUG_META] = True
    return value


def _shared_options(*, is_root: bool) -> list[click.Parameter]:
    """Options that may stand before or after the verb; the environment counts less than either."""
    return [
        click.Option(
            ["--data-dir"],
            metavar="DIR",
            envvar=DATA_DIR_VARIABLE if is_root else None,
            expose_value=False,
            is_eager=True,
            callback=_set_data_dir,
            help=f"The cluster's data folder. [env: {DATA_DIR_VARIABLE}; default: the user's data folder]",
        ),
        click.Option(
            ["--debug"],
            is_flag=True,
            expose_value=False,
            is_eager=True,
            callback=_set_debug,
            help="Show tracebacks and log more.",
        ),
    ]


class Verbs(click.Group):
    """Finds a verb's module when it is called; takes the flags before it as kubectl does."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        count = until_verb(self.params, args)
        return super().parse_args(ctx, [*as_click_reads(self.params, args[:count]), *args[count:]])

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command: click.Command = importlib.import_module(
            f"ktui.commands.{cmd_name.replace('-', '_')}"
        ).command
        leaves = list(command.commands.values()) if isinstance(command, click.Group) else [command]
        for leaf in leaves:
            if not any(parameter.name == "data_dir" for parameter in leaf.params):
                leaf.params.extend(_shared_options(is_root=False))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(sorted(VERBS.items()))


@click.command(
    cls=Verbs,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.option(
    "--manifests",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="The folder of manifests to watch.",
)
@click.option(
    "--runtime",
    type=click.Choice(["podman", "sim"]),
    default="podman",
    show_default=True,
    help="What runs the containers; sim only simulates them.",
)
@click.option(
    "--prune-limit",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    metavar="N",
    help="Deleting more objects than this at once waits for a yes.",
)
@click.option(
    "-n",
    "--namespace",
    metavar="NS",
    expose_value=False,
    callback=_set_namespace,
    help="The namespace of the verb that follows.",
)
@listen_option
@no_api_option
@encrypt_secrets_option
@click.version_option(__version__, prog_name="ktui")
@click.pass_context
def cli(
    context: click.Context,
    manifests: Path | None,
    runtime: RuntimeName,
    prune_limit: int,
    listen: str | None,
    no_api: bool,
    encrypt_secrets: Path | None,
) -> None:
    """A Kubernetes you can hold in one terminal.

    Without a verb the TUI opens: on the engine that runs on the data folder, or on one it starts.
    """
    if context.invoked_subcommand is None:
        from ktui.commands import tui

        engine = tui.EngineWish(manifests, runtime, prune_limit, listen, no_api, encrypt_secrets)
        sys.exit(tui.run(session(context), engine))


cli.params.extend(_shared_options(is_root=True))


_GARBAGE = 50_000
"""How many new objects make Python look for garbage: with its own 700, importing spends a sixth on looking."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; a failure is one line on stderr and a non-zero exit."""
    gc.set_threshold(_GARBAGE)
    args = list(sys.argv[1:] if arguments is None else arguments)
    try:
        cli.main(args=args, prog_name="ktui", standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.exceptions.Exit as end:
        sys.exit(end.exit_code)
    except click.ClickException as error:
        if isinstance(error, click.UsageError) and not isinstance(error, click.exceptions.NoArgsIsHelpError):
            click.echo(_misuse(error), err=True)
        else:
            error.show()
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
    except Exception as error:
        own = args[: args.index("--")] if "--" in args else args
        if "--debug" in own or "--debug=true" in own:
            raise
        click.echo(_one_line(error), err=True)
        sys.exit(1)


def _misuse(error: click.UsageError) -> str:
    """A wrong option or argument as one line; click itself prints four."""
    message = " ".join(error.format_message().split()).removesuffix(".")
    where = f" (see `{error.ctx.command_path} --help`)" if error.ctx is not None else ""
    return f"error: {message[:1].lower()}{message[1:]}{where}"


def _one_line(error: Exception) -> str:
    from ktui.kube.errors import StatusError

    if isinstance(error, StatusError):
        if error.is_invalid:
            return f"The {error.message}"
        return f"Error from server ({error.reason}): {error.message}"
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"error: {where}{error.strerror}"
    text: Any = str(error).strip() or type(error).__name__
    return f"error: {' '.join(str(text).split())} (--debug shows where)"
