"""READY, STATUS and RESTARTS of a pod, as `kubectl get pods` prints them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from ktui.kube.pod_summary import summarize

NOW = datetime(2026, 1, 1, 0, 10, tzinfo=UTC)
LONG_AGO = {"terminated": {"exitCode": 1, "finishedAt": "2026-01-01T00:05:00Z"}}


def status(name: str = "a", *, restarts: int = 0, ready: bool = False, **state: Any) -> dict[str, Any]:
    last = {"lastState": LONG_AGO} if restarts else {}
    return {"name": name, "restartCount": restarts, "ready": ready, "state": state, **last}


def pod(
    statuses: list[dict[str, Any]] | None = None,
    init: list[dict[str, Any]] | None = None,
    *,
    phase: str = "Running",
    conditions: dict[str, str] | None = None,
    sidecars: tuple[str, ...] = (),
    init_names: tuple[str, ...] = ("i", "j"),
    containers: int = 1,
    **extra: Any,
) -> dict[str, Any]:
    return {
        "metadata": {"name": "p", **extra.pop("metadata", {})},
        "spec": {
            "containers": [{"name": f"c{n}"} for n in range(containers)],
            "initContainers": [
                {"name": name, **({"restartPolicy": "Always"} if name in sidecars else {})}
                for name in init_names
            ]
            if init is not None
            else [],
        },
        "status": {
            "phase": phase,
            "containerStatuses": statuses or [],
            "initContainerStatuses": init or [],
            "conditions": [{"type": k, "status": v} for k, v in (conditions or {}).items()],
            **extra,
        },
    }


DONE = {"terminated": {"exitCode": 0, "reason": "Completed"}}
RUNNING: dict[str, Any] = {"running": {}}
DELETED = {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}


@pytest.mark.parametrize(
    ("given", "printed"),
    [
        (pod(phase="Pending"), "0/1 Pending 0"),
        (pod([status(ready=True, running={})]), "1/1 Running 0"),
        (pod([status(waiting={"reason": "ContainerCreating"})], phase="Pending"), "0/1 ContainerCreating 0"),
        (
            pod([status(restarts=3, waiting={"reason": "CrashLoopBackOff"})]),
            "0/1 CrashLoopBackOff 3 (5m ago)",
        ),
        (pod([status(terminated={"exitCode": 1, "reason": "Error"})], phase="Failed"), "0/1 Error 0"),
        (pod([status(terminated={"exitCode": 2})]), "0/1 ExitCode:2 0"),
        (pod([status(terminated={"exitCode": 137, "signal": 9})]), "0/1 Signal:9 0"),
        (pod([status(**DONE)], phase="Succeeded"), "0/1 Completed 0"),
        (
            pod(
                [status("a", ready=True, running={}), status("b", **DONE)],
                containers=2,
                conditions={"Ready": "True"},
            ),
            "1/2 Running 0",
        ),
        (pod([status("b", **DONE), status("a", ready=True, running={})], containers=2), "1/2 NotReady 0"),
        (pod(init=[status("i", waiting={"reason": "PodInitializing"})], phase="Pending"), "0/1 Init:0/2 0"),
        (pod(init=[status("i", **DONE), status("j", running={})], phase="Pending"), "0/1 Init:1/2 0"),
        (
            pod(init=[status("i", restarts=2, waiting={"reason": "CrashLoopBackOff"})], phase="Pending"),
            "0/1 Init:CrashLoopBackOff 2 (5m ago)",
        ),
        (pod(init=[status("i", terminated={"exitCode": 3, "reason": "Error"})]), "0/1 Init:Error 0"),
        (pod(init=[status("i", terminated={"exitCode": 3})]), "0/1 Init:ExitCode:3 0"),
        (pod(init=[status("i", terminated={"exitCode": 3, "signal": 15})]), "0/1 Init:Signal:15 0"),
        (
            pod(
                [status(waiting={"reason": "PodInitializing"})],
                init=[status("i", **DONE), status("j", **DONE)],
                phase="Pending",
            ),
            "0/1 PodInitializing 0",
        ),
        (
            pod(
                [status(ready=True, running={})],
                init=[{**status("i", restarts=1, ready=True, running={}), "started": True}],
                sidecars=("i",),
                init_names=("i",),
            ),
            "2/2 Running 1 (5m ago)",
        ),
        (
            pod(
                init=[{**status("i", running={}), "started": False}],
                sidecars=("i",),
                init_names=("i",),
                phase="Pending",
            ),
            "0/2 Init:0/1 0",
        ),
        (pod([status(ready=True, running={})], **DELETED), "1/1 Terminating 0"),
        (pod([status(**DONE)], phase="Succeeded", **DELETED), "0/1 Completed 0"),
        (pod([status(ready=True, running={})], reason="NodeLost", **DELETED), "1/1 Unknown 0"),
        (pod(phase="Failed", reason="Evicted"), "0/1 Evicted 0"),
        (
            {
                "spec": {"containers": [{}]},
                "status": {
                    "phase": "Pending",
                    "conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}],
                },
            },
            "0/1 SchedulingGated 0",
        ),
        ({}, "0/0  0"),
    ],
)
def test_a_pod_in_three_words(given, printed) -> None:
    summary = summarize(given)
    assert f"{summary.ready}/{summary.total} {summary.status} {summary.restarts_text(NOW)}" == printed
