"""Scripts for nftables, and running Debian's `ip` and `conntrack`: nothing or an error with the tool's own words out."""

from __future__ import annotations

import asyncio
import shutil
from functools import cache

from ktui.engine.network.libnftables import LibNftables

_SECONDS = 30.0


class NetworkToolError(Exception):
    """A tool is missing, or refused what it was asked for."""


async def nft(script: str) -> None:
    """Apply a script whole or not at all. Raises NetworkToolError with the first of nft's complaints."""
    if not script:
        return
    if (library := _library()) is None:
        await run("nft", "-f", "-", stdin=script)
        return
    try:
        async with asyncio.timeout(_SECONDS):
            said = await library.run(script)
    except TimeoutError:
        raise NetworkToolError(f"nftables did not answer within {_SECONDS:.0f} s") from None
    if said:
        raise NetworkToolError(f"nftables: {said.splitlines()[0]}")


@cache
def _library() -> LibNftables | None:
    try:
        return LibNftables()
    except OSError:
        return None


async def remove_table(table: str) -> None:
    """Remove a table of family ip, which need not be there."""
    await nft(f"add table ip {table}\ndelete table ip {table}\n")


async def has_table(table: str) -> bool:
    """Whether a table is there: somebody may have flushed the whole ruleset."""
    return f"table ip {table}\n" in await run("nft", "list", "tables", "ip")


async def run(*command: str, stdin: str = "") -> str:
    """Run a tool and return what it printed."""
    program = shutil.which(command[0], path="/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/sbin:/usr/local/bin")
    if program is None:
        raise NetworkToolError(f"{command[0]} is not installed")
    process = await asyncio.create_subprocess_exec(
        program,
        *command[1:],
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(_SECONDS):
            out, error = await process.communicate(stdin.encode())
    except TimeoutError:
        raise NetworkToolError(f"{' '.join(command)} did not end within {_SECONDS:.0f} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        said = error.decode(errors="replace").strip() or f"exit status {process.returncode}"
        raise NetworkToolError(f"{' '.join(command)}: {said.splitlines()[0]}")
    return out.decode(errors="replace")
