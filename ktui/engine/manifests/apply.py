"""Applying and pruning one object through the API, and telling what came of it in terms of the file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

from ktui.client.base import Client, DeleteOptions, PatchType, WriteOptions
from ktui.engine.manifests.autoscaled import with_live_replicas
from ktui.engine.manifests.plan import Wanted
from ktui.engine.manifests.record import Brought, Identity
from ktui.kube.errors import StatusError
from ktui.kube.manifest_problem import Problem, explain
from ktui.kube.resource import Object, Resource

FIELD_MANAGER = "ktui"

_REPLACED_KINDS = frozenset(("Pod", "Job"))
"""Kinds that can hardly be changed in place and hold nothing worth keeping: they are made anew."""
_IMMUTABLE = re.compile(r"immutable|updates may not change fields|may not be changed", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Applied:
    """The object is as the file says."""

    object: Object


@dataclass(frozen=True, slots=True)
class Waiting:
    """It can't be yet: something it needs is missing, or the API is not to be had. Try again."""

    message: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The API refused it; trying again won't help before the file changes."""

    problems: tuple[Problem, ...]


Outcome: TypeAlias = Applied | Waiting | Refused


async def apply(client: Client, wanted: Wanted) -> Outcome:
    """Server-side apply of one object as field manager `ktui`, taking its fields from other managers."""
    options = WriteOptions(field_manager=FIELD_MANAGER, force=True, field_validation="Strict")
    identity = wanted.identity
    try:
        obj = await client.patch(
            wanted.resource,
            identity.name,
            await with_live_replicas(client, wanted),
            identity.namespace,
            patch_type=PatchType.APPLY,
            options=options,
        )
    except StatusError as error:
        if _must_be_replaced(wanted, error):
            return await _replace(client, wanted, error)
        return _judge(wanted, error)
    except (OSError, TimeoutError) as error:
        return Waiting(f"the API can't be reached: {error}")
    if obj["metadata"].get("deletionTimestamp"):
        return Waiting(f"{identity} is being deleted; it is applied again once it is gone")
    return Applied(obj)


@dataclass(frozen=True, slots=True)
class Pruned:
    """What came of a deletion: what went wrong, and whether there is nothing more to do."""

    message: str = ""
    is_final: bool = True


async def prune(client: Client, resource: Resource, brought: Brought) -> Pruned:
    """Delete what a file brought, if it still is the same object."""
    identity = brought.identity
    try:
        uid = brought.uid or await _own_uid(client, resource, identity)
        if uid:
            options = DeleteOptions(uid=uid, propagation_policy="Background")
            await client.delete(resource, identity.name, identity.namespace, options=options)
    except StatusError as error:
        if error.is_not_found or error.is_conflict:
            return Pruned()
        return Pruned(error.message, is_final=error.code == 403)
    except (OSError, TimeoutError) as error:
        return Pruned(f"the API can't be reached: {error}", is_final=False)
    return Pruned()


async def _own_uid(client: Client, resource: Resource, identity: Identity) -> str:
    """The UID of an object whose record was written but not what became of it: "" unless it was applied."""
    metadata: Object = (await client.get(resource, identity.name, identity.namespace))["metadata"]
    managers: list[Object] = metadata.get("managedFields") or []
    is_own = any(
        entry.get("manager") == FIELD_MANAGER and entry.get("operation") == "Apply" for entry in managers
    )
    return metadata["uid"] if is_own else ""


def _must_be_replaced(wanted: Wanted, error: StatusError) -> bool:
    causes = error.causes
    return (
        wanted.identity.kind in _REPLACED_KINDS
        and error.is_invalid
        and bool(causes)
        and all(_IMMUTABLE.search(cause.message) for cause in causes)
    )


async def _replace(client: Client, wanted: Wanted, error: StatusError) -> Outcome:
    identity = wanted.identity
    try:
        await client.delete(wanted.resource, identity.name, identity.namespace)
    except StatusError as failure:
        if not failure.is_not_found:
            return _judge(wanted, error)
    return Waiting(f"{identity} is being replaced: what changed in the file can't be changed in place")


def _judge(wanted: Wanted, error: StatusError) -> Outcome:
    details = error.details
    if error.is_not_found and details.get("kind") == "namespaces":
        return Waiting(error.message)
    if any(cause.reason == "NamespaceTerminating" for cause in error.causes):
        return Waiting(f"namespace {wanted.identity.namespace} is being deleted")
    if error.code >= 500 or error.code == 429 or error.is_conflict:
        return Waiting(error.message)
    return Refused(explain(wanted.document, error))
