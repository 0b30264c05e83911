"""Deleting what no file asks for any more, with a brake: many objects at once wait for a person's yes."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ktui.client.base import Client
from ktui.engine.manifests.apply import Pruned, prune
from ktui.engine.manifests.plan import KindIndex, in_prune_order
from ktui.engine.manifests.record import (
    APPROVE_PRUNE_ANNOTATION,
    Brought,
    FolderRecord,
    FolderState,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PruneResult:
    """What was deleted, by path, and the state that puts the folder in."""

    state: FolderState = FolderState.WATCHING
    message: str = ""
    pruned: Mapping[str, Sequence[Brought]] = field(default_factory=dict[str, Sequence[Brought]])
    waiting: tuple[Brought, ...] = ()
    failed: bool = False
    """Whether something is left to be tried again."""


class Pruner:
    """Prunes at most `limit` objects in one go without being asked."""

    def __init__(self, client: Client, limit: int) -> None:
        self._client = client
        self._limit = limit

    async def prune(
        self, doomed: Mapping[str, Sequence[Brought]], kinds: KindIndex, folder: FolderRecord
    ) -> PruneResult:
        """Delete what is doomed (by path), unless that is too much at once and nobody has approved it."""
        if folder.paused:
            return PruneResult(FolderState.PAUSED, "paused; nothing is applied or pruned")
        everything = in_prune_order({brought for items in doomed.values() for brought in items})
        waiting = tuple(everything)
        if len(waiting) > self._limit:
            token = FolderRecord(folder.folder, prune=waiting).prune_token
            if folder.annotations.get(APPROVE_PRUNE_ANNOTATION) != token:
                message = f"{len(waiting)} objects are no longer in the folder; say yes to delete them"
                return PruneResult(FolderState.AWAITING_PRUNE, message, waiting=waiting)
        messages: list[str] = []
        gone: set[Brought] = set()
        for brought in everything:
            resource = kinds.find({"apiVersion": brought.api_version, "kind": brought.identity.kind})
            # A kind that is not served any more took its objects along.
            outcome = await prune(self._client, resource, brought) if resource else Pruned()
            if outcome.message:
                messages.append(f"{brought.identity}: {outcome.message}")
                log.warning("manifests: not pruned: %s", messages[-1])
            if outcome.is_final:
                gone.add(brought)
        pruned = {path: [item for item in items if item in gone] for path, items in doomed.items()}
        failed = len(gone) < len(everything)
        return PruneResult(message="; ".join(messages), pruned=pruned, failed=failed)
