"""An nftables table as a value: sets, chains and elements; and the script that turns one into another.

Everything here is pure. A script is applied whole or not at all (`nft -f`), so that packets see either the old
rules or the new ones. Fixed chains hook into the kernel's path once; what changes with Services are plain
chains and the elements of maps, and only those that differ are named in a script.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Ruleset:
    """Names are the table's own; every value is nft's text."""

    sets: Mapping[str, str] = field(default_factory=dict[str, str])
    """Declarations of sets and maps that come and go: `set` or `map`, then what is between the braces."""
    chains: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    elements: Mapping[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    """(set or map, key) to verdict; an empty verdict in a set."""


def merge(pieces: Iterable[Ruleset]) -> Ruleset:
    """All of them in one; of two that claim the same element, the first has it."""
    sets: dict[str, str] = {}
    chains: dict[str, tuple[str, ...]] = {}
    elements: dict[tuple[str, str], str] = {}
    for piece in pieces:
        sets.update(piece.sets)
        chains.update(piece.chains)
        for key, verdict in piece.elements.items():
            elements.setdefault(key, verdict)
    return Ruleset(sets, chains, elements)


def creation(table: str, base: Iterable[str], rules: Ruleset) -> str:
    """A script that makes the table anew, whatever was there: `base` are commands without their table's name."""
    head = (f"add table ip {table}", f"delete table ip {table}", f"add table ip {table}")
    fixed = (_named(table, command) for command in base)
    return "\n".join((*head, *fixed, *_changes(table, Ruleset(), rules))) + "\n"


def difference(table: str, old: Ruleset, new: Ruleset) -> str:
    """A script that turns `old` into `new`; empty when they are the same."""
    lines = list(_changes(table, old, new))
    return "\n".join(lines) + "\n" if lines else ""


def _named(table: str, command: str) -> str:
    verb, what, rest = command.split(" ", 2)
    return f"{verb} {what} ip {table} {rest}"


def _changes(table: str, old: Ruleset, new: Ruleset) -> Iterator[str]:
    changed = [name for name, rules in new.chains.items() if old.chains.get(name) != rules]
    for name, declaration in new.sets.items():
        if name not in old.sets:
            kind, _, body = declaration.partition(" ")
            yield f"add {kind} ip {table} {name} {body}"
    for name in changed:
        yield f"add chain ip {table} {name}"
    for name in changed:
        if name in old.chains:
            yield f"flush chain ip {table} {name}"
        for rule in new.chains[name]:
            yield f"add rule ip {table} {name} {rule}"
    for (target, key), verdict in old.elements.items():
        if new.elements.get((target, key)) != verdict:
            yield f"delete element ip {table} {target} {{ {key} }}"
    yield from _additions(table, old, new)
    gone = [name for name in old.chains if name not in new.chains]
    for name in gone:
        yield f"flush chain ip {table} {name}"
    for name in gone:
        yield f"delete chain ip {table} {name}"
    for name in old.sets:
        if name not in new.sets:
            yield f"delete {old.sets[name].partition(' ')[0]} ip {table} {name}"


def _additions(table: str, old: Ruleset, new: Ruleset) -> Iterator[str]:
    added: dict[str, list[str]] = {}
    for (target, key), verdict in new.elements.items():
        if old.elements.get((target, key)) != verdict:
            added.setdefault(target, []).append(f"{key} : {verdict}" if verdict else key)
    for target, elements in added.items():
        yield f"add element ip {table} {target} {{ {', '.join(elements)} }}"
