"""HorizontalPodAutoscaler: as many replicas as the load of the pods needs.

In: HorizontalPodAutoscalers, the `Scale` of what they name (any kind that has one), the pods it selects and
their metrics, looked at every 15 seconds. Out: the `Scale` with other replicas, the status, and events. The
arithmetic is in `autoscaling_replicas` and `autoscaling_limits`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from lightkube.models.core_v1 import Pod

from ktui.client.base import Client
from ktui.client.events import EventRecorder
from ktui.client.informer import Delta, Informers
from ktui.engine.controllers.autoscaling_adapters import Adapters, NoAdapters, OutsideMetrics
from ktui.engine.controllers.autoscaling_limits import History, bounded, stabilized
from ktui.engine.controllers.autoscaling_metrics import MetricReader
from ktui.engine.controllers.autoscaling_status import Standing
from ktui.engine.controllers.objects import labels_of
from ktui.engine.controllers.runtime import Controller, Result
from ktui.engine.controllers.workqueue import WorkQueue
from ktui.kube.clock import Clock
from ktui.kube.data import items, section, string
from ktui.kube.errors import StatusError
from ktui.kube.kinds import HORIZONTAL_POD_AUTOSCALERS, PODS
from ktui.kube.resource import Object, ObjectKey, Resource
from ktui.kube.selector import Selector, SelectorError

SYNC_SECONDS: Final = 15.0
_CONFLICTS: Final = 5
"""How often a rescale is tried when somebody else writes the target."""


class _CannotScaleError(Exception):
    """This reconcile ends here; the status says why."""


class _Target(NamedTuple):
    resource: Resource
    scale: Object

    @property
    def replicas(self) -> int:
        return int(section(self.scale, "spec").get("replicas") or 0)


class _Decision(NamedTuple):
    replicas: int
    reason: str = ""
    metrics: Sequence[Object] = ()


class HorizontalPodAutoscalerController(Controller[ObjectKey]):
    """Scales what HorizontalPodAutoscalers name."""

    name = "horizontal-pod-autoscaler-controller"
    workers = 5

    def __init__(
        self, client: Client, recorder: EventRecorder, clock: Clock, adapters: Adapters | None = None
    ) -> None:
        self._client = client
        self._adapters = adapters or NoAdapters()
        self._recorder = recorder
        self._clock = clock
        self._histories: dict[ObjectKey, History] = {}
        self._selectors: dict[ObjectKey, Selector] = {}

    def setup(self, informers: Informers, queue: WorkQueue[ObjectKey]) -> None:
        self._queue = queue
        self._autoscalers = informers.of(HORIZONTAL_POD_AUTOSCALERS, dict[str, Any])
        self._autoscalers.add_handler(self._changed)
        self._pods = informers.of(PODS, Pod)

    def _changed(self, delta: Delta[Object]) -> None:
        """A new spec is looked at at once; what the controller itself writes is not news."""
        if delta.new is None:
            self._histories.pop(delta.key, None)
            self._selectors.pop(delta.key, None)
        elif delta.old is None or _generation(delta.old) != _generation(delta.new):
            self._queue.add(delta.key)

    async def reconcile(self, key: ObjectKey) -> Result | None:
        if self._autoscalers.get(key) is None:
            return None
        try:
            autoscaler = await self._client.get(HORIZONTAL_POD_AUTOSCALERS, key.name, key.namespace)
        except StatusError as error:
            if error.is_not_found:
                return None
            raise
        standing = Standing(autoscaler, self._clock.now())
        failure = ""
        try:
            await self._sync(key, autoscaler, standing)
        except _CannotScaleError as error:
            failure = str(error)
        await self._write(autoscaler, standing)
        if failure:
            self._recorder.event(autoscaler, "Warning", "FailedComputeMetricsReplicas", failure)
        return Result(SYNC_SECONDS)

    async def _write(self, autoscaler: Object, standing: Standing) -> None:
        status = standing.status
        if status == standing.before:
            return
        try:
            await self._client.update(
                HORIZONTAL_POD_AUTOSCALERS, {**autoscaler, "status": status}, subresource="status"
            )
        except StatusError as error:
            if not error.is_not_found:
                self._recorder.event(autoscaler, "Warning", "FailedUpdateStatus", error.message)

    async def _sync(self, key: ObjectKey, autoscaler: Object, standing: Standing) -> None:
        target = await self._target(key, autoscaler, standing)
        if target is None:
            return
        current = target.replicas
        history = self._histories.get(key)
        if history is None:
            history = self._histories[key] = History()
            history.wished(current, self._clock.monotonic())
        decision = await self._decision(key, autoscaler, target, history, standing)
        if decision.replicas != current:
            why = await self._rescale(target, decision.replicas)
            if why:
                size = f"New size: {decision.replicas}; reason: {decision.reason}"
                self._recorder.event(autoscaler, "Warning", "FailedRescale", f"{size}; error: {why}")
                message = f"the HPA controller was unable to update the target scale: {why}"
                standing.able(False, "FailedUpdateScale", message)
                standing.counted(current, decision.metrics)
                return
            self._rescaled(autoscaler, decision, current, history, standing)
        standing.counted(current, decision.metrics, decision.replicas)

    async def _target(self, key: ObjectKey, autoscaler: Object, standing: Standing) -> _Target | None:
        """What is to be scaled, as it is now."""
        reference = section(autoscaler, "spec", "scaleTargetRef")
        try:
            found = await self._scale_of(key.namespace, reference)
        except (StatusError, ValueError) as error:
            self._recorder.event(autoscaler, "Warning", "FailedGetScale", str(error))
            message = f"the HPA controller was unable to get the target's current scale: {error}"
            standing.able(False, "FailedGetScale", message)
            return None
        message = "the HPA controller was able to get the target's current scale"
        standing.able(True, "SucceededGetScale", message)
        return found

    async def _scale_of(self, namespace: str, reference: Object) -> _Target:
        version, kind = string(reference, "apiVersion"), string(reference, "kind")
        if version.count("/") > 1:
            raise ValueError(f"unexpected GroupVersion string: {version}")
        group = version.partition("/")[0] if "/" in version else ""
        served = [r for r in await self._client.resources() if (r.group, r.kind) == (group, kind)]
        if not served:
            raise ValueError(f'no matches for kind "{kind}" in group "{group}"')
        first: StatusError | None = None
        for resource in served:
            try:
                scale = await self._client.get(
                    resource, string(reference, "name"), namespace, subresource="scale"
                )
            except StatusError as error:
                first = first or error
            else:
                return _Target(resource, scale)
        assert first is not None
        raise first

    async def _decision(
        self, key: ObjectKey, autoscaler: Object, target: _Target, history: History, standing: Standing
    ) -> _Decision:
        """How many replicas there are to be. Raises when the metrics tell nothing."""
        spec = section(autoscaler, "spec")
        current, most = target.replicas, int(spec.get("maxReplicas") or 0)
        least = 1 if spec.get("minReplicas") is None else int(spec["minReplicas"])
        by_us = standing.is_at_zero
        if current == 0 and not (by_us and (least > 0 or _scales_from_zero(spec))):
            message = "scaling is disabled since the replica count of the target is zero"
            standing.active(False, "ScalingDisabled", message)
            return _Decision(0)
        if current > most:
            return _Decision(most, "Current number of replicas above Spec.MaxReplicas")
        if 0 < current < least:
            return _Decision(least, "Current number of replicas below Spec.MinReplicas")
        pods, selector = self._selected(key, autoscaler, target, standing)
        present = int(section(target.scale, "status").get("replicas") or 0)
        outside = OutsideMetrics(self._client, self._adapters, key.namespace)
        reader = MetricReader(
            self._client, outside, key.namespace, pods, selector, present, self._clock.now()
        )
        wanted = await reader.wanted(spec, current)
        for failure in wanted.failures:
            self._recorder.event(autoscaler, "Warning", failure.reason, failure.why)
        if wanted.replicas is None:
            first = wanted.failures[0]
            standing.active(
                False, first.reason, f"the HPA was unable to compute the replica count: {first.why}"
            )
            standing.counted(current, wanted.current)
            raise _CannotScaleError(wanted.error)
        message = f"the HPA was able to successfully calculate a replica count from {wanted.metric}"
        standing.active(True, "ValidMetricFound", message)
        reason = f"{wanted.metric} above target" if wanted.replicas > current else ""
        if wanted.replicas < current:
            reason = "All metrics below target"
        behavior, now = spec.get("behavior"), self._clock.monotonic()
        calm = stabilized(wanted.replicas, current, behavior, history, now)
        standing.able(True, calm.reason, calm.message)
        final = bounded(calm.replicas, current, least, most, behavior, history, now)
        standing.limited(calm.replicas, final)
        replicas = final.replicas
        if current == 0 and replicas < least:
            replicas = least
            reason = reason or "Current number of replicas below Spec.MinReplicas"
        return _Decision(replicas, reason, wanted.current)

    def _selected(
        self, key: ObjectKey, autoscaler: Object, target: _Target, standing: Standing
    ) -> tuple[list[Pod], str]:
        """The pods of the target, and how it selects them. Raises when it can't be told which are its own."""
        text = string(section(target.scale, "status"), "selector")
        if not text:
            message = "the HPA target's scale is missing a selector"
            raise self._unselected(
                autoscaler, standing, "SelectorRequired", "selector is required", message, target
            )
        try:
            selector = Selector.parse(text)
        except SelectorError as error:
            why = f"couldn't convert selector into a corresponding internal selector object: {error}"
            raise self._unselected(autoscaler, standing, "InvalidSelector", why, why, target) from error
        self._selectors[key] = selector
        pods = [pod for pod in self._pods.list(key.namespace) if selector.matches(labels_of(pod))]
        selecting = [
            other
            for other, their in sorted(self._selectors.items())
            if other.namespace == key.namespace and any(their.matches(labels_of(pod)) for pod in pods)
        ]
        if len(selecting) > 1:
            named = " ".join(f"{{{each.name} {each.namespace}}}" for each in selecting[:2])
            why = f"pods by selector {text} are controlled by more than one HPA (e.g. [{named}])"
            raise self._unselected(autoscaler, standing, "AmbiguousSelector", why, why, target)
        return pods, text

    def _unselected(
        self, autoscaler: Object, standing: Standing, event: str, why: str, message: str, target: _Target
    ) -> _CannotScaleError:
        self._recorder.event(autoscaler, "Warning", event, why)
        reason = "InvalidSelector" if event == "SelectorRequired" else event
        standing.active(False, reason, message)
        standing.counted(target.replicas, ())
        return _CannotScaleError(why)

    async def _rescale(self, target: _Target, replicas: int) -> str:
        """Write the replicas; what went wrong, or ""."""
        scale = target.scale
        why = ""
        for _ in range(_CONFLICTS):
            wanted = {**scale, "spec": {**section(scale, "spec"), "replicas": replicas}}
            try:
                await self._client.update(target.resource, wanted, subresource="scale")
                return ""
            except StatusError as error:
                why = error.message
                if not error.is_conflict:
                    break
            metadata = section(scale, "metadata")
            try:
                scale = await self._client.get(
                    target.resource, metadata["name"], metadata["namespace"], subresource="scale"
                )
            except StatusError as error:
                return error.message
        return why

    def _rescaled(
        self, autoscaler: Object, decision: _Decision, current: int, history: History, standing: Standing
    ) -> None:
        spec = section(autoscaler, "spec")
        message = f"the HPA controller was able to update the target scale to {decision.replicas}"
        standing.able(True, "SucceededRescale", message)
        standing.rescaled()
        standing.at_zero(decision.replicas == 0 and _scales_from_zero(spec))
        history.changed(current, decision.replicas, self._clock.monotonic())
        size = f"New size: {decision.replicas}; reason: {decision.reason}"
        self._recorder.event(autoscaler, "Normal", "SuccessfulRescale", size)


def _generation(autoscaler: Object) -> int:
    return int(section(autoscaler, "metadata").get("generation") or 0)


def _scales_from_zero(spec: Object) -> bool:
    """Only metrics that are there without pods can say that pods are needed again."""
    return any(metric.get("type") in ("Object", "External") for metric in items(spec, "metrics"))
