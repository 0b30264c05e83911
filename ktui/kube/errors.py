"""API errors as Kubernetes' `Status` objects: the one exception type that crosses every client.

Codes, reasons and messages are kube-apiserver's (apimachinery `api/errors`); `StatusError` is raised by the
API server and by remote clients alike, and mapped to HTTP, a CLI line or a TUI notice at the rim.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ktui.kube.resource import Object, Resource


@dataclass(frozen=True, slots=True)
class Cause:
    """One field error: `reason` is a CauseType (FieldValueInvalid, FieldValueRequired, …)."""

    field: str
    reason: str
    message: str

    def to_object(self) -> Object:
        return {"reason": self.reason, "message": self.message, "field": self.field}


class StatusError(Exception):
    """A failed API call. `status` is the `Status` object as Kubernetes would send it."""

    def __init__(self, status: Object) -> None:
        self.status = status
        super().__init__(self.message)

    @property
    def code(self) -> int:
        return int(self.status.get("code") or 500)

    @property
    def reason(self) -> str:
        return str(self.status.get("reason") or "")

    @property
    def message(self) -> str:
        return str(self.status.get("message") or "")

    @property
    def details(self) -> Object:
        return self.status.get("details") or {}

    @property
    def causes(self) -> list[Cause]:
        return [
            Cause(c.get("field", ""), c.get("reason", ""), c.get("message", ""))
            for c in self.details.get("causes") or ()
        ]

    @property
    def is_not_found(self) -> bool:
        return self.reason == "NotFound"

    @property
    def is_already_exists(self) -> bool:
        return self.reason == "AlreadyExists"

    @property
    def is_conflict(self) -> bool:
        return self.reason == "Conflict"

    @property
    def is_invalid(self) -> bool:
        return self.reason == "Invalid"

    @property
    def is_expired(self) -> bool:
        return self.reason in ("Expired", "Gone")


def status(code: int, reason: str, message: str, details: dict[str, Any] | None = None) -> Object:
    """Build a Failure `Status` (meta/v1)."""
    obj: Object = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }
    if details:
        obj["details"] = details
    return obj


def _details(resource: Resource, name: str) -> dict[str, Any]:
    details = {"name": name, "group": resource.group, "kind": resource.plural}
    return {k: v for k, v in details.items() if v}


def not_found(resource: Resource, name: str) -> StatusError:
    return StatusError(
        status(404, "NotFound", f'{resource.key} "{name}" not found', _details(resource, name))
    )


def already_exists(resource: Resource, name: str) -> StatusError:
    return StatusError(
        status(409, "AlreadyExists", f'{resource.key} "{name}" already exists', _details(resource, name))
    )


def conflict(resource: Resource, name: str, message: str) -> StatusError:
    return StatusError(
        status(
            409,
            "Conflict",
            f'Operation cannot be fulfilled on {resource.key} "{name}": {message}',
            _details(resource, name),
        )
    )


def apply_conflict(message: str, causes: Sequence[Cause]) -> StatusError:
    """A server-side apply that would take fields from other managers (reason Conflict, FieldManagerConflict)."""
    return StatusError(status(409, "Conflict", message, {"causes": [cause.to_object() for cause in causes]}))


def invalid(resource: Resource, name: str, causes: Iterable[Cause]) -> StatusError:
    """422 with every field error, worded as kube-apiserver words it: `Pod "x" is invalid: spec.y: …`."""
    listed = list(causes)
    lines = [f"{c.field}: {c.message}" for c in listed]
    text = lines[0] if len(lines) == 1 else "[" + ", ".join(lines) + "]"
    kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    details: dict[str, Any] = {
        "name": name,
        "group": resource.group,
        "kind": resource.kind,
        "causes": [c.to_object() for c in listed],
    }
    return StatusError(
        status(
            422,
            "Invalid",
            f'{kind} "{name}" is invalid: {text}',
            {k: v for k, v in details.items() if v},
        )
    )


def bad_request(message: str) -> StatusError:
    return StatusError(status(400, "BadRequest", message))


def forbidden(resource: Resource, name: str, message: str) -> StatusError:
    return StatusError(
        status(403, "Forbidden", f'{resource.key} "{name}" is forbidden: {message}', _details(resource, name))
    )


def method_not_supported(resource: Resource, verb: str) -> StatusError:
    return StatusError(
        status(
            405,
            "MethodNotAllowed",
            f'{verb} is not supported on resources of kind "{resource.key}"',
            _details(resource, ""),
        )
    )


def expired(message: str) -> StatusError:
    """410: the resourceVersion asked for is no longer in history; the client must list again."""
    return StatusError(status(410, "Expired", message))


def too_many_requests(message: str, retry_after_seconds: int) -> StatusError:
    return StatusError(status(429, "TooManyRequests", message, {"retryAfterSeconds": retry_after_seconds}))


def internal(message: str) -> StatusError:
    return StatusError(status(500, "InternalError", f"Internal error occurred: {message}"))


def unavailable(message: str) -> StatusError:
    return StatusError(status(503, "ServiceUnavailable", message))
