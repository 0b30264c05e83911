"""The `:` line: `:pods`, `:deploy kube-system`, `:po /text`, `:pods -l app=web`, `:ns`, `:q`; and its completion.

Text in, a `Goto`, a `Run` or a `CommandError` out. Pure.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ktui.kube.resource import Resource
from ktui.screens.actions.registry import Action, Registry
from ktui.screens.catalog import Catalog

_ALL = {"-a", "--all-namespaces", "all", "*"}


@dataclass(frozen=True, slots=True)
class Goto:
    """Show a kind. `namespace` None: where the user is; "": all."""

    resource: Resource
    namespace: str | None = None
    filter: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """Do an action that has a command name."""

    action: Action
    argument: str = ""


class CommandError(ValueError):
    """Not a command; the message says what to type instead."""


class UnknownKindError(CommandError):
    """The first word is neither a command nor a kind the catalog has."""


def parse_command(text: str, catalog: Catalog, registry: Registry) -> Goto | Run:
    """Read a command as typed, without its colon."""
    words = text.strip().lstrip(":").split()
    if not words:
        raise CommandError("type a kind (pods, deploy, svc …) or a command; tab completes")
    word, rest = words[0], words[1:]
    action = registry.command(word.lower())
    if action is not None:
        return Run(action, " ".join(rest))
    resource = catalog.find(word)
    if resource is None:
        known = [*(r.plural for r in catalog.resources), *registry.command_names()]
        close = difflib.get_close_matches(word.lower(), known, 1)
        hint = f" Did you mean {close[0]}?" if close else " :help lists what there is."
        raise UnknownKindError(f"the cluster has no kind and ktui no command {word!r}.{hint}")
    namespace: str | None = None
    for position, part in enumerate(rest):
        if part.startswith("/") or (part.startswith("-") and part.lower() not in {*_ALL, "-n"}):
            return Goto(resource, namespace, " ".join(rest[position:]).lstrip("/"))
        if part == "-n":
            continue
        if namespace is not None:
            raise CommandError(f"one namespace at a time: {part!r} is a second one (a filter starts with /)")
        namespace = "" if part.lower() in _ALL else part
    return Goto(resource, namespace)


def complete_command(
    text: str,
    catalog: Catalog,
    registry: Registry,
    namespaces: Sequence[str],
    arguments: Callable[[Action], Sequence[str]] = lambda action: (),
) -> Sequence[str]:
    """Whole lines that continue `text`: first a kind or command, then a namespace or what the command takes."""
    head, space, start = text.rpartition(" ")
    if not space:
        commands = [name for name in registry.command_names() if name.startswith(text)]
        return [*catalog.complete(text), *commands]
    if " " in head.strip() or start.startswith(("/", "-")):
        return ()
    action = registry.command(head.strip().lower())
    known = namespaces if action is None else arguments(action)
    return [f"{head} {name}" for name in known if name.startswith(start)]
