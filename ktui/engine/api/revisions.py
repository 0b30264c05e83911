"""resourceVersion and continue tokens: read from a query, checked, and refused as kube-apiserver refuses them."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Final

import msgspec

from ktui.client.base import ListOptions
from ktui.engine.store.base import Key
from ktui.kube.errors import Cause, StatusError, bad_request, expired, invalid, status
from ktui.kube.resource import Resource

_LIST_OPTIONS = Resource("meta.k8s.io", "v1", "listoptions", "ListOptions", False)

_EXPIRED_CONTINUE = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list "
    "without the continue parameter, or use the continue token in this response to retrieve the remainder of the "
    "results. Continuing with the provided token results in an inconsistent list - objects that were created, "
    "modified, or deleted between the time the first chunk was returned and now may show up in the list."
)


LONGEST_LISTING_SECONDS: Final = 300.0
"""How long a listing in pages may take: kube-apiserver forgets the past after five minutes, too."""


class _Token(msgspec.Struct, omit_defaults=True):
    v: str
    rv: int
    start: str
    since: float = 0.0


_decode_token = msgspec.json.Decoder(_Token).decode


@dataclass(frozen=True, slots=True)
class Position:
    """Where a listing goes on: after `after`, at `revision` (None: at the newest, an inconsistent list)."""

    after: Key
    revision: int | None
    since: float = 0.0
    """When the listing began, in seconds since the epoch; 0: unknown."""

    def is_over(self, now: float) -> bool:
        """Whether the listing has taken longer than its consistent view of the past is kept for."""
        return self.revision is not None and 0 < self.since < now - LONGEST_LISTING_SECONDS


def parse_revision(text: str) -> int:
    """Read a resourceVersion of a query."""
    if not (text.isascii() and text.isdigit()) or int(text) > 2**64 - 1:
        raise bad_request(
            f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
        )
    return int(text)


def continue_token(key: Key, revision: int, since: float = 0.0) -> str:
    """The opaque token of a listing cut off after `key` that began at `since`; revision -1 makes an inconsistent one."""
    start = f"{key.namespace}/{key.name}" if key.namespace else key.name
    token = msgspec.json.encode(_Token("meta.k8s.io/v1", revision, start + "\0", since))
    return base64.urlsafe_b64encode(token).rstrip(b"=").decode()


def parse_continue(token: str, resource: str) -> Position:
    """Read a token of `continue_token`."""
    try:
        data = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        found = _decode_token(data)
    except (binascii.Error, ValueError, msgspec.MsgspecError) as error:
        raise bad_request(f"continue key is not valid: {error}") from error
    if found.v != "meta.k8s.io/v1":
        raise bad_request(
            f'continue key is not valid: server does not recognize this encoded version "{found.v}"'
        )
    if not found.start or (found.rv < -1 or found.rv == 0):
        raise bad_request(
            "continue key is not valid: incorrect encoded start resourceVersion (version meta.k8s.io/v1)"
        )
    namespace, _, name = found.start.rstrip("\0").rpartition("/")
    return Position(Key(resource, namespace, name), None if found.rv < 0 else found.rv, found.since)


def expired_continue(position: Position) -> StatusError:
    """410 with the token that continues inconsistently."""
    error = expired(_EXPIRED_CONTINUE)
    error.status["metadata"] = {"continue": continue_token(position.after, -1)}
    return error


def too_large(asked: int, current: int) -> StatusError:
    """504: the version asked for is not written yet."""
    return StatusError(
        status(
            504,
            "Timeout",
            f"Timeout: Too large resource version: {asked}, current: {current}",
            {
                "retryAfterSeconds": 1,
                "causes": [
                    {
                        "reason": "ResourceVersionTooLarge",
                        "message": "Too large resource version",
                        "field": "",
                    }
                ],
            },
        )
    )


def too_old(asked: int, oldest: int) -> StatusError:
    """410 of a watch: history starts later."""
    return expired(f"too old resource version: {asked} ({oldest})")


def check_list_options(options: ListOptions) -> None:
    """The rules on resourceVersion, its match and continue of a list."""
    match = options.resource_version_match
    version = options.resource_version
    if options.continue_token and version not in (None, "", "0"):
        raise bad_request("specifying resource version is not allowed when using continue")
    if not match:
        return
    causes: list[Cause] = []
    field = "resourceVersionMatch"

    def forbid(message: str) -> None:
        causes.append(Cause(field, "FieldValueForbidden", f"Forbidden: {message}"))

    if options.continue_token:
        forbid("resourceVersionMatch is forbidden when continue is provided")
    elif not version:
        forbid("resourceVersionMatch is forbidden unless resourceVersion is provided")
    if match not in ("Exact", "NotOlderThan"):
        causes.append(
            Cause(
                field,
                "FieldValueNotSupported",
                f'Unsupported value: "{match}": supported values: "Exact", "NotOlderThan", ""',
            )
        )
    if match == "Exact" and version == "0":
        forbid('resourceVersionMatch "exact" is forbidden for resourceVersion "0"')
    if causes:
        raise invalid(_LIST_OPTIONS, "", causes)
