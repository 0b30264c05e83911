"""The state a file deserves after a pass: a pure function of its record, its objects' outcomes and its problems."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ktui.engine.manifests.apply import Applied, Outcome, Refused, Waiting
from ktui.engine.manifests.plan import Wanted
from ktui.engine.manifests.record import Brought, FileRecord, Identity, State
from ktui.kube.manifest_problem import Problem


def judge(
    record: FileRecord,
    outcomes: Sequence[tuple[Wanted, Outcome | None]],
    problems: Sequence[Problem],
    *,
    is_paused: bool,
    drift: Sequence[str],
    is_drift_recent: bool,
    pending: str,
    now: str,
) -> FileRecord:
    """The file's record anew: `outcomes` of the objects it asks for, `drift` as it was put back,
    `pending` why the file may not have said its last word, `now` in RFC 3339."""
    found = list(problems)
    waiting = [pending] if pending else []
    inventory: dict[Identity, Brought] = {brought.identity: brought for brought in record.inventory}
    for item, outcome in outcomes:
        match outcome:
            case Applied(obj):
                uid = str(obj["metadata"]["uid"])
                inventory[item.identity] = Brought(item.identity, item.resource.api_version, uid, item.digest)
            case Refused(refused):
                found.extend(refused)
                _drop_unmade(inventory, item.identity)
            case Waiting(message):
                waiting.append(message)
            case None:
                waiting.append(f"{item.identity} is not applied yet")
    kept = tuple(inventory[identity] for identity in sorted(inventory))
    count = len(outcomes)
    state, message = State.SYNCED, f"{count} object{'' if count == 1 else 's'} applied"
    if found:
        state = State.INVALID
    elif is_paused:
        state, message = State.PAUSED, "paused; its objects are left as they are"
    elif waiting:
        state, message = State.PENDING, waiting[0]
    elif is_drift_recent:
        state, message = State.DRIFTED, drift[-1]
    is_fresh = any(brought.uid for brought in set(kept).difference(record.inventory))
    return replace(
        record,
        state=state,
        problems=tuple(sorted(found, key=lambda problem: problem.position)),
        inventory=kept,
        message=message,
        drift=tuple(drift),
        applied_at=now if is_fresh else record.applied_at,
    )


def _drop_unmade(inventory: dict[Identity, Brought], identity: Identity) -> None:
    """Take out what was announced and then refused: there is nothing to prune."""
    if identity in inventory and not inventory[identity].uid:
        del inventory[identity]
