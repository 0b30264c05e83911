"""Which services select a pod, and which pods a service selects, without walking all of either.

A service is filed under one pair of its selector and its namespace, a pod under every pair of its labels: a
change of one pod looks only at services that share a pair with it, however many services there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, cast

from lightkube.models.core_v1 import Pod, Service

from ktui.client.informer import Delta, Informer, Informers
from ktui.engine.controllers.objects import (
    is_deleting,
    is_finished,
    is_ready,
    labels_of,
    namespace_of,
    node_of,
    pod_spec,
    pod_status,
    uid_of,
)
from ktui.kube.kinds import PODS, SERVICES
from ktui.kube.resource import ObjectKey

_BY_LABEL = "label"
_BY_SELECTOR = "selector"
_TELLING = frozenset(("app", "app.kubernetes.io/name", "k8s-app", "name", "run"))
"""Labels that few services share: where a selector has one of them, the service is filed under it."""


def selector_of(service: Service) -> dict[str, str]:
    """What a service selects pods by; empty: its endpoints are made by hand."""
    spec = service.spec
    if spec is None or spec.type == "ExternalName":
        return {}
    return cast("dict[str, str]", spec.selector or {})  # pyright: ignore[reportUnknownMemberType] - a bare dict in lightkube


class ServicePods:
    """The two informers and what connects them. Build one per controller; indexes are shared."""

    def __init__(self, informers: Informers) -> None:
        self.services: Informer[Service] = informers.of(SERVICES, Service)
        self.pods: Informer[Pod] = informers.of(PODS, Pod)
        self.services.add_index(_BY_SELECTOR, _selector_pair)
        self.pods.add_index(_BY_LABEL, _label_pairs)

    def on_change(self, changed: Callable[[ObjectKey], None]) -> None:
        """Call `changed` with each service whose endpoints may be others now."""

        def service(delta: Delta[Service]) -> None:
            changed(delta.key)

        def pod(delta: Delta[Pod]) -> None:
            if delta.old is not None and delta.new is not None and _facts(delta.old) == _facts(delta.new):
                return
            for obj in (delta.old, delta.new):
                for key in self.services_of(obj) if obj is not None else ():
                    changed(key)

        self.services.add_handler(service)
        self.pods.add_handler(pod)

    def services_of(self, pod: Pod) -> list[ObjectKey]:
        """The services that select a pod."""
        labels = labels_of(pod)
        return [
            ObjectKey(namespace_of(service), (service.metadata and service.metadata.name) or "")
            for pair in _label_pairs(pod)
            for service in self.services.by_index(_BY_SELECTOR, pair)
            if selector_of(service).items() <= labels.items()
        ]

    def pods_of(self, service: Service) -> list[Pod]:
        """The pods a service selects, in the order of their names."""
        selector = selector_of(service)
        return [
            pod
            for pair in _selector_pair(service)
            for pod in self.pods.by_index(_BY_LABEL, pair)
            if selector.items() <= labels_of(pod).items()
        ]


def _pair(namespace: str, key: str, value: str) -> str:
    return f"{namespace}/{key}={value}"


def _label_pairs(pod: Pod) -> Iterable[str]:
    namespace = namespace_of(pod)
    return [_pair(namespace, key, value) for key, value in labels_of(pod).items()]


def _selector_pair(service: Service) -> Iterable[str]:
    selector = selector_of(service)
    if not selector:
        return ()
    key = min(selector, key=lambda key: (key not in _TELLING, key))
    return (_pair(namespace_of(service), key, selector[key]),)


def _facts(pod: Pod) -> tuple[Any, ...]:
    """What of a pod its endpoints depend on."""
    status, spec = pod_status(pod), pod_spec(pod)
    addresses = tuple(each.ip for each in status.podIPs or ())
    return (
        uid_of(pod),
        status.podIP,
        addresses,
        is_ready(pod),
        is_deleting(pod),
        is_finished(pod),
        node_of(pod),
        spec.hostname,
        spec.subdomain,
        labels_of(pod),
    )
