"""Options that several verbs share, with kubectl's names and meaning."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_NAMESPACE = "default"

namespace = click.option(
    "-n", "--namespace", default=DEFAULT_NAMESPACE, show_default=True, metavar="NS", help="The namespace."
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
