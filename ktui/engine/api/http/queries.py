"""Query parameters of requests, and options in their bodies, as the options the server's verbs take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from aiohttp import web

from ktui.client.base import (
    DeleteOptions,
    ExecOptions,
    ListOptions,
    LogOptions,
    PatchType,
    WatchOptions,
    WriteOptions,
)
from ktui.kube.errors import StatusError, bad_request, status
from ktui.kube.resource import Object

_VALIDATIONS = ("Strict", "Warn", "Ignore")
_POLICIES = ("", "Background", "Foreground", "Orphan")


def flag(query: Mapping[str, str], name: str) -> bool:
    """A boolean parameter as Go's ParseBool reads it; present without a value is true."""
    value = query.get(name)
    if value is None:
        return False
    if value in ("", "1", "t", "T", "true", "TRUE", "True"):
        return True
    if value in ("0", "f", "F", "false", "FALSE", "False"):
        return False
    raise bad_request(f'invalid value "{value}" for {name}: must be true or false')


def number(query: Mapping[str, str], name: str) -> int | None:
    value = query.get(name)
    if value is None or value == "":
        return None
    try:
        return int(value)
    except ValueError:
        raise bad_request(f'invalid value "{value}" for {name}: must be an integer') from None


def list_options(query: Mapping[str, str]) -> ListOptions:
    return ListOptions(
        label_selector=query.get("labelSelector", ""),
        field_selector=query.get("fieldSelector", ""),
        limit=number(query, "limit") or None,
        continue_token=query.get("continue", ""),
        resource_version=query.get("resourceVersion"),
        resource_version_match=query.get("resourceVersionMatch", ""),
    )


def watch_options(query: Mapping[str, str]) -> WatchOptions:
    return WatchOptions(
        label_selector=query.get("labelSelector", ""),
        field_selector=query.get("fieldSelector", ""),
        resource_version=query.get("resourceVersion"),
        allow_bookmarks=flag(query, "allowWatchBookmarks"),
        send_initial_events=flag(query, "sendInitialEvents"),
        timeout_seconds=number(query, "timeoutSeconds"),
    )


def _dry_run(values: Sequence[str]) -> bool:
    for value in values:
        if value not in ("", "All"):
            raise bad_request(f'Invalid value: "{value}": dryRun: Unsupported value: supported values: "All"')
    return "All" in values


def write_options(request: web.Request) -> WriteOptions:
    query = request.query
    validation = query.get("fieldValidation") or "Warn"
    if validation not in _VALIDATIONS:
        raise bad_request(
            f'fieldValidation: Unsupported value: "{validation}": supported values: "Ignore", "Strict", "Warn"'
        )
    return WriteOptions(
        field_manager=query.get("fieldManager", ""),
        force=flag(query, "force"),
        dry_run=_dry_run(query.getall("dryRun", [])),
        field_validation=validation,
    )


def delete_options(request: web.Request, body: object) -> DeleteOptions:
    """From the body (`DeleteOptions`), with query parameters for what it leaves out."""
    given = cast(Object, body) if isinstance(body, dict) else {}
    query = request.query
    grace = given.get("gracePeriodSeconds", number(query, "gracePeriodSeconds"))
    policy = given.get("propagationPolicy") or query.get("propagationPolicy") or ""
    if flag(query, "orphanDependents") or given.get("orphanDependents"):
        policy = policy or "Orphan"
    if policy not in _POLICIES:
        raise bad_request(
            f'propagationPolicy: Unsupported value: "{policy}": '
            'supported values: "Background", "Foreground", "Orphan"'
        )
    if grace is not None and not isinstance(grace, int):
        raise bad_request("gracePeriodSeconds must be an integer")
    preconditions: Object = given.get("preconditions") or {}
    return DeleteOptions(
        grace_period_seconds=grace,
        propagation_policy=policy,
        uid=preconditions.get("uid") or "",
        resource_version=preconditions.get("resourceVersion") or "",
        dry_run=_dry_run([*query.getall("dryRun", []), *(given.get("dryRun") or ())]),
    )


def log_options(query: Mapping[str, str]) -> LogOptions:
    return LogOptions(
        container=query.get("container", ""),
        follow=flag(query, "follow"),
        previous=flag(query, "previous"),
        since_seconds=number(query, "sinceSeconds"),
        since_time=query.get("sinceTime", ""),
        timestamps=flag(query, "timestamps"),
        tail_lines=number(query, "tailLines"),
        limit_bytes=number(query, "limitBytes"),
    )


def exec_options(request: web.Request) -> ExecOptions:
    query = request.query
    return ExecOptions(
        container=query.get("container", ""),
        command=tuple(query.getall("command", [])),
        stdin=flag(query, "stdin"),
        stdout=flag(query, "stdout") or "stdout" not in query,
        stderr=flag(query, "stderr") or "stderr" not in query,
        tty=flag(query, "tty"),
    )


def patch_type(request: web.Request) -> PatchType:
    try:
        return PatchType(request.content_type)
    except ValueError:
        kinds = ", ".join(PatchType)
        raise StatusError(
            status(
                415,
                "UnsupportedMediaType",
                "the body of the request was in an unknown format - accepted media types include: " + kinds,
            )
        ) from None
