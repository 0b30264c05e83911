"""What the screens know of the watched folder: its files, their errors, who brought an object, what waits for a yes.

In: `ManifestFile` objects as the cluster serves them; a cluster that serves none has no watched folder. Pure, except
for reading the records and the source lines of an error.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ktui.client.base import Client, WatchOptions
from ktui.kube.errors import StatusError
from ktui.kube.kinds import MANIFEST_FILES
from ktui.kube.manifest_file import AWAITING_PRUNE, FOLDER_RECORD, PAUSED_ANNOTATION
from ktui.kube.resource import Object
from ktui.screens.catalog import Catalog

_RETRY_SECONDS = 2.0
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
    paused_files: Sequence[str] = ()

    @property
    def notice(self) -> str:
        """One short line for a header; "" when all is well."""
        if self.waiting:
            return f"{len(self.waiting)} deletions wait for a yes (:prune)"
        if self.bad:
            more = f" and {len(self.bad) - 1} more" if len(self.bad) > 1 else ""
            return f"{self.bad[0]}{more} invalid (:mf)"
        if self.paused:
            return "manifests paused"
        if self.paused_files:
            more = f" and {len(self.paused_files) - 1} more" if len(self.paused_files) > 1 else ""
            return f"{self.paused_files[0]}{more} paused (:mf)"
        return ""


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
    paused_files: list[str] = []
    for record in records:
        status: Object = record.get("status") or {}
        path = str((record.get("spec") or {}).get("path") or "")
        if is_folder(record):
            prune: Object = status.get("prune") or {}
            paused = is_paused(record)
            if status.get("state") == AWAITING_PRUNE:
                waiting, token = tuple(prune.get("objects") or ()), str(prune.get("token") or "")
        elif status.get("state") in _BAD_STATES:
            bad.append(path)
        elif is_paused(record) and status.get("state") not in _LET_GO:
            paused_files.append(path)
    return FolderSummary(tuple(sorted(bad)), waiting, token, paused, tuple(sorted(paused_files)))


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


@dataclass(frozen=True, slots=True)
class Keepers:
    """The files that undo what is done to some objects by hand, because the folder is the truth."""

    files: Sequence[Object] = ()
    """Their records, by path."""
    uids: frozenset[str] = frozenset()
    """The objects they keep."""

    @property
    def _named(self) -> str:
        more = f" and {len(self.files) - 1} more" if len(self.files) > 1 else ""
        return f"{self.files[0]['spec']['path']}{more}"

    @property
    def warning(self) -> list[str]:
        """A line for the dialog of such an action; none where no file minds."""
        if not self.files:
            return []
        text = f"{self._named} brought it: the folder puts back what the file says."
        return [f"{text} To keep a change, edit the file (e)."]

    @property
    def option(self) -> str:
        """What a dialog offers to do besides; "" where no file minds."""
        return f"Pause {self._named}, so that it stays" if self.files else ""

    async def pause(self, client: Client) -> None:
        """Have the files leave their objects alone."""
        for record in self.files:
            await annotate(client, record["metadata"]["name"], {PAUSED_ANNOTATION: "true"})


async def keepers_of(client: Client, catalog: Catalog, uids: Iterable[str]) -> Keepers:
    """Which files keep objects as they say; none while the folder is paused."""
    records = await read_records(client, catalog)
    if any(is_folder(record) and is_paused(record) for record in records):
        return Keepers()
    kept = {uid: file for uid in uids if (file := bringer_of(records, uid)) and not is_paused(file)}
    files = {str(file["spec"]["path"]): file for file in kept.values()}
    return Keepers([files[path] for path in sorted(files)], frozenset(kept))


async def annotate(client: Client, name: str, annotations: Object) -> None:
    """Ask something of the folder's syncer, through the annotations of a record."""
    await client.patch(MANIFEST_FILES, name, {"metadata": {"annotations": annotations}})


async def follow_records(client: Client, tell: Callable[[Sequence[Object]], None]) -> None:
    """Tell every record, now and whenever one changes; ends where the cluster watches no folder."""
    while True:
        try:
            listing = await client.list(MANIFEST_FILES)
            records = {record["metadata"]["name"]: record for record in listing.items}
            tell(list(records.values()))
            options = WatchOptions(resource_version=listing.resource_version)
            async with client.watch(MANIFEST_FILES, options=options) as batches:
                async for batch in batches:
                    for event in batch:
                        name = (event.object.get("metadata") or {}).get("name") or ""
                        if event.type == "DELETED":
                            records.pop(name, None)
                        elif event.type != "BOOKMARK":
                            records[name] = event.object
                    tell(list(records.values()))
        except StatusError as error:
            if error.code in (401, 403, 404):
                return
        except OSError:
            pass  # The view on the screen tells that the cluster is lost.
        await asyncio.sleep(_RETRY_SECONDS)


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
