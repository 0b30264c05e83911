"""Which policies a request meets, through which bindings and with which parameters: what both kinds of policies share.

In: the policies of one kind and a request. Out: invocations in the order in which they are evaluated, and bindings
that can't be: what that means is the policy's failurePolicy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic

from ktui.engine.api.admission.base import Attributes, View
from ktui.engine.api.admission.conditions import Scene
from ktui.engine.api.admission.matching import Matcher
from ktui.engine.api.admission.policies.params import Params, ParamsError
from ktui.engine.api.admission.policies.policies import Binding, P, Policy
from ktui.engine.api.admission.review import Shown
from ktui.engine.api.declaration import Declaration
from ktui.engine.api.registry import Registry
from ktui.engine.api.request import Authorizer
from ktui.kube.errors import not_found
from ktui.kube.kinds import NAMESPACES
from ktui.kube.resource import Object


@dataclass(frozen=True, slots=True)
class Invocation(Generic[P]):
    """A policy to be evaluated."""

    policy: P
    binding: Binding
    param: Object | None
    declaration: Declaration
    """The kind in the version by which the policy knows it."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A policy that can't be evaluated, or a request it does not let pass."""

    policy: Policy
    binding: Binding | None
    message: str
    reason: str = "Invalid"


class Invocations:
    """Finds what policies a request meets."""

    def __init__(self, view: View, registry: Registry, authorizer: Authorizer) -> None:
        self._view = view
        self._matcher = Matcher(view, registry)
        self._params = Params(view, registry)
        self._authorizer = authorizer

    def found(
        self, policies: Sequence[P], request: Attributes, obj: Object | None, old: Object | None
    ) -> list[Invocation[P] | Failure]:
        """All of them, in order."""
        return [each for policy in policies for each in self._of(policy, request, obj, old)]

    def _of(
        self, policy: P, request: Attributes, obj: Object | None, old: Object | None
    ) -> Sequence[Invocation[P] | Failure]:
        declaration = self._matcher.matched(policy.match, request, obj, old)
        if declaration is None:
            return []
        if policy.param_kind is not None:
            try:
                self._params.check(policy.param_kind)
            except ParamsError as error:
                return _unless_ignored(policy, None, f"failed to configure policy: {error}")
        found: list[Invocation[P] | Failure] = []
        for binding in policy.bindings:
            if binding.match is not None and self._matcher.matched(binding.match, request, obj, old) is None:
                continue
            try:
                params = self._params.found(policy.param_kind, binding.param_ref, request.namespace)
            except ParamsError as error:
                found += _unless_ignored(policy, binding, f"failed to configure binding: {error}")
                continue
            found += [Invocation(policy, binding, param, declaration) for param in params]
        return found

    async def scene(self, shown: Shown, obj: Object | None, old: Object | None) -> Scene:
        """What the expressions on a request can name, but for parameters and variables."""
        scene = Scene(shown, await shown.outward(obj), await shown.outward(old), self._authorizer)
        scene.set("namespaceObject", self._namespace(shown.request))
        return scene

    def _namespace(self, request: Attributes) -> Object | None:
        """The object's namespace as expressions see it."""
        if not request.namespace or request.resource.key == NAMESPACES.key:
            return None
        found = self._view.lookup(NAMESPACES.key, "", request.namespace)
        if found is None:
            raise not_found(NAMESPACES, request.namespace)
        metadata: Object = found["metadata"]
        return {**found, "metadata": {k: v for k, v in metadata.items() if k != "managedFields"}}


def _unless_ignored(policy: Policy, binding: Binding | None, message: str) -> list[Failure]:
    return [Failure(policy, binding, message)] if policy.fails_closed else []
