"""Metrics that adapters of a cluster tell of: of pods and other objects, and of what is outside (in thousandths).

Adapters serve custom.metrics.k8s.io and external.metrics.k8s.io behind an APIService. Without one the errors here
say so in Kubernetes' words.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final, Protocol
from urllib.parse import quote, urlencode

from ktui.client.base import Client
from ktui.engine.controllers.autoscaling_usage import MetricError, Usage
from ktui.kube.clock import parse_time
from ktui.kube.data import items, section, string
from ktui.kube.errors import StatusError
from ktui.kube.quantity import parse_quantity
from ktui.kube.resource import Object
from ktui.kube.selector import Selector

CUSTOM: Final = "custom.metrics.k8s.io"
EXTERNAL: Final = "external.metrics.k8s.io"
_WINDOW_SECONDS: Final = 60
"""What an adapter that doesn't say has averaged over."""


class Adapters(Protocol):
    """What other servers of the cluster serve, at paths of the API."""

    def versions(self, group: str) -> Sequence[str]:
        """Versions of a group that another server serves, the best first."""
        ...

    async def read(self, path: str) -> Object:
        """The document at a path (with its query). Raises StatusError."""
        ...


class NoAdapters:
    """A cluster without any."""

    def versions(self, group: str) -> Sequence[str]:
        return ()

    async def read(self, path: str) -> Object:
        raise AssertionError(path)


class OutsideMetrics:
    """Reads them for the autoscalers of a namespace."""

    def __init__(self, client: Client, adapters: Adapters, namespace: str) -> None:
        self._client = client
        self._adapters = adapters
        self._namespace = namespace

    async def of_pods(self, metric: Object, selector: str) -> dict[str, Usage]:
        """The metric of each pod that is selected, by the pod's name."""
        found = await self._custom(f"pods/*/{quote(string(metric, 'name'))}", metric, selector)
        return {
            string(section(each, "describedObject"), "name"): Usage(
                parse_quantity(each.get("value") or "0").millis,
                parse_time(string(each, "timestamp")),
                timedelta(seconds=each.get("windowSeconds") or _WINDOW_SECONDS),
            )
            for each in found
        }

    async def of_object(self, metric: Object, described: Object) -> int:
        """The metric of one object."""
        name, kind = quote(string(metric, "name")), string(described, "kind")
        group = string(described, "apiVersion").rpartition("/")[0]
        if (group, kind) == ("", "Namespace"):
            path = f"metrics/{name}"
        else:
            served = [
                each for each in await self._client.resources() if (each.group, each.kind) == (group, kind)
            ]
            if not served:
                raise MetricError(f'{_CUSTOM_UNREAD}no matches for kind "{kind}" in group "{group}"')
            path = f"{served[0].key}/{quote(string(described, 'name'))}/{name}"
        return parse_quantity((await self._custom(path, metric, ""))[0].get("value") or "0").millis

    async def outside(self, metric: Object) -> int:
        """The sum of the values of an external metric."""
        name = string(metric, "name")
        versions = self._adapters.versions(EXTERNAL)
        if not versions:
            raise MetricError(f"{_EXTERNAL_UNREAD}{_not_found(f'get {name}.{EXTERNAL}')}")
        place = f"/apis/{EXTERNAL}/{versions[0]}/namespaces/{self._namespace}/{quote(name)}"
        found = await self._values(f"{place}?{_query(metric, 'labelSelector')}", _EXTERNAL_UNREAD)
        if not found:
            raise MetricError("no metrics returned from external metrics API")
        return sum(parse_quantity(each.get("value") or "0").millis for each in found)

    async def _custom(self, path: str, metric: Object, selector: str) -> list[Object]:
        versions = self._adapters.versions(CUSTOM)
        if not versions:
            raise MetricError(f"{_CUSTOM_UNREAD}no custom metrics API ({CUSTOM}) registered")
        query = _query(metric, "metricLabelSelector", labelSelector=selector)
        place = f"/apis/{CUSTOM}/{versions[0]}/namespaces/{self._namespace}/{path}"
        found = await self._values(f"{place}?{query}", _CUSTOM_UNREAD)
        if not found:
            raise MetricError("no metrics returned from custom metrics API")
        return found

    async def _values(self, path: str, unread: str) -> list[Object]:
        try:
            return items(await self._adapters.read(path.rstrip("?")), "items")
        except StatusError as error:
            raise MetricError(f"{unread}{error.message}") from error


_CUSTOM_UNREAD: Final = "unable to fetch metrics from custom metrics API: "
_EXTERNAL_UNREAD: Final = "unable to fetch metrics from external metrics API: "


def _not_found(what: str) -> str:
    return f"the server could not find the requested resource ({what})"


def _query(metric: Object, field: str, **more: str) -> str:
    """The query of a metric: its selector under the name that the API has for it."""
    if metric.get("selector") is not None:
        more[field] = str(Selector.of(metric["selector"]))
    return urlencode({name: value for name, value in more.items() if value})
