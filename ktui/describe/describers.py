"""Which kind is described how: what to fetch, and who writes it. Everything else is described generically."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Final, NamedTuple

from ktui.client.base import Client
from ktui.describe import related
from ktui.describe.autoscaling import describe_autoscaler
from ktui.describe.certificates import describe_certificate_request
from ktui.describe.config import describe_config_map, describe_secret, describe_service_account
from ktui.describe.generic import describe_generic
from ktui.describe.ingresses import describe_ingress, describe_ingress_class
from ktui.describe.jobs import describe_cron_job, describe_job
from ktui.describe.limits import describe_limit_range, describe_quota
from ktui.describe.namespace import describe_namespace
from ktui.describe.networkpolicies import describe_network_policy
from ktui.describe.node import describe_node
from ktui.describe.pod import describe_pod
from ktui.describe.priorityclass import describe_priority_class
from ktui.describe.related import Related
from ktui.describe.services import describe_endpoint_slice, describe_endpoints, describe_service
from ktui.describe.sets import (
    describe_daemon_set,
    describe_replication_controller,
    describe_stateful_set,
)
from ktui.describe.storage import (
    describe_persistent_volume,
    describe_persistent_volume_claim,
    describe_storage_class,
)
from ktui.describe.text import Text
from ktui.describe.workloads import describe_deployment, describe_replica_set
from ktui.kube import kinds
from ktui.kube.resource import Object, Resource

Fetch = Callable[[Client, Resource, Object], Awaitable[Related]]
Write = Callable[[Text, Object, Related], None]


class Describer(NamedTuple):
    """How one kind is described."""

    fetch: Fetch
    write: Write


GENERIC: Final = Describer(related.with_events, describe_generic)

DESCRIBERS: Final[Mapping[str, Describer]] = {
    kinds.CERTIFICATE_SIGNING_REQUESTS.key: Describer(related.with_events, describe_certificate_request),
    kinds.CONFIG_MAPS.key: Describer(related.with_events, describe_config_map),
    kinds.CRON_JOBS.key: Describer(related.with_events, describe_cron_job),
    kinds.DAEMON_SETS.key: Describer(related.of_replica_set, describe_daemon_set),
    kinds.DEPLOYMENTS.key: Describer(related.of_deployment, describe_deployment),
    kinds.ENDPOINTS.key: Describer(related.with_events, describe_endpoints),
    kinds.ENDPOINT_SLICES.key: Describer(related.with_events, describe_endpoint_slice),
    kinds.HORIZONTAL_POD_AUTOSCALERS.key: Describer(related.with_events, describe_autoscaler),
    kinds.INGRESSES.key: Describer(related.of_ingress, describe_ingress),
    kinds.INGRESS_CLASSES.key: Describer(related.with_events, describe_ingress_class),
    kinds.JOBS.key: Describer(related.with_events, describe_job),
    kinds.LIMIT_RANGES.key: Describer(related.nothing, describe_limit_range),
    kinds.NAMESPACES.key: Describer(related.of_namespace, describe_namespace),
    kinds.NETWORK_POLICIES.key: Describer(related.nothing, describe_network_policy),
    kinds.NODES.key: Describer(related.of_node, describe_node),
    kinds.PERSISTENT_VOLUMES.key: Describer(related.with_events, describe_persistent_volume),
    kinds.PERSISTENT_VOLUME_CLAIMS.key: Describer(related.of_claim, describe_persistent_volume_claim),
    kinds.PODS.key: Describer(related.with_events, describe_pod),
    kinds.PRIORITY_CLASSES.key: Describer(related.with_events, describe_priority_class),
    kinds.REPLICA_SETS.key: Describer(related.of_replica_set, describe_replica_set),
    kinds.REPLICATION_CONTROLLERS.key: Describer(related.of_replica_set, describe_replication_controller),
    kinds.RESOURCE_QUOTAS.key: Describer(related.nothing, describe_quota),
    kinds.SECRETS.key: Describer(related.nothing, describe_secret),
    kinds.SERVICES.key: Describer(related.of_service, describe_service),
    kinds.SERVICE_ACCOUNTS.key: Describer(related.of_service_account, describe_service_account),
    kinds.STATEFUL_SETS.key: Describer(related.of_replica_set, describe_stateful_set),
    kinds.STORAGE_CLASSES.key: Describer(related.with_events, describe_storage_class),
}
"""By `Resource.key`."""


async def describe(client: Client, resource: Resource, obj: Object, *, now: datetime) -> str:
    """The description of `obj` as `kubectl describe` prints it; times are shown in the zone of `now`."""
    describer = DESCRIBERS.get(resource.key, GENERIC)
    out = Text(now)
    describer.write(out, obj, await describer.fetch(client, resource, obj))
    return str(out)
