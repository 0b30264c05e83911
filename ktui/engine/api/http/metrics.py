"""`/metrics`: the server's figures for Prometheus, under the names kube-apiserver gives them.

In: what the front counts, what the store holds, what the process uses, and the figures of other parts, which the
engine adds. Who may read it is a matter of rules on the path (`nonResourceURLs`).
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, TypeAlias

from aiohttp import web

from ktui.engine.api.http.identity import user_of
from ktui.engine.api.http.limits import FlowControl
from ktui.engine.api.http.traffic import Series, Traffic
from ktui.engine.api.server import ApiServer
from ktui.kube import version
from ktui.kube.prometheus import CONTENT_TYPE, Family, Histogram, Labels, exposed

Figures: TypeAlias = Callable[[], Iterable[Family | Histogram]]
"""What a part of the engine has to tell."""

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_LEVEL: Final = {"priority_level": "global-default"}
_SCHEMA: Final = {"flow_schema": "global-default", **_LEVEL}


class MetricsHandlers:
    """Answers the one path."""

    def __init__(
        self, server: ApiServer, traffic: Traffic, flows: FlowControl, others: Sequence[Figures]
    ) -> None:
        self._server = server
        self._traffic = traffic
        self._flows = flows
        self._others = others
        self._started = time.time() - _uptime()

    def routes(self) -> list[web.RouteDef]:
        """Where it is."""
        return [web.get("/metrics", self._metrics)]

    async def _metrics(self, request: web.Request) -> web.Response:
        await self._server.authorizer.authorize_path(user_of(request), "get", request.path)
        families = [
            *_requests(self._traffic),
            *_flow_families(self._flows),
            _storage(self._server),
            _build(),
            *_process(self._started),
        ]
        for figures in self._others:
            families += figures()
        return web.Response(body=exposed(families), headers={"Content-Type": CONTENT_TYPE})


def _requests(traffic: Traffic) -> list[Family | Histogram]:
    totals = [
        ({**_labels(series), "code": str(code), "dry_run": ""}, count, None)
        for series, record in traffic.records.items()
        for code, count in record.codes.items()
    ]
    durations = [
        ({**_labels(series), "dry_run": ""}, record.durations)
        for series, record in traffic.records.items()
        if not series.length
    ]
    running = [
        (_labels(series), record.running, None) for series, record in traffic.records.items() if series.length
    ]
    return [
        Family(
            "apiserver_request_total",
            "counter",
            "[STABLE] Counter of apiserver requests broken out for each verb, dry run value, group, version, "
            "resource, scope, component, and HTTP response code.",
            totals,
        ),
        Histogram(
            "apiserver_request_duration_seconds",
            "[STABLE] Response latency distribution in seconds for each verb, dry run value, group, version, "
            "resource, subresource, scope and component.",
            durations,
        ),
        Family(
            "apiserver_longrunning_requests",
            "gauge",
            "[STABLE] Gauge of all active long-running apiserver requests broken out by verb, group, version, "
            "resource, scope and component. Not all requests are tracked this way.",
            running,
        ),
        Family(
            "apiserver_registered_watchers",
            "gauge",
            "[ALPHA] Number of currently registered watchers for a given resources",
            _watchers(traffic),
        ),
        Family(
            "apiserver_request_aborts_total",
            "counter",
            "[ALPHA] Number of requests which apiserver aborted, because the client had left.",
            [({}, traffic.aborted, None)],
        ),
    ]


def _labels(series: Series) -> Labels:
    return {
        "component": "apiserver",
        "group": series.group,
        "resource": series.resource,
        "scope": series.scope,
        "subresource": series.subresource,
        "verb": series.verb,
        "version": series.version,
    }


def _watchers(traffic: Traffic) -> list[tuple[Labels, float, None]]:
    counts: dict[tuple[str, str, str], int] = {}
    for series, record in traffic.records.items():
        if series.length == "watch":
            key = (series.group, series.version, series.resource)
            counts[key] = counts.get(key, 0) + record.running
    return [
        ({"group": group, "version": number, "kind": plural}, count, None)
        for (group, number, plural), count in counts.items()
    ]


def _flow_families(flows: FlowControl) -> list[Family]:
    return [
        Family(
            "apiserver_current_inflight_requests",
            "gauge",
            "[STABLE] Maximal number of currently used inflight request limit of this apiserver per request kind in "
            "last second.",
            [
                ({"request_kind": "mutating"}, flows.writing, None),
                ({"request_kind": "readOnly"}, flows.reading, None),
            ],
        ),
        Family(
            "apiserver_flowcontrol_current_inqueue_requests",
            "gauge",
            "[BETA] Number of requests currently pending in queues of the API Priority and Fairness subsystem",
            [(_SCHEMA, flows.queued, None)],
        ),
        Family(
            "apiserver_flowcontrol_current_executing_requests",
            "gauge",
            "[BETA] Number of requests in initial (for a WATCH) or any (for a non-WATCH) execution stage in the API "
            "Priority and Fairness subsystem",
            [(_SCHEMA, flows.seated, None)],
        ),
        Family(
            "apiserver_flowcontrol_rejected_requests_total",
            "counter",
            "[BETA] Number of requests rejected by API Priority and Fairness subsystem",
            [({**_SCHEMA, "reason": reason}, count, None) for reason, count in flows.rejected.items()],
        ),
    ]


def _storage(server: ApiServer) -> Family:
    return Family(
        "apiserver_storage_objects",
        "gauge",
        "[STABLE] Number of stored objects at the time of last check split by kind.",
        [({"resource": key}, count, None) for key, count in sorted(server.stored().items())],
    )


def _build() -> Family:
    about = {"git_version": version.GIT_VERSION, "major": version.MAJOR, "minor": version.MINOR}
    return Family(
        "kubernetes_build_info",
        "gauge",
        "[ALPHA] A metric with a constant '1' value labeled by major, minor and git version.",
        [(about, 1, None)],
    )


def _process(started: float) -> list[Family]:
    """The process as the client libraries of Prometheus tell of it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    virtual, resident = (int(field) * _PAGE for field in Path("/proc/self/statm").read_text().split()[:2])
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    rows = (
        (
            "cpu_seconds_total",
            "counter",
            "Total user and system CPU time spent in seconds.",
            used.ru_utime + used.ru_stime,
        ),
        ("resident_memory_bytes", "gauge", "Resident memory size in bytes.", resident),
        ("virtual_memory_bytes", "gauge", "Virtual memory size in bytes.", virtual),
        (
            "open_fds",
            "gauge",
            "Number of open file descriptors.",
            sum(1 for _ in Path("/proc/self/fd").iterdir()),
        ),
        ("max_fds", "gauge", "Maximum number of open file descriptors.", most),
        ("start_time_seconds", "gauge", "Start time of the process since unix epoch in seconds.", started),
    )
    return [Family(f"process_{name}", kind, text, [({}, value, None)]) for name, kind, text, value in rows]


def _uptime() -> float:
    """How many seconds ago the process began."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / _TICKS
