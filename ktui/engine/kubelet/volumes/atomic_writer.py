"""Writes a volume's files so that a reader sees all of the old ones or all of the new ones, never a mix.

The layout is Kubernetes': files live in a timestamped folder, `..data` is a symlink to it that is swapped by a
rename, and each visible name is a symlink through `..data`. Running containers see the swap at once.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from ktui.engine.kubelet.volumes.payload import FileEntry, Payload

DATA_LINK = "..data"
_NEW_DATA_LINK = "..data_tmp"


def write_payload(directory: Path, payload: Payload, group: int | None = None) -> bool:
    """Make `directory` hold exactly `payload`; True when anything changed."""
    directory.mkdir(parents=True, exist_ok=True)
    wanted = {path: _with_group(entry, group) for path, entry in payload.items()}
    link = directory / DATA_LINK
    old = directory / link.readlink() if link.is_symlink() else None
    if old is not None and _same(old, wanted):
        _link_names(directory, wanted)
        return False
    new = Path(tempfile.mkdtemp(prefix="..", dir=directory))
    new.chmod(0o755)
    for path, entry in wanted.items():
        _write(new, path, entry, group)
    fresh = directory / _NEW_DATA_LINK
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(new.name)
    fresh.rename(link)
    _link_names(directory, wanted)
    _remove_stale(directory, wanted)
    for folder in directory.glob("..*"):
        # The one before, and what a write that was cut short left.
        if folder.is_dir() and not folder.is_symlink() and folder.name != new.name:
            shutil.rmtree(folder, ignore_errors=True)
    return True


def _with_group(entry: FileEntry, group: int | None) -> FileEntry:
    """With an fsGroup the group may read what the owner may."""
    return entry if group is None else FileEntry(entry.data, entry.mode | 0o440, entry.uid)


def _same(folder: Path, payload: Payload) -> bool:
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    if found != set(payload):
        return False
    for path, entry in payload.items():
        file = folder / path
        if file.stat().st_mode & 0o7777 != entry.mode or file.read_bytes() != entry.data:
            return False
    return True


def _write(folder: Path, path: str, entry: FileEntry, group: int | None) -> None:
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    for parent in file.relative_to(folder).parents:
        (folder / parent).chmod(0o755)
    file.write_bytes(entry.data)
    if group is not None or entry.uid is not None:
        give_away(file, entry.uid, group)
    file.chmod(entry.mode)


def give_away(path: Path, uid: int | None, group: int | None) -> None:
    """Change the owner where this user may; a rootless engine's own files stay its own."""
    if os.geteuid() == 0:
        os.chown(path, -1 if uid is None else uid, -1 if group is None else group, follow_symlinks=False)


def _visible(payload: Payload) -> set[str]:
    return {path.split("/")[0] for path in payload}


def _link_names(directory: Path, payload: Payload) -> None:
    for name in _visible(payload):
        path = directory / name
        if not path.is_symlink():
            path.symlink_to(f"{DATA_LINK}/{name}")


def _remove_stale(directory: Path, payload: Payload) -> None:
    visible = _visible(payload)
    for path in directory.iterdir():
        if path.is_symlink() and not path.name.startswith("..") and path.name not in visible:
            path.unlink()
