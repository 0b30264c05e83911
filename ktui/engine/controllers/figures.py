"""What controllers' queues have to tell Prometheus, under client-go's names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from ktui.engine.controllers.workqueue import WorkQueue
from ktui.kube.prometheus import Family, Histogram

Named: TypeAlias = Sequence[tuple[str, WorkQueue[Any]]]


def queue_figures(queues: Named) -> Iterable[Family | Histogram]:
    """The figures of queues by their controllers' names."""
    labels = [({"name": name}, queue) for name, queue in queues]
    busy = [(label, queue.unfinished()) for label, queue in labels]
    return (
        Family(
            "workqueue_depth",
            "gauge",
            "[ALPHA] Current depth of workqueue",
            [(label, len(queue), None) for label, queue in labels],
        ),
        Family(
            "workqueue_adds_total",
            "counter",
            "[ALPHA] Total number of adds handled by workqueue",
            [(label, queue.adds, None) for label, queue in labels],
        ),
        Family(
            "workqueue_retries_total",
            "counter",
            "[ALPHA] Total number of retries handled by workqueue",
            [(label, queue.retries, None) for label, queue in labels],
        ),
        Histogram(
            "workqueue_queue_duration_seconds",
            "[ALPHA] How long in seconds an item stays in workqueue before being requested.",
            [(label, queue.waited) for label, queue in labels],
        ),
        Histogram(
            "workqueue_work_duration_seconds",
            "[ALPHA] How long in seconds processing an item from workqueue takes.",
            [(label, queue.worked) for label, queue in labels],
        ),
        Family(
            "workqueue_unfinished_work_seconds",
            "gauge",
            "[ALPHA] How many seconds of work has done that is in progress and hasn't been observed by work_duration.",
            [(label, sum(seconds), None) for label, seconds in busy],
        ),
        Family(
            "workqueue_longest_running_processor_seconds",
            "gauge",
            "[ALPHA] How many seconds has the longest running processor for workqueue been running.",
            [(label, max(seconds, default=0.0), None) for label, seconds in busy],
        ),
    )
