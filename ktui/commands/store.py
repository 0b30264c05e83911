"""`ktui store`: check and repair the store of a data folder that no engine has open."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ktui.commands.flags import Verb
from ktui.commands.session import UserError, session

if TYPE_CHECKING:
    from ktui.engine.store import Repair

command = click.Group("store", help="Check or repair the store of a data folder.")


@command.command("check", cls=Verb)
def check() -> None:
    """Read the whole store and say whether it is sound."""
    result = _repair(dry_run=True)
    if result.damage is None:
        click.echo(f"the store is sound: {result.objects} objects at revision {result.revision}")
        return
    raise UserError(f"{result.damage}; `ktui store repair` would keep {_kept(result)}")


@command.command("repair", cls=Verb)
def repair() -> None:
    """Go back to the last state before the damage; what was damaged is kept beside it."""
    result = _repair(dry_run=False)
    if result.damage is None:
        click.echo("the store is sound, there is nothing to repair")
        return
    click.echo(
        f"repaired ({result.damage}): kept {_kept(result)}; the files as they were are in {result.aside}"
    )


def _kept(result: Repair) -> str:
    lost = [
        f"{count} {what}"
        for count, what in ((result.lost_changes, "later changes"), (result.unreadable, "unreadable objects"))
        if count
    ]
    without = f", without {' and '.join(lost)}" if lost else ""
    return f"{result.objects} objects at revision {result.revision}{without}"


def _repair(*, dry_run: bool) -> Repair:
    from ktui.engine.store import LockedError, StoreError
    from ktui.engine.store import repair as repair_store

    data_dir = session().data_dir
    try:
        return repair_store(data_dir / "store", dry_run=dry_run)
    except LockedError as error:
        raise UserError(f"{error}; stop the engine first") from None
    except StoreError as error:
        raise UserError(str(error)) from None
