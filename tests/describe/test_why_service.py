"""Why a Service has no endpoints, from what the cluster recorded."""

from __future__ import annotations

from typing import Any

import pytest

from ktui.describe.why_service import lacks_endpoints, nearest_selector, why_no_endpoints
from ktui.kube.resource import Object


def service(selector: dict[str, str] | None = None, **spec: Any) -> Object:
    ports = [{"port": 80, "targetPort": "http", "protocol": "TCP"}]
    return {
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"type": "ClusterIP", "selector": selector, "ports": ports, **spec},
    }


def pod(name: str, labels: dict[str, str] | None = None, *, ready: bool = False, **status: Any) -> Object:
    ports = [{"name": "http", "containerPort": 8080}, {"name": "metrics", "containerPort": 9090}]
    conditions = [
        {"type": "Ready", "status": str(ready), "message": "containers with unready status: [main]"}
    ]
    return {
        "metadata": {"name": name, "uid": f"uid-{name}", "labels": labels or {"app": "web"}},
        "spec": {"containers": [{"name": "main", "ports": ports}]},
        "status": {"phase": "Running", "podIP": "10.1.0.1", "conditions": conditions, **status},
    }


def unhealthy(name: str, message: str, count: int, at: str) -> Object:
    return {
        "involvedObject": {"kind": "Pod", "name": name, "uid": f"uid-{name}"},
        "reason": "Unhealthy",
        "message": message,
        "count": count,
        "lastTimestamp": at,
    }


def piece(*ready: bool, port: str = "") -> Object:
    endpoints = [{"addresses": ["10.1.0.1"], "conditions": {"ready": each}} for each in ready]
    return {"endpoints": endpoints, "ports": [{"name": port, "port": 8080}]}


APP = {"app": "web"}


def why(found: Object, *pods: Object, slices: Any = (), events: Any = ()) -> list[str]:
    return why_no_endpoints(found, pods, slices, events)


def test_nothing_is_said_of_a_service_that_has_them() -> None:
    assert why(service(APP), slices=[piece(True, False)]) == []
    assert why(service(None, type="ExternalName")) == []
    assert lacks_endpoints(service(APP), [piece(False)])
    assert lacks_endpoints(service(APP), [piece(True, port="other")])
    assert not lacks_endpoints(service(APP, ports=[]), [piece(True)])


@pytest.mark.parametrize(
    ("selector", "line"),
    [
        ({"app": "wbe"}, "Did you mean app=web? It matches 2 pods (web-1, web-2)."),
        ({"App": "web"}, "Did you mean app=web? It matches 2 pods (web-1, web-2)."),
        ({"app.kubernetes.io/name": "web"}, "Did you mean app=web? It matches 2 pods (web-1, web-2)."),
        ({"app": "web", "tier": "frnt"}, "Did you mean app=web,tier=front? It matches pod web-2."),
        ({"app": "web", "zone": "eu"}, "Nearest is pod web-1: it has app=web, but not zone=eu."),
        ({"run": "else"}, "Their labels are app=db, app=web, tier=front."),
    ],
)
def test_a_selector_that_matches_nothing_and_the_nearest_one(selector: dict[str, str], line: str) -> None:
    pods = [
        pod("db", {"app": "db"}),
        pod("web-1", {**APP, "pod-template-hash": "else"}),
        pod("web-2", {**APP, "tier": "front"}),
    ]
    written = ",".join(f"{key}={value}" for key, value in selector.items())
    assert why(service(selector), *pods) == [
        f"Selector {written} matches none of the 3 pods in namespace shop. {line}"
    ]


def test_a_selector_where_there_are_no_pods() -> None:
    assert why(service(APP)) == ["Selector app=web matches nothing: there are no pods in namespace shop."]
    assert nearest_selector(APP, []) == {}


def test_a_service_without_selector() -> None:
    assert "create an EndpointSlice with the label kubernetes.io/service-name=web" in why(service())[0]
    assert why(service(), slices=[piece(False, False)]) == [
        "It has no selector; of its 2 endpoints, which were made by hand, none is ready on every port."
    ]


def test_pods_that_are_not_ready_with_the_probe_that_fails() -> None:
    waiting = {"reason": "CrashLoopBackOff", "message": "back-off 10s restarting failed container"}
    crashed = {"name": "main", "state": {"waiting": waiting}, "lastState": {"terminated": {"exitCode": 3}}}
    unscheduled = {
        "type": "PodScheduled",
        "status": "False",
        "message": "0/1 nodes are available: 1 Insufficient cpu.",
    }
    gated = pod("gated")
    gated["spec"]["readinessGates"] = [{"conditionType": "example.com/lb"}]
    leaving = pod("leaving")
    leaving["metadata"]["deletionTimestamp"] = "2026-01-02T03:04:05Z"
    refused = "Readiness probe failed: HTTP probe failed with statuscode: 503"
    events = [
        unhealthy("probed", "Readiness probe failed: old", 1, "2026-01-02T03:04:05Z"),
        unhealthy("probed", refused, 7, "2026-01-02T03:04:15Z"),
        unhealthy("once", refused, 1, "2026-01-02T03:04:15Z"),
    ]
    for found, line in (
        (pod("probed"), f"Pod probed is not ready: {refused} (7 times)."),
        (pod("once"), f"Pod once is not ready: {refused}."),
        (
            pod("crashes", containerStatuses=[crashed]),
            "Pod crashes is not ready: container main waits: CrashLoopBackOff (last exit code 3): "
            "back-off 10s restarting failed container.",
        ),
        (
            pod("unplaced", phase="Pending", conditions=[unscheduled]),
            "Pod unplaced is Pending, on no node yet: 0/1 nodes are available: 1 Insufficient cpu.",
        ),
        (
            pod("pulls", phase="Pending", containerStatuses=[{"name": "main", "state": {"waiting": {"reason": "ErrImagePull"}}}]),
            "Pod pulls is Pending: container main waits: ErrImagePull.",
        ),
        (pod("job", phase="Succeeded"), "Pod job has ended (Succeeded)."),
        (pod("evicted", phase="Failed", reason="Evicted"), "Pod evicted has ended (Failed: Evicted)."),
        (leaving, "Pod leaving is being deleted."),
        (gated, "Pod gated is not ready: its readiness gate example.com/lb is not True."),
        (pod("plain"), "Pod plain is not ready: containers with unready status: [main]."),
        (pod("addressless", ready=True, podIP=""), "Pod addressless has no IP address yet."),
    ):  # fmt: skip
        assert why(service(APP), found, events=events) == [line]
    many = [pod(f"p{n}") for n in range(8)]
    assert why(service(APP), *many)[-1] == "… and 3 more of the 8 pods it selects."


def test_a_target_port_that_names_no_port() -> None:
    ready = pod("web-1", ready=True)
    there = "there are http (8080/TCP), metrics (9090/TCP)."
    typo = service(APP, ports=[{"port": 80, "targetPort": "htpp"}])
    assert why(typo, ready, slices=[piece(True, port="none")]) == [
        f'targetPort "htpp" of port 80 names no TCP port of pod web-1: {there} Did you mean http?'
    ]
    udp = service(APP, ports=[{"port": 80, "targetPort": "http", "protocol": "UDP"}])
    assert why(udp, ready) == [f'targetPort "http" of port 80 names no UDP port of pod web-1: {there}']
    ready["spec"]["containers"][0]["ports"] = []
    assert why(typo, ready)[0].endswith("its containers name no ports; name one, or give its number.")


def test_ready_pods_that_the_controller_has_not_come_to() -> None:
    assert why(service(APP), pod("web-1", ready=True)) == [
        "Pods are ready (pod web-1), but are not in its EndpointSlices yet."
    ]
