"""The parameters a binding gives its policy: one object by name, or all that a selector selects."""

from __future__ import annotations

from collections.abc import Sequence

from ktui.engine.api.admission.base import View
from ktui.engine.api.registry import Registry
from ktui.kube.data import mapping, section, string
from ktui.kube.resource import GroupVersionKind, Object
from ktui.kube.selector import Selector, SelectorError


class ParamsError(Exception):
    """Parameters that can't be had; what that means is the policy's failurePolicy."""


class Params:
    """Finds parameters in one cluster."""

    def __init__(self, view: View, registry: Registry) -> None:
        self._view = view
        self._registry = registry

    def check(self, kind: GroupVersionKind) -> None:
        """Raise ParamsError for a kind that is not served."""
        if self._registry.by_kind(kind) is None:
            raise ParamsError(
                f"failed to find resource referenced by paramKind: '{kind.api_version}, Kind={kind.kind}'"
            )

    def found(
        self, kind: GroupVersionKind | None, ref: Object | None, namespace: str
    ) -> Sequence[Object | None]:
        """The objects the policy is evaluated with, one after the other; None where it takes none."""
        if kind is None or ref is None:
            return [None]
        objects = self._objects(kind, ref, namespace)
        if not objects and string(ref, "parameterNotFoundAction") == "Deny":
            raise ParamsError("no params found for policy binding with `Deny` parameterNotFoundAction")
        return objects

    def _objects(self, kind: GroupVersionKind, ref: Object, namespace: str) -> list[Object]:
        declaration = self._registry.by_kind(kind)
        if declaration is None:
            raise ParamsError(f"paramKind kind `{kind.api_version}, Kind={kind.kind}` not known")
        resource, asked, name = declaration.resource, string(ref, "namespace"), string(ref, "name")
        if resource.namespaced:
            place = asked or namespace
            if not place:
                raise ParamsError(
                    "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources"
                )
        elif asked:
            raise ParamsError("paramRef.namespace must not be provided for a cluster-scoped `paramKind`")
        else:
            place = ""
        if name:
            found = self._view.lookup(resource.key, place, name)
            objects = [found] if found else []
        else:
            try:
                selector = Selector.of(section(ref, "selector"))
            except SelectorError as error:
                raise ParamsError(str(error)) from error
            objects = [
                each
                for each in self._view.listed(resource.key, place)
                if selector.matches(mapping(section(each, "metadata"), "labels"))
            ]
        return [{**each, "apiVersion": resource.api_version} for each in objects]
