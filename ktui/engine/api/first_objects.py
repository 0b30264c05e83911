"""What a cluster begins with: objects that the server makes at its first start, each where its kind is served."""

from __future__ import annotations

from collections.abc import Iterator

from ktui.engine.api.allocation.service_range import service_range_object, service_range_status
from ktui.engine.api.resources.priorityclasses import SYSTEM_OBJECTS
from ktui.engine.api.resources.storageclasses import LOCAL_PATH
from ktui.kube.clock import Clock
from ktui.kube.kinds import NAMESPACES, PRIORITY_CLASSES, SERVICE_CIDRS, STORAGE_CLASSES
from ktui.kube.resource import Object, Resource

_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")


def first_objects(service_range: str, clock: Clock) -> Iterator[tuple[Resource, Object, Object | None]]:
    """Resource, object, and a patch of its status where it has one from the start."""
    for name in _NAMESPACES:
        yield NAMESPACES, {"metadata": {"name": name}}, None
    for priority_class in SYSTEM_OBJECTS:
        yield PRIORITY_CLASSES, priority_class, None
    yield STORAGE_CLASSES, LOCAL_PATH, None
    yield SERVICE_CIDRS, service_range_object(service_range), service_range_status(clock.now())
