"""kubectl's ways to write options that click does not know: `--watch=false`, `-o=json`, `--timeout=5m`.

In: a verb's parameters and its arguments, or those before the verb. Out: the same arguments as click reads them. What
stands after `--` belongs to a container's command and is left as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import click

from ktui.kube.duration import parse_duration

_SHORT_WITH_VALUE = re.compile(r"(-[a-zA-Z])=(.+)", re.DOTALL)
_TRUE = frozenset(("1", "t", "T", "true", "TRUE", "True"))
_FALSE = frozenset(("0", "f", "F", "false", "FALSE", "False"))


class Duration(click.ParamType):
    """Seconds, given as a Go duration (`30s`, `5m`) or as a bare number of seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, int | float):
            return float(value)
        try:
            return float(value) if re.fullmatch(r"\d+(\.\d*)?", value) else parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Verb(click.Command):
    """A command that takes its flags as kubectl does."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, as_click_reads(self.params, args))


def as_click_reads(params: Sequence[click.Parameter], arguments: Sequence[str]) -> list[str]:
    """Short options without `=`, flags without a value: the last of a flag's mentions counts."""
    flags = {
        name: param
        for param in params
        if isinstance(param, click.Option) and param.is_flag
        for name in param.opts
    }
    args = list(arguments)
    end = args.index("--") if "--" in args else len(args)
    read: list[str] = []
    for arg in args[:end]:
        name, equals, value = arg.partition("=")
        flag = flags.get(name)
        if flag is not None and equals:
            read = [word for word in read if word not in (*flag.opts, *flag.secondary_opts)]
            if _is_true(name, value):
                read.append(name)
            elif flag.secondary_opts:
                read.append(flag.secondary_opts[0])
        else:
            read.append(_SHORT_WITH_VALUE.sub(r"\1\2", arg) if _SHORT_WITH_VALUE.fullmatch(arg) else arg)
    return read + args[end:]


def until_verb(params: Sequence[click.Parameter], arguments: Sequence[str]) -> int:
    """How many arguments stand before the verb: options of the whole command line, and their values."""
    options = {name: param for param in params if isinstance(param, click.Option) for name in param.opts}
    count = 0
    while count < len(arguments) and arguments[count].startswith("-") and arguments[count] not in ("-", "--"):
        option = options.get(arguments[count])
        count += 1 if option is None or option.is_flag or option.count else 2
    return min(count, len(arguments))


def _is_true(name: str, value: str) -> bool:
    if value not in _TRUE | _FALSE:
        raise click.BadOptionUsage(name, f'invalid argument "{value}" for "{name}": it takes true or false')
    return value in _TRUE
