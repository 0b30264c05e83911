"""Draw docs/screenshot.svg: the TUI on the running engine of a data folder, as the README shows it.

Run it while `ktui serve --manifests sample_manifests` has been up for half a minute:
`.venv/bin/python scripts/screenshot.py DATA_DIR [FILE [KEY…]]`.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from textual.pilot import Pilot

from ktui.app import AppSettings, KtuiApp, QuitChoice
from ktui.client.http import HttpClient
from ktui.commands.session import Session
from ktui.screens.session import Connection

_SETTLE_SECONDS = 1.5


async def draw(data_dir: Path, target: Path, keys: list[str]) -> None:
    """Attach, press keys, save what is on the screen."""

    async def connect() -> Connection:
        client = HttpClient.over_unix_socket(Session(data_dir).socket)
        return Connection(client=client, runtime="podman", manifests="sample_manifests")

    app = KtuiApp(connect, AppSettings(namespace="shop", quit_choices=(QuitChoice.LEAVE,)))
    async with app.run_test(size=(110, 24)) as pilot:
        await _settle(pilot)
        for key in keys:
            await pilot.press(key)
            await _settle(pilot)
        target.write_text(app.export_screenshot(title="ktui"))


async def _settle(pilot: Pilot[QuitChoice]) -> None:
    await asyncio.sleep(_SETTLE_SECONDS)
    await pilot.pause()


if __name__ == "__main__":
    folder, *rest = sys.argv[1:]
    asyncio.run(draw(Path(folder), Path(rest[0] if rest else "docs/screenshot.svg"), rest[1:]))
