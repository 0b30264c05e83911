"""Rules of the house that no linter knows."""

from __future__ import annotations

import re
from pathlib import Path

import ktui

ROOT = Path(ktui.__file__).parent
SILENCER = re.compile(r"# (noqa|pyright: ?ignore|type: ?ignore)")
WITH_A_REASON = re.compile(r"# (noqa: [A-Z]+\d+|pyright: ignore\[\w+(, \w+)*\]) - \S")


def test_what_silences_a_linter_says_what_and_why() -> None:
    bare = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sorted(ROOT.rglob("*.py"))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if SILENCER.search(line) and not WITH_A_REASON.search(line)
    ]
    assert not bare, "a silencer names one rule and gives its reason: # noqa: X000 - because"
