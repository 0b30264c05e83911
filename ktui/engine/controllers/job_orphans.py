"""Orphaned pods of Jobs: takes the tracking finalizer off pods that no Job will count any more.

That are pods whose Job is gone, has ended, or has let go of them; with the finalizer they could not be deleted.
"""

from __future__ import annotations

from lightkube.models.batch_v1 import Job
from lightkube.models.core_v1 import Pod

from ktui.client.base import Client
from ktui.client.informer import Delta, Informers
from ktui.engine.controllers.job_pods import is_job_finished, is_managed_elsewhere, is_tracked
from ktui.engine.controllers.job_tracking import free
from ktui.engine.controllers.objects import key_of
from ktui.engine.controllers.ownership import controller_of, index_ownership, owned_by, resolve
from ktui.engine.controllers.runtime import Controller, Result
from ktui.engine.controllers.workqueue import WorkQueue
from ktui.kube.kinds import JOBS, PODS
from ktui.kube.resource import ObjectKey


class JobOrphans(Controller[ObjectKey]):
    """One key a pod."""

    name = "job-orphan-pod-controller"

    def __init__(self, client: Client) -> None:
        self._client = client

    def setup(self, informers: Informers, queue: WorkQueue[ObjectKey]) -> None:
        self._queue = queue
        self._jobs = informers.of(JOBS, Job)
        self._pods = informers.of(PODS, Pod)
        index_ownership(self._pods)
        self._pods.add_handler(self._pod_changed)
        self._jobs.add_handler(self._job_changed)

    def _pod_changed(self, delta: Delta[Pod]) -> None:
        if delta.new is not None and self._is_orphan(delta.new):
            self._queue.add(delta.key)

    def _job_changed(self, delta: Delta[Job]) -> None:
        job = delta.new if delta.new is not None else delta.old
        if job is not None and (delta.new is None or is_job_finished(job)):
            for pod in owned_by(self._pods, job):
                self._queue.add(key_of(pod))

    def _is_orphan(self, pod: Pod) -> bool:
        if not is_tracked(pod):
            return False
        if controller_of(pod) is None:
            return True
        job = resolve(self._jobs, JOBS, key_of(pod).namespace, pod)
        return job is None or (is_job_finished(job) and not is_managed_elsewhere(job))

    async def reconcile(self, key: ObjectKey) -> Result | None:
        pod = self._pods.get(key)
        if pod is None or not self._is_orphan(pod):
            return None
        _, error = await free(self._client, [pod])
        if error is not None:
            raise error
        return None
