"""Making sure an image is there before a container is created: pull policy, credentials, back-off, events.

A failed pull is tried again after a back-off by pod and image (10 s doubling to 5 min); equal pulls at the
same moment are one pull. Raises `ImageError` with the reason the waiting state shows.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Sequence
from datetime import datetime

from lightkube.models.core_v1 import Container, Pod

from ktui.engine.kubelet import pod as pods
from ktui.engine.kubelet.backoff import Backoff
from ktui.engine.kubelet.recording import PodEvents
from ktui.engine.kubelet.runtime.base import (
    ImageError,
    ImageRecord,
    RegistryAuth,
    Runtime,
    RuntimeCallError,
)
from ktui.kube.clock import Clock

log = logging.getLogger(__name__)

MAX_PARALLEL_PULLS = 4
_REFERENCE = re.compile(
    r"(?:(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*(?::\d+)?/)?"
    r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*"
    r"(?::[\w][\w.-]{0,127})?(?:@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?"
)


class ImagePullBackOffError(ImageError):
    """Not tried: the last pull failed and its back-off still runs for `seconds`."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__("ImagePullBackOff", message)
        self.seconds = seconds


def pull_policy(container: Container) -> str:
    """Always, IfNotPresent or Never; without one, Always for `:latest` or no tag."""
    if container.imagePullPolicy:
        return container.imagePullPolicy
    image = container.image or ""
    name = image.rpartition("/")[2]
    if "@" in name:
        return "IfNotPresent"
    return "Always" if name.partition(":")[2] in ("", "latest") else "IfNotPresent"


def is_valid_reference(image: str) -> bool:
    return bool(_REFERENCE.fullmatch(image))


class ImagePuller:
    """All pulls of a node."""

    def __init__(
        self, runtime: Runtime, clock: Clock, pulled: Callable[[str], None] = lambda image_id: None
    ) -> None:
        self._runtime = runtime
        self._pulled = pulled
        self._clock = clock
        self._backoff = Backoff(clock.now)
        self._failures: dict[tuple[str, str], tuple[datetime, str]] = {}
        """When and how the last pull of an image for a pod failed."""
        self._slots = asyncio.Semaphore(MAX_PARALLEL_PULLS)
        self._pulls: dict[tuple[str, tuple[RegistryAuth, ...]], asyncio.Task[ImageRecord]] = {}

    async def ensure(
        self, pod: Pod, container: Container, auths: Sequence[RegistryAuth], events: PodEvents
    ) -> ImageRecord:
        """The image of `container`, pulled if its policy wants that. Raises ImageError."""
        image = container.image or ""
        if not is_valid_reference(image):
            message = (
                f'Failed to apply default image tag "{image}": couldn\'t parse image name "{image}": '
                "invalid reference format"
            )
            events.warning("InspectFailed", message, container.name)
            raise ImageError("InvalidImageName", message)
        try:
            present = await self._runtime.image_status(image)
        except RuntimeCallError as error:
            message = f'Failed to inspect image "{image}": {error}'
            events.warning("InspectFailed", message, container.name)
            raise ImageError("ImageInspectError", message) from error
        policy = pull_policy(container)
        if present is not None and policy != "Always":
            events.normal(
                "Pulled",
                f'Container image "{image}" already present on machine and can be accessed by the pod',
                container.name,
            )
            return present
        if policy == "Never":
            message = f'Container image "{image}" is not present with pull policy of Never'
            events.warning("ErrImageNeverPull", message, container.name)
            raise ImageError("ErrImageNeverPull", message)
        return await self._pull(pod, container, image, auths, events)

    def forget(self, pod_uid: str) -> None:
        """Drop the back-off of a pod that is gone."""
        self._backoff.forget(pod_uid)
        for key in [key for key in self._failures if key[0] == pod_uid]:
            del self._failures[key]

    async def _pull(
        self, pod: Pod, container: Container, image: str, auths: Sequence[RegistryAuth], events: PodEvents
    ) -> ImageRecord:
        key = (pods.uid(pod), image)
        if key in self._failures:
            failed_at, why = self._failures[key]
            left = self._backoff.remaining(key, failed_at)
            if left > 0:
                events.normal("BackOff", f'Back-off pulling image "{image}"', container.name)
                raise ImagePullBackOffError(f'Back-off pulling image "{image}": {why}', left)
        events.normal("Pulling", f'Pulling image "{image}"', container.name)
        before = self._clock.monotonic()
        try:
            record = await self._shared_pull(image, tuple(auths))
        except ImageError as error:
            events.warning("Failed", f'Failed to pull image "{image}": {error}', container.name)
            now = self._clock.now()
            self._backoff.next(key, now)
            self._failures[key] = (now, f"{error.reason}: {error}")
            raise
        self._failures.pop(key, None)
        self._backoff.reset(key)
        self._pulled(record.id)
        seconds = f"{self._clock.monotonic() - before:.3g}s"
        events.normal(
            "Pulled",
            f'Successfully pulled image "{image}" in {seconds} ({seconds} including waiting). '
            f"Image size: {record.size_bytes} bytes.",
            container.name,
        )
        return record

    async def _shared_pull(self, image: str, auths: tuple[RegistryAuth, ...]) -> ImageRecord:
        key = (image, auths)
        task = self._pulls.get(key)
        if task is None:
            task = asyncio.create_task(self._pull_now(image, auths), name=f"pull {image}")
            self._pulls[key] = task
            task.add_done_callback(lambda done: self._pulled_or_not(key, done))
        return await asyncio.shield(task)

    def _pulled_or_not(
        self, key: tuple[str, tuple[RegistryAuth, ...]], done: asyncio.Task[ImageRecord]
    ) -> None:
        self._pulls.pop(key, None)
        if not done.cancelled() and (error := done.exception()) is not None:
            # Who waited was told; a pod that was deleted meanwhile waits no more.
            log.info("pull of %s: %s", key[0], error)

    async def _pull_now(self, image: str, auths: tuple[RegistryAuth, ...]) -> ImageRecord:
        async with self._slots:
            failure: ImageError | None = None
            for auth in auths or (None,):
                try:
                    return await self._runtime.pull_image(image, auth)
                except ImageError as error:
                    failure = error
                except RuntimeCallError as error:
                    failure = ImageError("ErrImagePull", str(error))
            assert failure is not None
            raise failure
