"""The end of a pod: stop its containers within their grace, then its sandbox, then tell, clean up and delete.

Used for deleted pods, pods gone from the API, pods that failed as a whole and pods whose containers are done.
A pod that is not deleted stays at rest with its records and logs; one that is goes from node and API, in that
order, so that a pod object never vanishes while its containers run.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from lightkube.models.core_v1 import Pod

from ktui.client.base import DeleteOptions
from ktui.engine.kubelet import labels
from ktui.engine.kubelet import pod as pods
from ktui.engine.kubelet.context import KubeletContext
from ktui.engine.kubelet.observed import PodRuntime
from ktui.engine.kubelet.runtime.base import ContainerState
from ktui.kube.errors import StatusError
from ktui.kube.kinds import PODS

log = logging.getLogger(__name__)

FORCED_GRACE_SECONDS = 1
_RETRY_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Between tries at a stop that fails, as all do while the container runtime is away."""

StatusWriter = Callable[[PodRuntime, bool], Awaitable[None]]


class PodEnding:
    """The stopping half of a pod worker. `halt` cancels what the other half is doing."""

    def __init__(
        self, context: KubeletContext, wake: Callable[[], None], halt: Callable[[], Awaitable[None]]
    ) -> None:
        self.removed = False
        """The object is gone from the API."""
        self.ended = False
        """The containers are done and none is to run again."""
        self.finished = False
        self.most_grace: int | None = None
        """Seconds the containers get at the most: the node can't wait for an evicted pod."""
        self._context = context
        self._wake = wake
        self._halt = halt
        self._task: asyncio.Task[None] | None = None
        self._grace = 0
        self._failures = 0
        self._retry_at = 0.0
        self._stopped = False
        self._released = False
        self._unmounted = False
        self._deleted = False

    @property
    def begun(self) -> bool:
        return self.removed or self.ended or self._task is not None or self._stopped

    async def advance(self, pod: Pod, runtime: PodRuntime, write: StatusWriter) -> float | None:
        """Do the next step that is possible now; seconds until another try at what failed."""
        if not self._stopped:
            left = self._retry_at - self._context.clock.monotonic()
            if left <= 0:
                await self._stop(pod, runtime)
            if not self.removed:
                await write(runtime, False)
            return left if left > 0 else None
        if not self.removed and not self._released:
            await write(runtime, True)
        if self.removed or pods.is_deleting(pod):
            await self._release(pod, runtime)
            if not self.removed:
                await self._delete(pod)
        elif not self._unmounted:
            # A completed pod keeps its records and logs, not its volumes.
            self._unmounted = True
            await self._context.volumes.unmount(pods.uid(pod))
        if self.removed:
            self.finished = True
        return None

    async def cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _stop(self, pod: Pod, runtime: PodRuntime) -> None:
        grace = self._wanted_grace(pod, runtime)
        if self._task is not None:
            if grace >= self._grace:
                return
            # A second deletion with a shorter grace period shortens the stop that is under way.
            await self.cancel()
        self._grace = grace
        is_evicted = self.most_grace is not None
        forced = (
            self.removed
            or is_evicted
            or (pods.is_deleting(pod) and pods.meta(pod).deletionGracePeriodSeconds == 0)
        )
        self._task = asyncio.create_task(self._stop_pod(pod, grace, forced), name=f"stop {pods.key(pod)}")
        self._task.add_done_callback(self._stop_done)

    def _wanted_grace(self, pod: Pod, runtime: PodRuntime) -> int:
        if self.removed and not pods.is_deleting(pod):
            if pods.containers(pod):
                return FORCED_GRACE_SECONDS
            # Known only from its labels: it was left behind while no kubelet ran.
            return max((labels.grace_period(r.labels) for r in runtime.running()), default=0)
        grace = pods.grace_seconds(pod)
        return grace if self.most_grace is None else min(grace, self.most_grace)

    async def _stop_pod(self, pod: Pod, grace: int, forced: bool) -> None:
        context = self._context
        await self._halt()
        runtime = PodRuntime(await context.runtime.pod(pods.uid(pod)))
        current = runtime.current
        await context.stopper.stop_pod(
            pod,
            runtime.running(),
            context.events(pod),
            grace=grace,
            connect=context.connect(pod, current.id) if current else None,
            override=forced,
        )
        for sandbox in runtime.sandboxes:
            if sandbox.ready or any(c.state is ContainerState.RUNNING for c in sandbox.containers):
                await context.runtime.stop_sandbox(sandbox.id)
        self._stopped = True

    def _stop_done(self, task: asyncio.Task[None]) -> None:
        if self._task is task:
            self._task = None
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("%s: %s", task.get_name(), error)
            seconds = _RETRY_SECONDS[min(self._failures, len(_RETRY_SECONDS) - 1)]
            self._failures += 1
            self._retry_at = self._context.clock.monotonic() + seconds
        self._wake()

    async def _release(self, pod: Pod, runtime: PodRuntime) -> None:
        """Remove everything of the pod from the node."""
        if self._released:
            return
        context = self._context
        for sandbox in runtime.sandboxes:
            await context.runtime.remove_sandbox(sandbox.id)
        uid = pods.uid(pod)
        await context.volumes.tear_down(uid)
        context.puller.forget(uid)
        context.tokens.forget(uid)
        context.certificates.forget(uid)
        context.backoff.forget(uid)
        self._released = True

    async def _delete(self, pod: Pod) -> None:
        """The last step of a graceful deletion: the object itself. Finalizers may keep it a while."""
        if self._deleted:
            return
        key = pods.key(pod)
        options = DeleteOptions(grace_period_seconds=0, uid=pods.uid(pod))
        try:
            await self._context.client.delete(PODS, key.name, key.namespace, options=options)
        except StatusError as error:
            if not (error.is_not_found or error.is_conflict):
                raise
        self._deleted = True
