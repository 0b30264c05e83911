"""The list of controllers the engine runs: adding one is adding its module and a line here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ktui.client.base import Client
from ktui.client.events import EventRecorder
from ktui.engine.controllers.autoscaling_adapters import Adapters
from ktui.engine.controllers.certificateapproving import CertificateApprovingController
from ktui.engine.controllers.certificatecleaner import CertificateCleaner
from ktui.engine.controllers.certificatesigning import CertificateSigningController, Sign
from ktui.engine.controllers.clusterroleaggregation import ClusterRoleAggregation
from ktui.engine.controllers.cronjob import CronJobController
from ktui.engine.controllers.daemonset import DaemonSetController
from ktui.engine.controllers.deployment import DeploymentController
from ktui.engine.controllers.disruption import DisruptionController
from ktui.engine.controllers.endpoints import EndpointsController
from ktui.engine.controllers.endpointslice import EndpointSliceController
from ktui.engine.controllers.endpointslicemirroring import EndpointSliceMirroring
from ktui.engine.controllers.ephemeral_volume import EphemeralVolumes
from ktui.engine.controllers.garbagecollector import GarbageCollector
from ktui.engine.controllers.horizontalpodautoscaler import HorizontalPodAutoscalerController
from ktui.engine.controllers.job import JobController
from ktui.engine.controllers.job_orphans import JobOrphans
from ktui.engine.controllers.local_path import LocalPathProvisioner
from ktui.engine.controllers.namespace import NamespaceController
from ktui.engine.controllers.nodelifecycle import NodeLifecycleController
from ktui.engine.controllers.persistentvolume import PersistentVolumeController
from ktui.engine.controllers.podcertificatecleaner import PodCertificateCleaner
from ktui.engine.controllers.podgc import PodGarbageCollector
from ktui.engine.controllers.published_services import Published, PublishedServices
from ktui.engine.controllers.replicaset import ReplicaSetController
from ktui.engine.controllers.replicationcontroller import ReplicationControllerController
from ktui.engine.controllers.resourcequota import ResourceQuotaController
from ktui.engine.controllers.rootca import RootCertificatePublisher
from ktui.engine.controllers.runtime import Controller
from ktui.engine.controllers.service_lb import ServiceLoadBalancer
from ktui.engine.controllers.serviceaccount import ServiceAccountController
from ktui.engine.controllers.servicecidrs import ServiceCIDRController
from ktui.engine.controllers.statefulset import StatefulSetController
from ktui.engine.controllers.storageversionmigrator import StorageVersionMigrator
from ktui.engine.controllers.tainteviction import TaintEvictionController
from ktui.engine.controllers.tokensecrets import TokenSecretController
from ktui.engine.controllers.trustbundles import TrustBundlePublisher
from ktui.engine.controllers.ttlafterfinished import TTLAfterFinished
from ktui.engine.controllers.volume_protection import (
    AttributesClassProtection,
    ClaimProtection,
    VolumeProtection,
)
from ktui.kube.clock import Clock


def default_controllers(
    client: Client,
    recorder: EventRecorder,
    clock: Clock,
    *,
    authority: str = "",
    sign: Sign | None = None,
    published: Sequence[Published] = (),
    volumes: Path | None = None,
    adapters: Adapters | None = None,
) -> list[Controller[Any]]:
    """Every controller, ready for a `ControllerRunner`. `recorder`'s `run` writes the events of all.

    `authority` is the certificate (PEM) by which pods know the API server; `sign` signs approved requests with
    its key, without it they stay unsigned; `published` are the services that the cluster itself offers;
    `volumes` is the folder in which claims of class local-path get theirs.
    `adapters` serve metrics beyond the pods' own.
    """
    signing = [CertificateSigningController(client, clock, sign)] if sign is not None else []
    provisioning = (
        [LocalPathProvisioner(client, recorder.named("ktui.dev/local-path"), clock, volumes)]
        if volumes
        else []
    )
    return [
        DeploymentController(client, recorder.named("deployment-controller"), clock),
        ReplicaSetController(client, recorder.named("replicaset-controller"), clock),
        ReplicationControllerController(client, recorder.named("replication-controller"), clock),
        JobController(client, recorder.named("job-controller"), clock),
        JobOrphans(client),
        CronJobController(client, recorder.named("cronjob-controller"), clock),
        TTLAfterFinished(client, clock),
        DaemonSetController(client, recorder.named("daemonset-controller"), clock),
        StatefulSetController(client, recorder.named("statefulset-controller"), clock),
        GarbageCollector(client, recorder.named("garbage-collector-controller"), clock),
        NamespaceController(client, clock),
        NodeLifecycleController(client, recorder.named("node-controller"), clock),
        TaintEvictionController(client, recorder.named("taint-eviction-controller"), clock),
        PodGarbageCollector(client, clock),
        ServiceAccountController(client),
        ResourceQuotaController(client, clock),
        DisruptionController(client, clock),
        HorizontalPodAutoscalerController(
            client, recorder.named("horizontal-pod-autoscaler"), clock, adapters
        ),
        RootCertificatePublisher(client, authority),
        TokenSecretController(client, authority),
        ClusterRoleAggregation(client),
        EndpointSliceController(client),
        EndpointsController(client),
        EndpointSliceMirroring(client),
        PublishedServices(client, published),
        ServiceCIDRController(client, clock),
        ServiceLoadBalancer(client, recorder.named("service-lb-controller")),
        CertificateApprovingController(client, clock),
        CertificateCleaner(client, clock),
        PodCertificateCleaner(client, clock),
        TrustBundlePublisher(client, authority),
        StorageVersionMigrator(client, clock),
        PersistentVolumeController(client, recorder.named("persistentvolume-controller"), clock),
        EphemeralVolumes(client, recorder.named("ephemeral_volume")),
        ClaimProtection(client),
        VolumeProtection(client),
        AttributesClassProtection(client),
        *provisioning,
        *signing,
    ]
