"""What each metric of an autoscaler asks for, and the largest of the answers.

In: the autoscaler's spec and its target's `Scale`. Out: replicas, the name of the metric that wants them, and
`status.currentMetrics`. A metric that can't be read never scales anything down; when none can be read,
nothing is scaled at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from lightkube.models.core_v1 import Pod

from ktui.client.base import Client
from ktui.engine.controllers.autoscaling_adapters import OutsideMetrics
from ktui.engine.controllers.autoscaling_replicas import (
    Proposal,
    Tolerances,
    by_average,
    by_ratio,
    by_shares,
    by_utilization,
)
from ktui.engine.controllers.autoscaling_status import current_of, outside_of
from ktui.engine.controllers.autoscaling_usage import MetricError, printed_selector, usages_of
from ktui.kube.data import items, section, string
from ktui.kube.quantity import parse_quantity
from ktui.kube.resource import Object


class UnreadableMetric(Exception):  # noqa: N818 - what it is of, not that it is one
    """One metric that gave nothing: `reason` and `why` go into event and condition, the message to the log."""

    def __init__(self, reason: str, why: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.why = why


class Wanted(NamedTuple):
    """What the metrics ask for together."""

    replicas: int | None
    """None: nothing can be said."""
    metric: str
    """Which one asks for most."""
    current: list[Object]
    failures: list[UnreadableMetric]

    @property
    def error(self) -> str:
        """What went wrong, in one sentence."""
        first = f"first error is: {self.failures[0]}"
        return f"invalid metrics ({len(self.failures)} invalid out of {len(self.current)}), {first}"


_Answer = tuple[Proposal, str, Object]
"""What a metric asks for, how it is called, and how it is now."""
_UNREAD: Final[Object] = {"type": ""}
"""What `status.currentMetrics` has in place of a metric that could not be read."""


class MetricReader:
    """Asks for the metrics of one reconcile."""

    def __init__(
        self,
        client: Client,
        outside: OutsideMetrics,
        namespace: str,
        pods: Sequence[Pod],
        selector: str,
        present: int,
        now: datetime,
    ) -> None:
        self._client = client
        self._outside = outside
        self._present = present
        self._namespace = namespace
        self._pods = pods
        self._selector = selector
        self._now = now

    async def wanted(self, spec: Object, current: int) -> Wanted:
        """All metrics of the spec, and the largest of what they ask for."""
        tolerances = tolerances_of(section(spec, "behavior"))
        statuses: list[Object] = []
        failures: list[UnreadableMetric] = []
        most, name = 0, ""
        for metric in items(spec, "metrics"):
            try:
                proposal, metric_name, status = await self._one(metric, current, tolerances)
            except UnreadableMetric as failure:
                failures.append(failure)
                statuses.append(_UNREAD)
                continue
            statuses.append(status)
            if most == 0 or proposal.replicas > most:
                most, name = proposal.replicas, metric_name
        is_blind = len(failures) == len(statuses) or (failures and most < current)
        return Wanted(None if is_blind else most, name, statuses, failures)

    async def _one(self, metric: Object, current: int, tolerances: Tolerances) -> _Answer:
        kind = string(metric, "type")
        match kind:
            case "Resource":
                return await self._resource(metric, "resource", current, tolerances)
            case "ContainerResource":
                return await self._resource(metric, "containerResource", current, tolerances)
            case "Pods":
                return await self._of_pods(metric, current, tolerances)
            case "Object":
                return await self._of_object(metric, current, tolerances)
            case "External":
                return await self._of_outside(metric, current, tolerances)
            case _:
                why = f'unknown metric source type "{kind}"'
                raise UnreadableMetric("InvalidMetricSourceType", why, why)

    async def _resource(self, metric: Object, source: str, current: int, tolerances: Tolerances) -> _Answer:
        wanted = section(metric, source)
        resource, container = string(wanted, "name"), string(wanted, "container")
        target = section(wanted, "target")
        average, utilization = target.get("averageValue"), target.get("averageUtilization")
        try:
            if average is None and utilization is None:
                raise MetricError(
                    "invalid resource metric source: neither an average utilization target nor an average value "
                    "(usage) target was set"
                )
            try:
                usages = await usages_of(self._client, resource, self._namespace, self._selector, container)
                if average is not None:
                    millis = parse_quantity(average).millis
                    proposal = by_average(
                        current, millis, self._pods, usages, resource, tolerances, self._now
                    )
                    name = f"{resource} resource"
                else:
                    proposal = by_utilization(
                        current,
                        int(utilization or 0),
                        self._pods,
                        usages,
                        resource,
                        container,
                        tolerances,
                        self._now,
                    )
                    of = "container resource" if container else "resource"
                    name = f"{resource} {of} utilization (percentage of request)"
            except MetricError as error:
                what = "usage" if average is not None else "utilization"
                raise MetricError(f"failed to get {resource} {what}: {error}") from error
        except MetricError as error:
            if container:
                reason, of = "FailedGetContainerResourceMetric", f"{container} container"
            else:
                reason, of = "FailedGetResourceMetric", f"{resource} resource"
            message = f"failed to get {of} metric value: {error}"
            raise UnreadableMetric(reason, str(error), message) from error
        return proposal, name, current_of(metric, source, proposal)

    async def _of_pods(self, metric: Object, current: int, tolerances: Tolerances) -> _Answer:
        source = section(metric, "pods")
        identity, target = section(source, "metric"), section(source, "target")
        name = string(identity, "name")
        millis = parse_quantity(target.get("averageValue") or "0").millis
        try:
            try:
                usages = await self._outside.of_pods(identity, self._selector)
            except MetricError as error:
                raise MetricError(f"unable to get metric {name}: {error}") from error
            proposal = by_average(current, millis, self._pods, usages, "", tolerances, self._now)
        except MetricError as error:
            message = f"failed to get pods metric value: {error}"
            raise UnreadableMetric("FailedGetPodsMetric", str(error), message) from error
        shown = outside_of(metric, "pods", "averageValue", proposal.average_millis)
        return proposal, f"pods metric {name}", shown

    async def _of_object(self, metric: Object, current: int, tolerances: Tolerances) -> _Answer:
        source = section(metric, "object")
        identity, described = section(source, "metric"), section(source, "describedObject")
        name, kind = string(identity, "name"), string(described, "kind")
        averages = section(source, "target").get("type") == "AverageValue"
        try:
            try:
                total = await self._outside.of_object(identity, described)
            except MetricError as error:
                place = f"{kind} {self._namespace}/{string(described, 'name')}"
                raise MetricError(f"unable to get metric {name} on {place}: {error}") from error
            proposal, field = self._of_total(source, total, current, averages, tolerances)
        except MetricError as error:
            inner = f"failed to get {name} object metric: {error}" if averages else str(error)
            message = f"failed to get object metric value: {inner}"
            raise UnreadableMetric("FailedGetObjectMetric", str(error), message) from error
        shown = f"external metric {_with_selector(identity)}" if averages else f"{kind} metric {name}"
        return proposal, shown, outside_of(metric, "object", field, proposal.average_millis)

    async def _of_outside(self, metric: Object, current: int, tolerances: Tolerances) -> _Answer:
        source = section(metric, "external")
        identity = section(source, "metric")
        name = string(identity, "name")
        averages = section(source, "target").get("averageValue") is not None
        try:
            try:
                total = await self._outside.outside(identity)
            except MetricError as error:
                place = f"{self._namespace}/{name}/{printed_selector(identity.get('selector'))}"
                raise MetricError(f"unable to get external metric {place}: {error}") from error
            proposal, field = self._of_total(source, total, current, averages, tolerances)
        except MetricError as error:
            inner = f"{name} external metric" if averages else f"external metric {name}"
            message = f"failed to get {name} external metric value: failed to get {inner}: {error}"
            raise UnreadableMetric("FailedGetExternalMetric", str(error), message) from error
        shown = f"external metric {_with_selector(identity)}"
        return proposal, shown, outside_of(metric, "external", field, proposal.average_millis)

    def _of_total(
        self, source: Object, total: int, current: int, averages: bool, tolerances: Tolerances
    ) -> tuple[Proposal, str]:
        """What one number asks for: as it is, or shared by the pods."""
        target = section(source, "target")
        if averages:
            wanted = parse_quantity(target.get("averageValue") or "0").millis
            return by_shares(self._present, total, wanted, tolerances), "averageValue"
        wanted = parse_quantity(target.get("value") or "0").millis
        return Proposal(by_ratio(current, total / wanted, self._pods, tolerances), total), "value"


def _with_selector(identity: Object) -> str:
    return f"{string(identity, 'name')}({printed_selector(identity.get('selector'))})"


def tolerances_of(behavior: Object) -> Tolerances:
    """The tolerances of a behavior; a tenth where it says nothing."""
    default = Tolerances()
    down = section(behavior, "scaleDown").get("tolerance")
    up = section(behavior, "scaleUp").get("tolerance")
    return Tolerances(
        default.down if down is None else float(parse_quantity(down).decimal),
        default.up if up is None else float(parse_quantity(up).decimal),
    )
