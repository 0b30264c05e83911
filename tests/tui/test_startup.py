"""What the first paint waits for."""

from __future__ import annotations

import subprocess
import sys


def test_the_app_imports_nothing_heavy_before_it_paints() -> None:
    code = (
        "import sys, ktui.app;"
        "print([m for m in ('aiohttp','podman','lightkube','cryptography','tinydb','yaml','watchfiles','ktui.engine')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr
