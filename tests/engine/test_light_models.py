"""The models come without lightkube's client, which is still there for who asks."""

from __future__ import annotations

import subprocess
import sys

_PROGRAM = """
import sys
import ktui.engine
from lightkube.models.core_v1 import Pod
assert "httpx2" not in sys.modules and "lightkube.core.client" not in sys.modules
from lightkube import Client
assert Client.__module__ == "lightkube.core.client"
import lightkube
assert lightkube.AsyncClient
try:
    lightkube.nothing_of_that_name
except AttributeError as error:
    print(error)
"""


def test_models_are_imported_without_lightkubes_client() -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "nothing_of_that_name" in done.stdout
