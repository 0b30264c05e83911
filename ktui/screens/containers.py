"""The containers of a pod as a view of the browser: init containers, then the pod's own, then ephemeral ones.

In: the pod, watched. Out: Table rows like any kind's, so that filter, sort, marks and actions work as everywhere.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from ktui.client.base import Client, WatchOptions
from ktui.kube.age import human_duration
from ktui.kube.clock import parse_time
from ktui.kube.errors import StatusError
from ktui.kube.kinds import PODS
from ktui.kube.resource import Object, Resource
from ktui.screens.live_table import Link, Sink

CONTAINERS = Resource("", "", "containers", "Container", True, "container", verbs=("list",))
"""Not a kind of the API: what a pod consists of. Actions name it in `kinds` as `containers`; `Item.pod` is the pod."""

_COLUMNS = [
    {"name": "Name", "type": "string"},
    {"name": "Type", "type": "string"},
    {"name": "Ready", "type": "string"},
    {"name": "State", "type": "string"},
    {"name": "Restarts", "type": "string"},
    {"name": "Image", "type": "string"},
    {"name": "Ports", "type": "string"},
    {"name": "Probes", "type": "string"},
    {"name": "CPU Req/Lim", "type": "string", "priority": 1},
    {"name": "Memory Req/Lim", "type": "string", "priority": 1},
    {"name": "Container ID", "type": "string", "priority": 1},
    {"name": "Age", "type": "string"},
]
_LISTS = (
    ("initContainers", "initContainerStatuses", "init"),
    ("containers", "containerStatuses", "container"),
    ("ephemeralContainers", "ephemeralContainerStatuses", "ephemeral"),
)


class ContainerSource:
    """Rows of one pod's containers, live."""

    def __init__(self, client: Client, *, namespace: str, pod: str) -> None:
        self._client = client
        self._namespace = namespace
        self._pod = pod

    async def run(self, sink: Sink) -> None:
        """Watch the pod; once it is deleted its containers stay, marked as gone, until the view is left."""
        sink.on_columns(_COLUMNS)
        selector = f"metadata.name={self._pod}"
        while True:
            try:
                pod = await self._client.get(PODS, self._pod, self._namespace)
                sink.on_rows(container_rows(pod), append=False, more=False)
                sink.on_link(Link.LIVE, "")
                options = WatchOptions(
                    field_selector=selector, resource_version=pod["metadata"].get("resourceVersion")
                )
                async with self._client.watch(PODS, self._namespace, options=options) as batches:
                    async for batch in batches:
                        for event in batch:
                            if event.type == "DELETED":
                                sink.on_link(Link.REFUSED, f'pod "{self._pod}" is gone')
                                return
                            if event.type != "BOOKMARK":
                                rows = container_rows(event.object)
                                sink.on_changes({row["object"]["metadata"]["uid"]: row for row in rows})
            except StatusError as error:
                if error.is_not_found:
                    sink.on_link(Link.REFUSED, error.message)
                    return
                if not error.is_expired:
                    sink.on_link(Link.RECONNECTING, error.message)
            except OSError as error:
                sink.on_link(Link.RECONNECTING, str(error))
            await asyncio.sleep(1.0)


def container_rows(pod: Object, now: float | None = None) -> list[Object]:
    """Table rows for every container of a pod."""
    now = time.time() if now is None else now
    metadata, spec = pod.get("metadata") or {}, pod.get("spec") or {}
    status: Object = pod.get("status") or {}
    rows: list[Object] = []
    for containers, statuses, type_name in _LISTS:
        known: dict[str, Object] = {s.get("name", ""): s for s in status.get(statuses) or ()}
        for container in spec.get(containers) or ():
            sidecar = type_name == "init" and container.get("restartPolicy") == "Always"
            rows.append(
                _row(
                    metadata,
                    container,
                    known.get(container["name"]) or {},
                    "sidecar" if sidecar else type_name,
                    now,
                )
            )
    return rows


def _row(metadata: Object, container: Object, status: Object, type_name: str, now: float) -> Object:
    name = container["name"]
    state, started = _state(status)
    cells: list[Any] = [
        name,
        type_name,
        str(bool(status.get("ready"))).lower(),
        state,
        _restarts(status, now),
        container.get("image"),
        ",".join(
            f"{p.get('containerPort')}/{p.get('protocol') or 'TCP'}" for p in container.get("ports") or ()
        )
        or None,
        _probes(container),
        _resource(container, "cpu"),
        _resource(container, "memory"),
        status.get("containerID"),
        "",
    ]
    return {
        "cells": cells,
        "pod": metadata.get("name"),
        "object": {
            "metadata": {
                "name": name,
                "namespace": metadata.get("namespace"),
                "uid": f"{metadata.get('uid')}/{name}",
                "creationTimestamp": started,
                "labels": metadata.get("labels"),
            }
        },
    }


def _state(status: Object) -> tuple[str, str | None]:
    state: Object = status.get("state") or {}
    if "running" in state:
        return "Running", (state["running"] or {}).get("startedAt")
    if "terminated" in state:
        ended: Object = state["terminated"] or {}
        reason = ended.get("reason") or f"ExitCode:{ended.get('exitCode')}"
        code = f" ({ended.get('exitCode')})" if ended.get("exitCode") and ended.get("reason") else ""
        return f"{reason}{code}", ended.get("finishedAt")
    if "waiting" in state:
        return str((state["waiting"] or {}).get("reason") or "Waiting"), None
    return "Waiting", None


def _restarts(status: Object, now: float) -> str:
    count = int(status.get("restartCount") or 0)
    finished = ((status.get("lastState") or {}).get("terminated") or {}).get("finishedAt")
    if not count or not finished:
        return str(count)
    return f"{count} ({human_duration(now - parse_time(finished).timestamp())} ago)"


def _probes(container: Object) -> str | None:
    names = {"livenessProbe": "live", "readinessProbe": "ready", "startupProbe": "start"}
    return ",".join(short for field, short in names.items() if container.get(field)) or None


def _resource(container: Object, name: str) -> str | None:
    resources: Object = container.get("resources") or {}
    parts: Sequence[str] = [
        str((resources.get(side) or {}).get(name) or "-") for side in ("requests", "limits")
    ]
    return None if set(parts) == {"-"} else "/".join(parts)
