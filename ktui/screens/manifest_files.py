"""What the screens know of the watched folder: its files, their errors, who brought an object, what waits for a yes.

In: `ManifestFile` objects as the cluster serves them; a cluster that serves none has no watched folder. Pure, except
for reading the records and the source lines of an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ktui.client.base import Client
from ktui.kube.errors import StatusError
from ktui.kube.kinds import MANIFEST_FILES
from ktui.kube.manifest_file import AWAITING_PRUNE, FOLDER_RECORD, PAUSED_ANNOTATION
from ktui.kube.resource import Object
from ktui.screens.catalog import Catalog

_BAD_STATES = frozenset(("Invalid", "Failed"))
_LET_GO = frozenset(("Orphaned", "Deleted"))
"""States of files that keep nothing any more: of another folder, or gone."""


@dataclass(frozen=True, slots=True)
class FolderSummary:
    """The state of a folder in a few facts."""

    bad: Sequence[str] = ()
    """Paths of files that are invalid or could not be applied."""
    waiting: Sequence[str] = ()
    """Objects whose deletion waits for a yes."""
    token: str = ""
    paused: bool = False

    @property
    def notice(self) -> str:
        """One short line for a header; "" when all is well."""
        if self.waiting:
            return f"{len(self.waiting)} deletions wait for a yes (:prune)"
        if self.bad:
            more = f" and {len(self.bad) - 1} more" if len(self.bad) > 1 else ""
            return f"{self.bad[0]}{more} invalid (:mf)"
        return "manifests paused" if self.paused else ""


def is_folder(record: Object) -> bool:
    """Whether a record is the folder's own, not a file's."""
    return record["metadata"].get("name") == FOLDER_RECORD


def is_paused(record: Object) -> bool:
    annotations: Object = record["metadata"].get("annotations") or {}
    return annotations.get(PAUSED_ANNOTATION, "false") != "false"


def path_of(record: Object) -> Path:
    """Where the file is on disk."""
    spec: Object = record.get("spec") or {}
    return Path(spec.get("folder") or ".") / (spec.get("path") or "")


def summarize(records: Iterable[Object]) -> FolderSummary:
    """The state of the folder from its records."""
    bad: list[str] = []
    waiting: tuple[str, ...] = ()
    token, paused = "", False
    for record in records:
        status: Object = record.get("status") or {}
        if is_folder(record):
            prune: Object = status.get("prune") or {}
            paused = is_paused(record)
            if status.get("state") == AWAITING_PRUNE:
                waiting, token = tuple(prune.get("objects") or ()), str(prune.get("token") or "")
        elif status.get("state") in _BAD_STATES:
            bad.append(str((record.get("spec") or {}).get("path") or ""))
    return FolderSummary(tuple(sorted(bad)), waiting, token, paused)


async def read_records(client: Client, catalog: Catalog) -> list[Object]:
    """Every record, or none where the cluster watches no folder."""
    if catalog.find(MANIFEST_FILES.key) is None:
        return []
    try:
        return (await client.list(MANIFEST_FILES)).items
    except (StatusError, OSError):
        return []


def bringer_of(records: Iterable[Object], uid: str) -> Object | None:
    """The file that brought the object with a UID and keeps it as it says."""
    return next(
        (
            record
            for record in records
            if (record.get("status") or {}).get("state") not in _LET_GO
            and any(
                brought.get("uid") == uid for brought in (record.get("status") or {}).get("objects") or ()
            )
        ),
        None,
    )


async def put_back_by(client: Client, catalog: Catalog, uids: Sequence[str]) -> list[str]:
    """A line for dialogs that change objects by hand: which files undo that, because the folder is the truth."""
    records = await read_records(client, catalog)
    if any(is_folder(record) and is_paused(record) for record in records):
        return []
    found = {
        str((file.get("spec") or {}).get("path") or "")
        for uid in uids
        if (file := bringer_of(records, uid)) is not None and not is_paused(file)
    }
    if not found:
        return []
    files = sorted(found)
    more = f" and {len(files) - 1} more" if len(files) > 1 else ""
    return [
        f"{files[0]}{more} brought it: the folder puts back what the file says. To keep a change, edit the file (e)."
    ]


def excerpt(lines: Sequence[str], line: int, column: int, context: int = 2) -> list[str]:
    """The source around a position with a caret under it, lines and columns counted from 1."""
    first, last = max(1, line - context), min(len(lines), line + context)
    width = len(str(last))
    shown: list[str] = []
    for number in range(first, last + 1):
        shown.append(f"{'>' if number == line else ' '} {number:{width}} | {lines[number - 1]}")
        if number == line:
            shown.append(f"  {'':{width}} | {' ' * (column - 1)}^")
    return shown
