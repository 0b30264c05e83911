"""The status of a HorizontalPodAutoscaler while it is being made: conditions, counts, metrics.

It begins as what was there; a reconcile sets what it finds out, in Kubernetes' words, and writes it if it changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from ktui.engine.controllers.autoscaling_limits import Verdict
from ktui.engine.controllers.autoscaling_replicas import Proposal
from ktui.kube.clock import rfc3339
from ktui.kube.data import items, section
from ktui.kube.quantity import Format, Quantity
from ktui.kube.resource import Object


class Standing:
    """The status in the making."""

    def __init__(self, autoscaler: Object, now: datetime) -> None:
        self._generation: int = section(autoscaler, "metadata").get("generation") or 0
        self._now = rfc3339(now)
        self.before = section(autoscaler, "status")
        self._fields = {name: value for name, value in self.before.items() if name != "conditions"}
        self._conditions = list(items(self.before, "conditions"))

    def able(self, is_able: bool, reason: str, message: str) -> None:
        """AbleToScale: whether the target can be read and written, and whether it is time to."""
        self._set("AbleToScale", is_able, reason, message)

    def active(self, is_active: bool, reason: str, message: str) -> None:
        """ScalingActive: whether replicas can be computed."""
        self._set("ScalingActive", is_active, reason, message)

    def limited(self, wish: int, verdict: Verdict) -> None:
        """ScalingLimited: whether bounds or policies keep the target from what it should have."""
        self._set("ScalingLimited", verdict.replicas != wish, verdict.reason, verdict.message)

    def at_zero(self, is_by_us: bool) -> None:
        """ScaledToZero: whether there are no replicas because of the metrics."""
        if is_by_us:
            message = "the HPA controller scaled the workload to zero"
            self._set("ScaledToZero", True, "ScaledToZero", message)
        else:
            message = "the HPA controller did not scale the workload to zero"
            self._set("ScaledToZero", False, "NotScaledToZero", message)

    @property
    def is_at_zero(self) -> bool:
        """The autoscaler itself took the last replica away."""
        return any(
            each.get("type") == "ScaledToZero" and each.get("status") == "True" for each in self._conditions
        )

    def counted(self, current: int, metrics: Sequence[Object], desired: int | None = None) -> None:
        """How many there are and should be (None: as before), and what the metrics say."""
        if desired is None:
            desired = int(self.before.get("desiredReplicas") or 0)
        self._fields |= {
            "currentReplicas": current,
            "desiredReplicas": desired,
            "observedGeneration": self._generation,
        }
        self._fields.pop("currentMetrics", None)
        if metrics:
            self._fields["currentMetrics"] = list(metrics)

    def rescaled(self) -> None:
        self._fields["lastScaleTime"] = self._now

    @property
    def status(self) -> Object:
        return {"desiredReplicas": 0, **self._fields, "conditions": self._conditions}

    def _set(self, kind: str, holds: bool, reason: str, message: str) -> None:
        status = "True" if holds else "False"
        made: Object = {
            "type": kind,
            "status": status,
            "lastTransitionTime": self._now,
            "reason": reason,
            "message": message,
        }
        for index, old in enumerate(self._conditions):
            if old.get("type") == kind:
                if old.get("status") == status and old.get("lastTransitionTime"):
                    made["lastTransitionTime"] = old["lastTransitionTime"]
                self._conditions[index] = made
                return
        self._conditions.append(made)


def current_of(metric: Object, source: str, proposal: Proposal) -> Object:
    """A metric of the pods' resources as `status.currentMetrics` has it."""
    wanted = section(metric, source)
    form = Format.BINARY_SI if wanted.get("name") == "memory" else Format.DECIMAL_SI
    current: dict[str, Any] = {"averageValue": str(Quantity(proposal.average_millis * 10**6, form))}
    if proposal.utilization is not None:
        current["averageUtilization"] = proposal.utilization
    named = {field: wanted[field] for field in ("name", "container") if field in wanted}
    return {"type": metric.get("type"), source: {**named, "current": current}}


def outside_of(metric: Object, source: str, field: str, millis: int) -> Object:
    """A metric that is not of the pods' resources as `status.currentMetrics` has it."""
    wanted = section(metric, source)
    named = {name: wanted[name] for name in ("describedObject", "metric") if name in wanted}
    return {
        "type": metric.get("type"),
        source: {**named, "current": {field: str(Quantity.from_millis(millis))}},
    }
