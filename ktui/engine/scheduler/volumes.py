"""The scheduler's picture of claims, volumes and classes: the informers' truth plus what it has just decided.

A volume given to a claim, or a node chosen for one, is *assumed* from the moment its pod is placed until the API
shows it changed (or the binding failed), so that two pods are never given the same volume. Objects are plain data.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec
from lightkube.models.core_v1 import NodeSelector

from ktui.kube.data import section
from ktui.kube.node_selector import NamedNode, NodeTerm, terms_of
from ktui.kube.resource import Object, ObjectKey
from ktui.kube.storage import class_of

K = TypeVar("K", bound=Hashable)


class Volumes:
    """Claims and capacities by key, volumes, classes and drivers by name."""

    def __init__(self) -> None:
        self._claims: dict[ObjectKey, Object] = {}
        self._volumes: dict[str, Object] = {}
        self._classes: dict[str, Object] = {}
        self._drivers: dict[str, Object] = {}
        self._capacities: dict[ObjectKey, Object] = {}
        self._assumed_claims: dict[ObjectKey, Object] = {}
        self._assumed_volumes: dict[str, Object] = {}
        self._by_class: dict[str, set[str]] = {}
        self._nodes: dict[str, Sequence[NodeTerm] | None] = {}
        """The required node affinity of volumes by their names, parsed."""
        self._changed = asyncio.Event()

    def set_claim(self, key: ObjectKey, claim: Object | None) -> None:
        """None: it is gone."""
        if not _is_same(self._claims.get(key), claim):
            self._assumed_claims.pop(key, None)
        _set(self._claims, key, claim)
        self.wake()

    def set_volume(self, name: str, volume: Object | None) -> None:
        """None: it is gone."""
        before = self._volumes.get(name)
        if not _is_same(before, volume):
            self._assumed_volumes.pop(name, None)
        _set(self._volumes, name, volume)
        if before is not None:
            self._by_class[class_of(before) or ""].discard(name)
        self._nodes.pop(name, None)
        if volume is not None:
            self._by_class.setdefault(class_of(volume) or "", set()).add(name)
            self._nodes[name] = _required_nodes(volume)
        self.wake()

    def set_class(self, name: str, storage_class: Object | None) -> None:
        """None: it is gone."""
        _set(self._classes, name, storage_class)

    def set_driver(self, name: str, driver: Object | None) -> None:
        """None: it is gone."""
        _set(self._drivers, name, driver)

    def set_capacity(self, key: ObjectKey, capacity: Object | None) -> None:
        """A CSIStorageCapacity. None: it is gone."""
        _set(self._capacities, key, capacity)

    def claim(self, key: ObjectKey) -> Object | None:
        return self._assumed_claims.get(key) or self._claims.get(key)

    def volume(self, name: str) -> Object | None:
        return self._assumed_volumes.get(name) or self._volumes.get(name)

    def storage_class(self, name: str) -> Object | None:
        return self._classes.get(name)

    def of_class(self, name: str) -> Sequence[Object]:
        """The volumes of a class, as assumed."""
        return [
            self._assumed_volumes.get(each) or self._volumes[each] for each in self._by_class.get(name, ())
        ]

    def can_be_used_on(self, name: str, node: NamedNode) -> bool:
        """Whether the volume's node affinity allows the node."""
        terms = self._nodes.get(name)
        return terms is None or any(term.matches(node) for term in terms)

    def tells_capacity(self, provisioner: str) -> bool:
        """Whether the driver says how much storage there is where."""
        driver = self._drivers.get(provisioner)
        return driver is not None and bool(section(driver, "spec").get("storageCapacity"))

    def capacities_of(self, class_name: str) -> Iterable[Object]:
        """What drivers say of the storage of a class."""
        return (each for each in self._capacities.values() if each.get("storageClassName") == class_name)

    def assume(self, claims: Mapping[ObjectKey, Object], volumes: Mapping[str, Object]) -> None:
        """Count on these to become so."""
        self._assumed_claims.update(claims)
        self._assumed_volumes.update(volumes)

    def forget(self, claims: Mapping[ObjectKey, Object], volumes: Mapping[str, Object]) -> None:
        """Take `assume` back, except of what somebody has assumed since."""
        for key, claim in claims.items():
            if self._assumed_claims.get(key) is claim:
                del self._assumed_claims[key]
        for name, volume in volumes.items():
            if self._assumed_volumes.get(name) is volume:
                del self._assumed_volumes[name]

    def wake(self) -> None:
        """Something happened that those who wait for a change want to know."""
        self._changed.set()
        self._changed = asyncio.Event()

    def next_change(self) -> asyncio.Event:
        """Set when a claim or volume changes after this call."""
        return self._changed


def _required_nodes(volume: Object) -> Sequence[NodeTerm] | None:
    required: Object | None = section(volume, "spec", "nodeAffinity").get("required")
    return None if required is None else terms_of(msgspec.convert(required, NodeSelector))


def _set(into: dict[K, Object], key: K, value: Object | None) -> None:
    if value is None:
        into.pop(key, None)
    else:
        into[key] = value


def _is_same(old: Object | None, new: Object | None) -> bool:
    if old is None or new is None:
        return False
    return section(old, "metadata").get("resourceVersion") == section(new, "metadata").get("resourceVersion")
