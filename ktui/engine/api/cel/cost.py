"""What an expression may cost at most: comprehensions within comprehensions are bounded by the data they go over.

The interpreter can't be stopped, and everyone waits for it. So an expression whose nested loops could go round too
often on the data at hand is refused before it starts, as kube-apiserver stops one that has used up its budget.
"""

from __future__ import annotations

from typing import Any, Final, cast

from ktui.engine.api.cel.parsing import Call, Index, ListOf, MapOf, Node, Select, StructOf

COMPREHENSIONS: Final = frozenset(("all", "exists", "exists_one", "existsOne", "filter", "map"))
_MOST_ROUNDS: Final = 5_000_000
EXCEEDED: Final = "operation cancelled: actual cost limit exceeded"


def nesting(node: Node) -> int:
    """How deep comprehensions stand within each other."""
    match node:
        case Select(operand):
            return nesting(operand)
        case Index(operand, index):
            return max(nesting(operand), nesting(index))
        case ListOf(items):
            return max(map(nesting, items), default=0)
        case StructOf(_, fields):
            return max((nesting(value) for _, value in fields), default=0)
        case MapOf(entries):
            return max((nesting(each) for entry in entries for each in entry), default=0)
        case Call(function, arguments, target):
            inner = max(map(nesting, arguments), default=0)
            loops = target is not None and function in COMPREHENSIONS and len(arguments) > 1
            return max(inner + loops, nesting(target) if target is not None else 0)
        case _:
            return 0


def is_too_much(depth: int, values: list[Any]) -> bool:
    """Whether loops of that depth over the longest list or map in these values would go round too often."""
    return depth > 1 and _longest(values) ** depth > _MOST_ROUNDS


def _longest(values: list[Any]) -> int:
    longest = 0
    waiting = [*values]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            fields = cast("dict[str, Any]", value)
            longest = max(longest, len(fields))
            waiting += fields.values()
        elif isinstance(value, list):
            items = cast("list[Any]", value)
            longest = max(longest, len(items))
            waiting += items
    return longest
