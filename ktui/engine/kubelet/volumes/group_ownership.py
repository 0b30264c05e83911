"""`fsGroup` on a volume whose files outlive pods: everything in it becomes the group's, readable and writable.

As Kubernetes does it: folders pass their group on (setgid), and with `fsGroupChangePolicy: OnRootMismatch` a
volume whose root is right already is left alone.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

_FILE: Final = 0o660
_FOLDER: Final = 0o770 | stat.S_ISGID


def give_to_group(root: Path, group: int, policy: str = "") -> None:
    """Blocking; does nothing where this user may not change owners."""
    if os.geteuid() != 0 or not root.is_dir():
        return
    if policy == "OnRootMismatch" and _is_right(root, group):
        return
    for folder, _, files in os.walk(root, topdown=False):
        for name in files:
            _give(Path(folder) / name, group, _FILE)
        _give(Path(folder), group, _FOLDER)


def _is_right(root: Path, group: int) -> bool:
    found = root.stat()
    return found.st_gid == group and found.st_mode & _FOLDER == _FOLDER


def _give(path: Path, group: int, mode: int) -> None:
    try:
        os.chown(path, -1, group, follow_symlinks=False)
        if not path.is_symlink():
            path.chmod(stat.S_IMODE(path.stat().st_mode) | mode)
    except FileNotFoundError:
        return  # Somebody removed it meanwhile.
