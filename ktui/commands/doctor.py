"""`ktui doctor`: what ktui found on this machine, what it chose, what is wrong and what mends it."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys

import click

from ktui.commands.flags import Verb
from ktui.commands.output import columns
from ktui.commands.session import session

_MARKS = {"ok": "ok", "warning": "warn", "failure": "FAIL"}


@click.command("doctor", cls=Verb)
@click.option("-o", "--output", type=click.Choice(["", "json"]), default="", help="json for programs.")
def command(output: str) -> None:
    """Look at the machine; the exit code is 1 when pods can't run."""
    from ktui.engine.kubelet.doctor import Verdict, run_checks

    asked = session()
    checks = asyncio.run(run_checks(asked.data_dir / "podman", debug=asked.debug))
    if output == "json":
        click.echo(json.dumps([dataclasses.asdict(check) for check in checks], indent=2))
    else:
        lines = [[_MARKS[check.verdict], check.name, check.found, check.chosen] for check in checks]
        click.echo(columns([["", "CHECK", "FOUND", "CHOSEN"], *lines], 2), nl=False)
        for check in checks:
            if check.problem:
                click.echo(f"\n{check.name}: {check.problem}")
                if check.mend:
                    click.echo(f"  mend it with: {check.mend}")
    if any(check.verdict is Verdict.FAILURE for check in checks):
        sys.exit(1)
