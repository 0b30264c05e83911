"""Which kinds have columns besides those the cluster prints: usage of pods and nodes, endpoints of services."""

from __future__ import annotations

from ktui.client.base import Client
from ktui.kube.kinds import ENDPOINT_SLICES, SERVICES
from ktui.kube.resource import Resource
from ktui.screens.catalog import Catalog
from ktui.screens.endpoint_counts import EndpointsSource
from ktui.screens.live_table import Source
from ktui.screens.usage import with_usage


def with_more_columns(
    source: Source, client: Client, catalog: Catalog, resource: Resource, namespace: str
) -> Source:
    """The source with more columns, where there are any for the kind."""
    if resource.key == SERVICES.key and catalog.find(ENDPOINT_SLICES.key) is not None:
        return EndpointsSource(source, client, namespace)
    return with_usage(source, client, catalog, resource, namespace)
