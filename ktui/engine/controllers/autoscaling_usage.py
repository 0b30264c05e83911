"""What the pods of an autoscaled workload use now, as metrics.k8s.io tells it, in thousandths.

In: the `PodMetrics` that a selector finds. Out: one `Usage` a pod, of the whole pod or of one container in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from ktui.client.base import Client, ListOptions
from ktui.kube.clock import parse_time
from ktui.kube.data import items, mapping, section, string, strings
from ktui.kube.errors import StatusError
from ktui.kube.quantity import parse_quantity
from ktui.kube.resource import Object, Resource

POD_METRICS: Final = Resource("metrics.k8s.io", "v1beta1", "pods", "PodMetrics", True)
_DURATION: Final = re.compile(r"([0-9.]+)(h|ms|µs|us|ns|m|s)")
_SECONDS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "µs": 1e-6, "us": 1e-6, "ns": 1e-9}


class MetricError(Exception):
    """A metric that nothing can be told from; the message is the autoscaler's."""


class Usage(NamedTuple):
    """How much of a resource a pod used on average in the `window` before `at`, in thousandths."""

    millis: int
    at: datetime
    window: timedelta


async def usages_of(
    client: Client, resource: str, namespace: str, selector: str, container: str
) -> dict[str, Usage]:
    """The usage of each pod that is selected and told of, by name; `container` "" is the whole pod."""
    try:
        listing = await client.list(POD_METRICS, namespace, options=ListOptions(label_selector=selector))
    except StatusError as error:
        why = f"unable to fetch metrics from resource metrics API: {error}"
        raise MetricError(f"unable to get metrics for resource {resource}: {why}") from error
    found = listing.items
    if not found:
        why = "no metrics returned from resource metrics API"
        raise MetricError(f"unable to get metrics for resource {resource}: {why}")
    return usages_in(found, resource, container)


def usages_in(metrics: Iterable[Object], resource: str, container: str) -> dict[str, Usage]:
    """What `PodMetrics` say of one resource. A pod is left out when one of its containers does not say."""
    usages: dict[str, Usage] = {}
    for pod in metrics:
        counted = [each for each in items(pod, "containers") if container in ("", each.get("name"))]
        amounts = [mapping(each, "usage").get(resource) for each in counted]
        told = [parse_quantity(amount).millis for amount in amounts if amount is not None]
        if told and len(told) == len(counted):
            window = _duration(string(pod, "window"))
            at = parse_time(string(pod, "timestamp"))
            usages[string(section(pod, "metadata"), "name")] = Usage(sum(told), at, window)
    return usages


def _duration(text: str) -> timedelta:
    """A duration as Go writes it: `15.3s`, `1m0s`."""
    return timedelta(seconds=sum(float(n) * _SECONDS[unit] for n, unit in _DURATION.findall(text)))


def printed_selector(selector: Object | None) -> str:
    """A metric's selector as the autoscaler's messages have it."""
    if selector is None:
        return "nil"
    labels = "".join(f"{key}: {value}," for key, value in sorted(mapping(selector, "matchLabels").items()))
    terms = "".join(
        f"LabelSelectorRequirement{{Key:{term.get('key')},Operator:{term.get('operator')},"
        f"Values:[{' '.join(strings(term, 'values'))}],}},"
        for term in items(selector, "matchExpressions")
    )
    fields = (
        f"MatchLabels:map[string]string{{{labels}}},MatchExpressions:[]LabelSelectorRequirement{{{terms}}},"
    )
    return f"&LabelSelector{{{fields}}}"
