"""Options that several verbs share, with kubectl's names and meaning."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from ktui.commands.session import NAMESPACE_META

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_NAMESPACE = "default"


def from_before_the_verb(context: click.Context, _: click.Parameter, value: str) -> str:
    """The namespace given with the verb, or before it."""
    return value if _is_given(context) else context.meta.get(NAMESPACE_META, value)


def _is_given(context: click.Context) -> bool:
    return context.get_parameter_source("namespace") is not click.core.ParameterSource.DEFAULT


def is_namespace_given(context: click.Context) -> bool:
    """Whether a namespace was asked for, before or after the verb."""
    return _is_given(context) or NAMESPACE_META in context.meta


namespace = click.option(
    "-n",
    "--namespace",
    default=DEFAULT_NAMESPACE,
    show_default=True,
    metavar="NS",
    callback=from_before_the_verb,
    help="The namespace.",
)
all_namespaces = click.option("-A", "--all-namespaces", is_flag=True, help="Objects of every namespace.")
selector = click.option("-l", "--selector", default="", metavar="KEY=VALUE", help="Label selector.")
field_selector = click.option("--field-selector", default="", metavar="FIELD=VALUE", help="Field selector.")
output = click.option(
    "-o",
    "--output",
    default="",
    metavar="FORMAT",
    help="wide, yaml, json, name, jsonpath=TEMPLATE, custom-columns=SPEC (or …-file=FILE).",
)
filenames = click.option(
    "-f",
    "--filename",
    "filenames",
    multiple=True,
    metavar="FILE",
    help="A manifest, a folder of manifests, or - for standard input; may be given several times.",
)
recursive = click.option("-R", "--recursive", is_flag=True, help="Go down into folders given with -f.")
dry_run = click.option(
    "--dry-run",
    type=click.Choice(["none", "server", "client"]),
    default="none",
    show_default=True,
    help="Check without changing anything.",
)
container = click.option("-c", "--container", default="", metavar="NAME", help="The container.")


def dry_run_note(dry_run: str) -> str:
    """What a verb adds to its line when nothing was changed."""
    return {"none": "", "client": " (dry run)", "server": " (server dry run)"}[dry_run]


def scope(function: F) -> F:
    """Where to look: `-n`, `-A`."""
    return namespace(all_namespaces(function))


def selection(function: F) -> F:
    """Which objects: `-l`, `--field-selector`."""
    return selector(field_selector(function))
