"""`ktui down`: stop the engine of the data folder and everything it runs."""

from __future__ import annotations

import asyncio

import click

from ktui.commands.flags import Verb
from ktui.commands.session import UserError, session


@click.command("down", cls=Verb)
def command() -> None:
    """End the engine and remove its pods and network. Objects stay, and run again with the next engine."""
    from ktui.engine.down import take_down
    from ktui.engine.kubelet.runtime.base import RuntimeCallError

    data_dir = session().data_dir
    try:
        ended = asyncio.run(take_down(data_dir))
    except FileNotFoundError:
        raise UserError(f"there is no ktui data in {data_dir}") from None
    except TimeoutError:
        raise UserError("the running engine does not end; see ktui.log in the data folder") from None
    except RuntimeCallError as error:
        raise UserError(f"{error}; `ktui doctor` says what mends it") from None
    click.echo(f"{'engine ended, ' if ended else ''}pods and network of {data_dir} removed; its objects stay")
