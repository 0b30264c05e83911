"""A block device as a file system on the node: formatted when it holds nothing yet, mounted where a pod wants it.

A device that already holds a file system, or partitions, is never formatted. Needs root, as every mount does.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ktui.engine.kubelet.volumes.base import VolumeError

DEFAULT_TYPE: Final = "ext4"
_EMPTY: Final = 2
"""blkid's exit code for a device on which it recognizes nothing."""
_TIMEOUT: Final = 120.0
_OPTIONS: Final = {"ext2": ["-F", "-m0"], "ext3": ["-F", "-m0"], "ext4": ["-F", "-m0"], "xfs": ["-f"]}


def mount_device(device: Path, target: Path, kind: str = "", options: Sequence[str] = ()) -> None:
    """Mount a device's file system at `target`, idempotently. Raises VolumeError."""
    if target.is_mount():
        return
    wanted = kind or DEFAULT_TYPE
    if not _type_of(device):
        _run([f"mkfs.{wanted}", *_OPTIONS.get(wanted, []), str(device)], f"failed to format {device}")
    target.mkdir(parents=True, exist_ok=True)
    extra = ["-o", ",".join(options)] if options else []
    _run(["mount", "-t", wanted, *extra, str(device), str(target)], f"failed to mount {device}")


def unmount(target: Path) -> None:
    """Take the file system off; what is still open there keeps working until it is closed."""
    if target.is_mount():
        subprocess.run(["umount", "-l", str(target)], check=False, capture_output=True)


def _type_of(device: Path) -> str:
    """What the device holds: a file system or a partition table; "" for nothing known."""
    done = _call(["blkid", "-p", "-s", "TYPE", "-s", "PTTYPE", "-o", "export", str(device)])
    if done.returncode == _EMPTY:
        return ""
    if done.returncode:
        raise VolumeError(f"could not tell what {device} holds: {done.stderr.strip()}")
    found = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    if "TYPE" not in found:
        raise VolumeError(
            f"{device} has a partition table ({found.get('PTTYPE', 'unknown')}), no file system"
        )
    return found["TYPE"]


def _run(command: Sequence[str], failure: str) -> None:
    done = _call(command)
    if done.returncode:
        raise VolumeError(f"{failure}: {done.stderr.strip() or done.returncode}")


def _call(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, check=False, capture_output=True, text=True, timeout=_TIMEOUT)
    except FileNotFoundError as error:
        raise VolumeError(f"{command[0]} is not installed on this node") from error
    except subprocess.TimeoutExpired as error:
        raise VolumeError(f"{command[0]} did not end within {_TIMEOUT:.0f} s") from error
