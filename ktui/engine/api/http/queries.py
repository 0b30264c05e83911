"""Query parameters and bodies of requests as the options the server's verbs take."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec
import yaml
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
from ktui.engine.api import protobuf
from ktui.kube.errors import StatusError, bad_request, status
from ktui.kube.manifest import MAX_DEPTH, ManifestError, parse
from ktui.kube.resource import Object

_LARGE_BYTES = 64 * 1024
"""YAML of more than this is read beside the loop."""
_decode = msgspec.json.Decoder(Any).decode
_AS_PARENTHESES = bytes.maketrans(b"{}[]", b"()()")
_NO_BRACKETS = bytes(set(range(256)) - set(b"{}[]"))
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


async def read_body(request: web.Request) -> Any:
    """The body decoded from JSON, YAML or Kubernetes' protobuf; None when there is none."""
    data = await request.read()
    if not data:
        return None
    kind = request.content_type
    if kind == protobuf.MEDIA_TYPE:
        try:
            return protobuf.decode(data)
        except (protobuf.ProtobufError, RecursionError) as error:
            raise bad_request(f"the body is not valid: {error}") from None
    if kind in ("application/yaml", "application/x-yaml", "text/yaml", str(PatchType.APPLY)):
        return await asyncio.to_thread(_from_yaml, data) if len(data) > _LARGE_BYTES else _from_yaml(data)
    if kind in (
        "application/json",
        "application/octet-stream",
        PatchType.JSON,
        PatchType.MERGE,
        PatchType.STRATEGIC,
    ):
        try:
            return _not_too_deep(data, _decode(data))
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise bad_request(f"the body is not valid JSON: {error}") from None
    raise StatusError(
        status(
            415,
            "UnsupportedMediaType",
            "the body of the request was in an unknown format - accepted media types include: "
            f"application/json, application/yaml, {protobuf.MEDIA_TYPE}",
        )
    )


def _not_too_deep(data: bytes, value: Any) -> Any:
    """The decoded value, if everything that walks it will get to its end. Raises 400."""
    if data.count(b"{") + data.count(b"[") <= MAX_DEPTH:
        return value
    outside = b"".join(data.replace(rb"\\", b"").replace(rb"\"", b"").split(b'"')[::2])
    brackets = outside.translate(_AS_PARENTHESES, _NO_BRACKETS)
    for _ in range(MAX_DEPTH):
        brackets = brackets.replace(b"()", b"")
        if not brackets:
            return value
    raise bad_request(f"the body is nested more than {MAX_DEPTH} levels deep")


def _from_yaml(data: bytes) -> Any:
    try:
        return _not_too_deep(data, _decode(data))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        pass
    try:
        documents = parse(data)
    except (ManifestError, yaml.YAMLError) as error:
        raise bad_request(f"the body is not valid YAML: {error}") from None
    if len(documents) != 1:
        raise bad_request(f"the body must hold one object, found {len(documents)}")
    return documents[0].object


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
