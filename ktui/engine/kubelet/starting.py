"""Bringing a pod up: its volumes, its sandbox, and one container after another.

Each step that fails says why: a pod-wide failure is an event and tried again, a container's is a `StartError`
whose reason and message become its waiting state.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lightkube.models.core_v1 import Container, ContainerStatus, Pod

from ktui.engine.kubelet import labels
from ktui.engine.kubelet import pod as pods
from ktui.engine.kubelet.container_spec import (
    DEFAULT_DOMAIN,
    ContainerInputs,
    build_container_spec,
    build_sandbox_spec,
    sub_path,
)
from ktui.engine.kubelet.context import KubeletContext
from ktui.engine.kubelet.environment import ConfigError, container_environment
from ktui.engine.kubelet.hooks import HookError, run_hook
from ktui.engine.kubelet.hosts_file import hosts_file
from ktui.engine.kubelet.images import ImagePullBackOffError
from ktui.engine.kubelet.observed import Health, PodRuntime
from ktui.engine.kubelet.pull_secrets import matching_auths
from ktui.engine.kubelet.recording import PodEvents
from ktui.engine.kubelet.references import References
from ktui.engine.kubelet.resolv_file import resolv_file
from ktui.engine.kubelet.runtime.base import (
    ContainerRecord,
    ContainerState,
    ImageError,
    ImageRecord,
    NotFoundError,
    RegistryAuth,
    RuntimeCallError,
)
from ktui.engine.kubelet.volumes.base import VolumeContext, VolumeError
from ktui.engine.kubelet.volumes.pod_volumes import read_env_file, resolve_sub_path
from ktui.kube.errors import StatusError

log = logging.getLogger(__name__)

RETRY_SECONDS = 10.0
"""When a start that failed before there was a container is tried again."""
FIRST_PULL_RETRY_SECONDS = 1.0
"""Until ErrImagePull turns into ImagePullBackOff."""


class StartError(Exception):
    """A container could not be started: its waiting reason, and when to look again."""

    def __init__(self, reason: str, message: str, retry: float = RETRY_SECONDS) -> None:
        super().__init__(message)
        self.reason = reason
        self.retry = retry


class PodError(Exception):
    """Volumes or sandbox could not be made; an event said why."""


class PodStarter:
    """Starts what one pod needs. Holds the host paths of its volumes once they are made."""

    def __init__(self, context: KubeletContext, health: Health) -> None:
        self._context = context
        self._health = health
        self.volume_paths: dict[str, Path] | None = None
        self.failed_starts: dict[str, str] = {}
        """Container ids the runtime could not start, with its words."""

    async def prepare_volumes(self, pod: Pod, events: PodEvents, *, refresh_only: bool = False) -> None:
        """Make (or refresh) the pod's volumes. Raises PodError."""
        context = self._context
        try:
            references = await context.references.read(pod)
            inputs = VolumeContext(
                pod=pod,
                references=references,
                facts=context.facts(pod, []),
                tokens=await context.tokens.for_pod(pod),
                certificates=await context.certificates.for_pod(pod, events),
                trust_anchors=await context.anchors.for_pod(pod),
            )
            paths = await context.volumes.set_up(inputs, refresh_only=refresh_only)
        except (VolumeError, StatusError) as error:
            events.warning("FailedMount", str(error))
            raise PodError(str(error)) from error
        self.volume_paths = {**(self.volume_paths or {}), **paths} if refresh_only else paths

    async def bring_up(self, pod: Pod, runtime: PodRuntime, attempt: int, events: PodEvents) -> None:
        """Volumes, then the sandbox; an older sandbox is stopped first. Raises PodError."""
        if runtime.sandboxes:
            events.normal("SandboxChanged", "Pod sandbox changed, it will be killed and re-created.")
            for sandbox in runtime.sandboxes:
                await self._context.runtime.stop_sandbox(sandbox.id)
            # The last one is kept for its containers' logs, unless a killed ktui left it half made, without any.
            empty = [sandbox for sandbox in runtime.sandboxes[:1] if not sandbox.containers]
            for sandbox in (*empty, *runtime.sandboxes[1:]):
                await self._context.runtime.remove_sandbox(sandbox.id)
        await self.prepare_volumes(pod, events)
        await self.create_sandbox(pod, attempt, events)

    async def remove_dead(self, history: Sequence[ContainerRecord]) -> None:
        """Beside the container just started one dead one is kept, for its log and lastState."""
        for record in history[1:]:
            with contextlib.suppress(RuntimeCallError):
                await self._context.runtime.remove_container(record.id)

    async def remove_all(self, pod: Pod, records: Sequence[ContainerRecord], events: PodEvents) -> None:
        """End and remove containers one after another, so that the pod begins anew in its sandbox."""
        for record in records:
            if record.state is ContainerState.RUNNING:
                await self._context.stopper.stop_container(
                    pod,
                    pods.find_container(pod, record.name),
                    record,
                    events,
                    grace=0,
                    message=f"Container {record.name} will be restarted with all containers of the pod",
                    override=True,
                )
            with contextlib.suppress(NotFoundError):
                await self._context.runtime.remove_container(record.id)

    async def create_sandbox(self, pod: Pod, attempt: int, events: PodEvents) -> None:
        """Raises PodError."""
        context = self._context
        sandbox = build_sandbox_spec(pod, attempt, context.cluster_dns, context.host_dns)
        try:
            await context.runtime.run_sandbox(sandbox)
        except RuntimeCallError as error:
            events.warning("FailedCreatePodSandBox", f"Failed to create pod sandbox: {error}")
            raise PodError(str(error)) from error

    async def start_container(
        self, pod: Pod, container: Container, runtime: PodRuntime, events: PodEvents
    ) -> None:
        """Pull, create, start, postStart. Raises StartError."""
        context = self._context
        sandbox = runtime.current
        if sandbox is None:
            raise StartError("CreateContainerError", "the pod's sandbox is not running", 0.0)
        references = await self._references(pod)
        auths = self._pull_auths(pod, container, references, events)
        image = await self._image(pod, container, auths, events)
        image_volumes = await self._image_volumes(pod, container, references, events)
        attempt = next_attempt(pod, container, runtime)
        try:
            inputs = await self._inputs(pod, container, references, image, attempt, list(sandbox.ips))
            inputs = replace(
                inputs, image_volumes=image_volumes, target_id=_target_id(pod, container, runtime)
            )
            spec = build_container_spec(pod, container, inputs)
        except (ConfigError, VolumeError, OSError) as error:
            events.warning("Failed", f"Error: {error}", container.name)
            raise StartError("CreateContainerConfigError", str(error)) from error
        try:
            container_id = await context.runtime.create_container(sandbox.id, spec)
        except RuntimeCallError as error:
            events.warning("Failed", f"Error: {error}", container.name)
            raise StartError("CreateContainerError", str(error)) from error
        events.normal("Created", "Container created", container.name)
        hook = container.lifecycle.postStart if container.lifecycle else None
        if hook is not None:
            self._health.starting.add(container_id)
        try:
            await context.runtime.start_container(container_id)
        except RuntimeCallError as error:
            self.failed_starts[container_id] = str(error)
            self._health.starting.discard(container_id)
            events.warning("Failed", f"Error: {error}", container.name)
            raise StartError("RunContainerError", str(error), 0.0) from error
        events.normal("Started", "Container started", container.name)
        if hook is not None:
            await self._post_start(pod, container, container_id, sandbox.id, events)

    async def _post_start(
        self, pod: Pod, container: Container, container_id: str, sandbox_id: str, events: PodEvents
    ) -> None:
        context = self._context
        hook = container.lifecycle.postStart if container.lifecycle else None
        assert hook is not None
        try:
            await run_hook(
                hook,
                pod,
                container,
                container_id,
                runtime=context.runtime,
                connect=context.connect(pod, sandbox_id),
                shown_host=pods.status(pod).podIP or "127.0.0.1",
                clock=context.clock,
            )
        except HookError as error:
            events.warning("FailedPostStartHook", "PostStartHook failed", container.name)
            record = await context.runtime.container(container_id)
            await context.stopper.stop_container(
                pod,
                container,
                record,
                events,
                grace=pods.grace_seconds(pod),
                message="FailedPostStartHook",
                connect=context.connect(pod, sandbox_id),
            )
            raise StartError("PostStartHookError", str(error), 0.0) from error
        finally:
            self._health.starting.discard(container_id)

    async def _references(self, pod: Pod) -> References:
        try:
            return await self._context.references.read(pod)
        except StatusError as error:
            raise StartError("CreateContainerConfigError", str(error)) from error

    def _pull_auths(
        self, pod: Pod, container: Container, references: References, events: PodEvents
    ) -> list[RegistryAuth]:
        names = [reference.name or "" for reference in pods.spec(pod).imagePullSecrets or ()]
        for name in names:
            if name and name not in references.secrets:
                message = (
                    f"Unable to retrieve some image pull secrets ({name}); "
                    "attempting to pull the image may not succeed."
                )
                events.warning("FailedToRetrieveImagePullSecret", message)
        found = [references.secrets[name] for name in names if name in references.secrets]
        return matching_auths(container.image or "", found)

    async def _image_volumes(
        self, pod: Pod, container: Container, references: References, events: PodEvents
    ) -> dict[str, ImageRecord]:
        """The images the container mounts as volumes, pulled as theirs is."""
        mounted = {mount.name for mount in container.volumeMounts or ()}
        found: dict[str, ImageRecord] = {}
        for volume in pods.spec(pod).volumes or ():
            if volume.image is None or volume.name not in mounted:
                continue
            # Pulled for the pod, not for one of its containers: events name none.
            source = Container(name="", image=volume.image.reference, imagePullPolicy=volume.image.pullPolicy)
            auths = self._pull_auths(pod, source, references, events)
            found[volume.name] = await self._image(pod, source, auths, events)
        return found

    async def _image(
        self, pod: Pod, container: Container, auths: Sequence[RegistryAuth], events: PodEvents
    ) -> ImageRecord:
        try:
            return await self._context.puller.ensure(pod, container, auths, events)
        except ImagePullBackOffError as error:
            events.warning("Failed", f"Error: {error.reason}", container.name)
            raise StartError(error.reason, str(error), error.seconds) from error
        except ImageError as error:
            events.warning("Failed", f"Error: {error.reason}", container.name)
            retry = FIRST_PULL_RETRY_SECONDS if _was_pulled(error) else RETRY_SECONDS
            raise StartError(error.reason, str(error), retry) from error

    async def _inputs(
        self,
        pod: Pod,
        container: Container,
        references: References,
        image: ImageRecord,
        attempt: int,
        pod_ips: list[str],
    ) -> ContainerInputs:
        context = self._context
        paths = self.volume_paths or {}

        def file_key(volume: str, path: str, key: str) -> str | None:
            return read_env_file(paths[volume], path, key) if volume in paths else None

        environment = container_environment(
            pod,
            container,
            references,
            context.facts(pod, pod_ips),
            service_variables=context.service_variables(pod),
            file_key=file_key,
        )
        termination_file = context.termination_file(pod, container.name, attempt)
        hosts = context.volumes.pod_dir(pods.uid(pod)) / "etc-hosts"
        domain = context.cluster_dns.domain if context.cluster_dns else DEFAULT_DOMAIN
        await asyncio.to_thread(_write_hosts, hosts, pod, pod_ips, domain)
        resolv = await asyncio.to_thread(self._write_resolv, pod)
        sub_paths = await asyncio.to_thread(_prepare_files, container, environment, paths, termination_file)
        return ContainerInputs(
            attempt=attempt,
            image=image,
            environment=environment,
            volume_paths=paths,
            sub_paths=sub_paths,
            hosts_file=hosts,
            resolv_file=resolv,
            termination_file=termination_file,
            node_memory=context.memory_bytes,
            seccomp_dir=context.data_dir / "seccomp",
        )

    def _write_resolv(self, pod: Pod) -> Path | None:
        context = self._context
        text = resolv_file(pod, context.cluster_dns, context.host_dns)
        if text is None:
            return None
        path = context.volumes.pod_dir(pods.uid(pod)) / "etc-resolv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o644)
        return path


def _was_pulled(error: ImageError) -> bool:
    return error.reason in ("ErrImagePull", "RegistryUnavailable")


def _write_hosts(path: Path, pod: Pod, pod_ips: list[str], domain: str) -> None:
    """In place: containers that run have the file mounted."""
    host = Path("/etc/hosts")
    text = hosts_file(pod, pod_ips, domain, host.read_text() if host.exists() else "")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o644)


def _prepare_files(
    container: Container, environment: dict[str, str], paths: dict[str, Path], termination_file: Path
) -> dict[str, Path]:
    """Make the termination file and the subPaths; their host paths by mount path."""
    termination_file.parent.mkdir(parents=True, exist_ok=True)
    termination_file.write_bytes(b"")
    termination_file.chmod(0o666)
    found: dict[str, Path] = {}
    for mount in container.volumeMounts or ():
        inside = sub_path(mount, environment)
        if inside and mount.name in paths:
            found[mount.mountPath] = resolve_sub_path(paths[mount.name], inside)
    return found


def _target_id(pod: Pod, container: Container, runtime: PodRuntime) -> str:
    """The runtime's id of an ephemeral container's target. Raises ConfigError when that does not run."""
    name = pods.target_container(pod, container.name)
    if not name:
        return ""
    record = runtime.in_current(name)
    if record is None or record.state is not ContainerState.RUNNING:
        raise ConfigError(f"unable to find target container {name}")
    return record.id


def next_attempt(pod: Pod, container: Container, runtime: PodRuntime) -> int:
    """The restart count the next start of `container` has."""
    latest = runtime.latest(container.name)
    if latest is not None:
        return labels.restart_count(latest) + 1
    status = pods.status(pod)
    known: list[ContainerStatus] = [
        *(status.initContainerStatuses or ()),
        *(status.containerStatuses or ()),
        *(status.ephemeralContainerStatuses or ()),
    ]
    for container_status in known:
        if container_status.name == container.name and container_status.containerID:
            return container_status.restartCount + 1
    return 0
