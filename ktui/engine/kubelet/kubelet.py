"""The kubelet: makes the pods bound to this node run, and keeps telling the API how they are.

In come changes of Pods, ConfigMaps and Secrets (informers) and events of the runtime; each wakes the worker of the
pod it concerns. At start, what an earlier kubelet left running is adopted by its labels, and what no longer has a
Pod is stopped with its grace and cleaned away. Cancelled, it leaves the containers running.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

from lightkube.models.core_v1 import ConfigMap, Node, NodeStatus, Pod, PodSpec, Secret
from lightkube.models.meta_v1 import ObjectMeta

from ktui.client.base import Client
from ktui.client.informer import Delta, Informer, Informers
from ktui.engine.kubelet import machine, node_object
from ktui.engine.kubelet import pod as pods
from ktui.engine.kubelet.admission import check_admission, check_resize
from ktui.engine.kubelet.agent import KubeletAgent
from ktui.engine.kubelet.backoff import Backoff
from ktui.engine.kubelet.container_spec import ClusterDNS
from ktui.engine.kubelet.context import KubeletContext
from ktui.engine.kubelet.eviction import StorageEviction
from ktui.engine.kubelet.image_gc import ImageGarbageCollector, PulledImages
from ktui.engine.kubelet.images import ImagePuller
from ktui.engine.kubelet.node_eviction import NodeEviction
from ktui.engine.kubelet.node_registration import NodeRegistration
from ktui.engine.kubelet.observed import Waiting
from ktui.engine.kubelet.pod_worker import PodWorker
from ktui.engine.kubelet.pressure import Pressure, refusal
from ktui.engine.kubelet.recording import Recorder
from ktui.engine.kubelet.references import ReferenceReader
from ktui.engine.kubelet.runtime.base import PodRecord, Runtime, RuntimeCallError, RuntimeInfo
from ktui.engine.kubelet.stopping import Leave, Stopper
from ktui.engine.kubelet.volumes.base import VolumePlugin
from ktui.engine.kubelet.volumes.pod_certificates import PodCertificates
from ktui.engine.kubelet.volumes.pod_volumes import PodVolumes
from ktui.engine.kubelet.volumes.tokens import TokenSource
from ktui.engine.kubelet.volumes.trust_anchors import TrustAnchors
from ktui.kube.clock import Clock, RealClock
from ktui.kube.data import section, string
from ktui.kube.kinds import (
    CLUSTER_TRUST_BUNDLES,
    CONFIG_MAPS,
    NODES,
    POD_CERTIFICATE_REQUESTS,
    PODS,
    SECRETS,
)
from ktui.kube.resource import Object, ObjectKey

log = logging.getLogger(__name__)
T = TypeVar("T")

SIMULATED_PODS = 10_000
"""Pods that don't run cost next to nothing."""
_RUNTIME_RETRY_SECONDS = 2.0


class Kubelet:
    """The agent of one node. `info` is what the started runtime's `start()` gave."""

    def __init__(
        self,
        client: Client,
        informers: Informers,
        runtime: Runtime,
        info: RuntimeInfo,
        *,
        node_name: str,
        data_dir: Path,
        clock: Clock | None = None,
        recorder: Recorder | None = None,
        cluster_dns: ClusterDNS | None = None,
        roles: Sequence[str] = ("control-plane",),
        node_labels: Mapping[str, str] | None = None,
        service_variables: Callable[[Pod], Mapping[str, str]] | None = None,
        leave_services: Leave | None = None,
        volume_plugins: Sequence[VolumePlugin] | None = None,
        max_pods: int | None = None,
        read: Callable[[Path], machine.Machine] = machine.read_machine,
    ) -> None:
        clock = clock or RealClock()
        look = partial(read, data_dir)
        found = look()
        identity = node_object.NodeIdentity(
            name=node_name,
            addresses=[runtime.host_ip],
            pod_cidr=runtime.pod_cidr,
            roles=roles,
            labels=node_labels or {},
            max_pods=max_pods or (SIMULATED_PODS if info.name == "sim" else node_object.MAX_PODS),
        )
        self.ready = asyncio.Event()
        """Registered, and everything that ran before is looked after again."""
        self.workers: dict[str, PodWorker] = {}
        """By pod uid."""
        self._runtime = runtime
        self._clock = clock
        self._node_name = node_name
        self._pods = informers.of(PODS, Pod)
        self._nodes = informers.of(NODES, Node)
        self._config_maps = informers.of(CONFIG_MAPS, ConfigMap)
        self._secrets = informers.of(SECRETS, Secret)
        self._bundles = informers.of(CLUSTER_TRUST_BUNDLES, dict[str, Any])
        self._certificates = informers.of(POD_CERTIFICATE_REQUESTS, dict[str, Any])
        self._group: asyncio.TaskGroup | None = None
        self._listening: list[tuple[Informer[Any], Callable[[Delta[Any]], None]]] = []
        self._pulled_images = PulledImages(data_dir / "pulled-images.json", clock)
        self._image_gc = ImageGarbageCollector(runtime, clock, self._pulled_images, self._mounted_images)
        self.agent = KubeletAgent(
            runtime,
            clock,
            self._known_pods,
            node_name=node_name,
            data_dir=data_dir,
            configuration=node_object.configuration(identity, cluster_dns),
        )
        """Answers the API server about this node's pods."""
        self._pressure = Pressure(clock)
        self._registration = NodeRegistration(
            client, runtime, info, identity, look, self._pressure, clock, recorder
        )
        self.context = KubeletContext(
            client=client,
            runtime=runtime,
            scheme=info.name,
            clock=clock,
            node_name=node_name,
            data_dir=data_dir,
            recorder=recorder,
            references=ReferenceReader(client, informers),
            puller=ImagePuller(runtime, clock, self._image_pulled),
            volumes=PodVolumes(data_dir / "pods", volume_plugins),
            tokens=TokenSource(client, clock),
            certificates=PodCertificates(client, clock, node_name),
            anchors=TrustAnchors(client),
            stopper=Stopper(runtime, clock, leave_services),
            backoff=Backoff(clock.now),
            allocatable=node_object.allocatable(identity, found),
            memory_bytes=found.memory,
            cluster_dns=cluster_dns,
            host_dns=machine.host_dns(),
            pods_reachable=info.name == "podman" and os.geteuid() == 0,
            service_variables=service_variables or (lambda pod: {}),
            admit=self._admit,
            node_labels=self._node_labels,
            fits_resized=self._fits_resized,
        )
        self._eviction = StorageEviction(runtime, self._employed, self.context.volumes.pod_dir, clock)
        self._node_eviction = NodeEviction(
            runtime,
            self._employed,
            self.context.volumes.pod_dir,
            look,
            self._pressure,
            clock,
            pressed=self._registration.pressure_changed,
            free_disk=lambda: self._image_gc.collect(everything=True),
            tell=self._registration.event,
        )

    async def run(self) -> None:
        """Run until cancelled; containers keep running then."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                await self._registration.register()
                await self._pods.wait_synced()
                self._listen(self._pods, self._pod_changed)
                self._listen(self._nodes, self._node_changed)
                self._listen(self._config_maps, self._config_map_changed)
                self._listen(self._secrets, self._secret_changed)
                self._listen(self._bundles, self._bundle_changed)
                self._listen(self._certificates, self._certificate_changed)
                group.create_task(self._registration.run(), name="node heartbeat")
                group.create_task(self._image_gc.run(), name="image garbage collection")
                group.create_task(self._eviction.run(), name="eviction")
                group.create_task(self._node_eviction.run(), name="node eviction")
                await self._watch_runtime()
            finally:
                self._group = None
                self._stop_listening()

    def _listen(self, informer: Informer[T], handler: Callable[[Delta[T]], None]) -> None:
        informer.add_handler(handler)
        self._listening.append((informer, handler))

    def _stop_listening(self) -> None:
        for informer, handler in self._listening:
            informer.remove_handler(handler)
        self._listening.clear()

    async def _watch_runtime(self) -> None:
        """Wake workers by the runtime's events; look at everything whenever events may have been missed."""
        while True:
            try:
                async with self._runtime.events() as events:
                    await self._adopt()
                    self.ready.set()
                    async for event in events:
                        self._wake(event.pod_uid)
                        if not event.pod_uid:
                            await self._adopt()
            except (RuntimeCallError, OSError) as error:
                log.warning("container runtime: %s", error)
                self._registration.runtime_state(f"container runtime is down: {error}")
            await self._clock.sleep(_RUNTIME_RETRY_SECONDS)
            self._wake("")

    def _wake(self, pod_uid: str) -> None:
        if pod_uid:
            if worker := self.workers.get(pod_uid):
                worker.wake()
            return
        for worker in self.workers.values():
            worker.wake()

    def _image_pulled(self, image_id: str) -> None:
        self._pulled_images.pulled(image_id)
        self._registration.images_changed()

    def _mounted_images(self) -> list[str]:
        return [
            volume.image.reference
            for worker in self.workers.values()
            for volume in pods.spec(worker.pod).volumes or ()
            if volume.image is not None and volume.image.reference
        ]

    def _employed(self) -> list[PodWorker]:
        return list(self.workers.values())

    def _known_pods(self) -> list[Pod]:
        return [worker.pod for worker in self.workers.values()]

    def _admit(self, pod: Pod) -> Waiting | None:
        if refused := refusal(pod, self._pressure.conditions):
            return refused
        others = [
            worker.facts.claim
            for worker in self.workers.values()
            if worker.admitted and not pods.is_terminal(worker.pod)
        ]
        return check_admission(pod, others, self.context.allocatable, self._node_labels(), self._node_name)

    def _node_changed(self, delta: Delta[Node]) -> None:
        node = delta.new
        if node is None or node.metadata is None or delta.key.name != self._node_name:
            return
        status: Any = node.status or NodeStatus()
        version = node.metadata.resourceVersion or ""
        self._registration.seen(version, status.capacity or {}, status.allocatable or {})

    def _node_labels(self) -> Mapping[str, str]:
        node = self._nodes.get(ObjectKey("", self._node_name))
        return self._registration.labels if node is None else labels_of_node(node)

    def _fits_resized(self, pod: Pod) -> Waiting | None:
        uid = pods.uid(pod)
        others = [
            worker.facts.claim
            for other, worker in self.workers.items()
            if other != uid and worker.admitted and not pods.is_terminal(worker.pod)
        ]
        return check_resize(pod, others, self.context.allocatable)

    # Pods of the API.

    def _pod_changed(self, delta: Delta[Pod]) -> None:
        old_uid = pods.uid(delta.old) if delta.old is not None else ""
        new = delta.new
        if old_uid and (new is None or pods.uid(new) != old_uid) and (worker := self.workers.get(old_uid)):
            worker.remove()
        if new is None or pods.spec(new).nodeName != self._node_name:
            return
        worker = self.workers.get(pods.uid(new))
        if worker is not None:
            worker.update(new)
        else:
            self._employ(PodWorker(self.context, new))

    def _employ(self, worker: PodWorker) -> None:
        if self._group is None:
            return
        uid = pods.uid(worker.pod)
        self.workers[uid] = worker
        task = self._group.create_task(worker.run(), name=f"pod {pods.key(worker.pod)}")
        task.add_done_callback(lambda _: self.workers.pop(uid, None))

    def _config_map_changed(self, delta: Delta[ConfigMap]) -> None:
        for worker in self._workers_in(delta.key.namespace):
            if delta.key.name in worker.facts.config_maps:
                worker.references_changed()

    def _secret_changed(self, delta: Delta[Secret]) -> None:
        for worker in self._workers_in(delta.key.namespace):
            if delta.key.name in worker.facts.secrets:
                worker.references_changed()

    def _bundle_changed(self, delta: Delta[Object]) -> None:
        for bundle in (delta.old, delta.new):
            known = {delta.key.name, string(section(bundle or {}, "spec"), "signerName")}
            for worker in self.workers.values():
                if not known.isdisjoint(worker.facts.trust_bundles):
                    worker.references_changed()

    def _certificate_changed(self, delta: Delta[Object]) -> None:
        request = delta.new or delta.old or {}
        if worker := self.workers.get(string(section(request, "spec"), "podUID")):
            worker.references_changed()

    def _workers_in(self, namespace: str) -> list[PodWorker]:
        return [w for w in self.workers.values() if pods.key(w.pod).namespace == namespace]

    # What the runtime and the disk have.

    async def _adopt(self) -> None:
        """Look after every pod the runtime knows; those without an object are ended."""
        try:
            records = await self._runtime.pods()
        except RuntimeCallError as error:
            log.warning("containers not listed: %s", error)
            self._registration.runtime_state(f"container runtime is down: {error}")
            return
        self._registration.runtime_state("")
        for record in records:
            if record.pod.uid not in self.workers:
                log.info("pod %s/%s is no longer in the API", record.pod.namespace, record.pod.name)
                self._end_orphan(record)
        known = {record.pod.uid for record in records} | set(self.workers)
        for uid in await asyncio.to_thread(self.context.volumes.known_pods):
            if uid not in known and uid not in self.workers:
                await self.context.volumes.tear_down(uid)

    def _end_orphan(self, record: PodRecord) -> None:
        stub = Pod(
            metadata=ObjectMeta(name=record.pod.name, namespace=record.pod.namespace, uid=record.pod.uid),
            spec=PodSpec(containers=[], nodeName=self._node_name),
        )
        worker = PodWorker(self.context, stub)
        worker.remove()
        self._employ(worker)


def labels_of_node(node: Node) -> dict[str, str]:
    metadata = node.metadata
    return cast(dict[str, str], (metadata.labels if metadata else None) or {})  # pyright: ignore[reportUnknownMemberType] - a bare dict in lightkube
