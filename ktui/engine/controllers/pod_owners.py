"""From pods that change to the objects that own them, for every controller that makes pods.

In: the changes of pods. Out: the keys of owners to look at again, with what their expectations want to know:
that a pod appeared, or that one goes. An orphan wakes all owners that could adopt it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from lightkube.models.core_v1 import Pod

from ktui.client.informer import Delta, Informer
from ktui.engine.controllers.expectations import Expectations
from ktui.engine.controllers.objects import is_deleting, key_of, labels_of, namespace_of, uid_of
from ktui.engine.controllers.ownership import controller_of, resolve
from ktui.kube.resource import Resource
from ktui.kube.selector import Selector

T = TypeVar("T")


class PodOwners(Generic[T]):
    """A handler of pods on behalf of owners of one resource."""

    def __init__(
        self,
        owners: Informer[T],
        resource: Resource,
        selector: Callable[[T], Selector],
        enqueue: Callable[[T], None],
        expectations: Expectations | None = None,
    ) -> None:
        self._owners = owners
        self._resource = resource
        self._selector = selector
        self._enqueue = enqueue
        self._expectations = expectations

    def pod_changed(self, delta: Delta[Pod]) -> None:
        """Wake whoever has to do with the pod, before or after the change."""
        old, new = delta.old, delta.new
        if new is None or (is_deleting(new) and (old is None or not is_deleting(old))):
            self._going(new if new is not None else old)
        if new is None:
            return
        before, after = (controller_of(old) if old is not None else None), controller_of(new)
        if old is not None and before is not None and (after is None or before.uid != after.uid):
            self._enqueue_owner(old)
        if after is not None:
            owner = self._owner(new)
            if owner is None:
                return
            if old is None and self._expectations is not None:
                self._expectations.creation_observed(key_of(owner))
            self._enqueue(owner)
        elif old is None or before is not None or labels_of(old) != labels_of(new):
            for each in self._owners.list(namespace_of(new)):
                if self._selector(each).matches(labels_of(new)):
                    self._enqueue(each)

    def _owner(self, pod: Pod) -> T | None:
        return resolve(self._owners, self._resource, namespace_of(pod), pod)

    def _going(self, pod: Pod | None) -> None:
        owner = self._owner(pod) if pod is not None else None
        if pod is None or owner is None:
            return
        if self._expectations is not None:
            self._expectations.deletion_observed(key_of(owner), uid_of(pod))
        self._enqueue(owner)

    def _enqueue_owner(self, pod: Pod) -> None:
        owner = self._owner(pod)
        if owner is not None:
            self._enqueue(owner)
