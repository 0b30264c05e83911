"""The admission plugins, in the order they run. A new plugin is a module and a line in BUILT_IN."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ktui.engine.api.admission.base import Attributes, Extension, Plugin, View
from ktui.engine.api.admission.default_toleration_seconds import DefaultTolerationSeconds
from ktui.engine.api.admission.device_admin_access import DeviceAdminAccess
from ktui.engine.api.admission.ingress_class import DefaultIngressClass
from ktui.engine.api.admission.limit_ranger import LimitRanger
from ktui.engine.api.admission.namespace_lifecycle import NamespaceLifecycle
from ktui.engine.api.admission.node_restriction import NodeRestriction
from ktui.engine.api.admission.pod_security import PodSecurity
from ktui.engine.api.admission.priority import Priority
from ktui.engine.api.admission.resource_quota import ResourceQuota
from ktui.engine.api.admission.runtime_class import RuntimeClass
from ktui.engine.api.admission.service_account import ServiceAccount
from ktui.engine.api.admission.storage import (
    DefaultStorageClass,
    PersistentVolumeClaimResize,
    StorageObjectInUseProtection,
)
from ktui.kube.resource import Object

BUILT_IN: Sequence[Callable[[View], Plugin]] = (
    NamespaceLifecycle,
    LimitRanger,
    ServiceAccount,
    NodeRestriction,
    PodSecurity,
    DefaultTolerationSeconds,
    Priority,
    RuntimeClass,
    DefaultStorageClass,
    StorageObjectInUseProtection,
    PersistentVolumeClaimResize,
    DefaultIngressClass,
    DeviceAdminAccess,
)

PLUGINS: Sequence[Callable[[View], Plugin]] = (*BUILT_IN, ResourceQuota)


class Admission:
    """Runs every plugin on a request: all mutations first, then all checks."""

    def __init__(self, view: View, plugins: Sequence[Callable[[View], Plugin]] = PLUGINS) -> None:
        self._plugins = [plugin(view) for plugin in plugins]
        self._extensions = [plugin for plugin in self._plugins if isinstance(plugin, Extension)]

    async def admit(self, request: Attributes, obj: Object, old: Object | None) -> Object:
        for plugin in self._plugins:
            obj = await plugin.admit(request, obj, old)
        return obj

    async def validate(self, request: Attributes, obj: Object | None, old: Object | None) -> None:
        for plugin in self._plugins:
            await plugin.validate(request, obj, old)

    async def ask(self, request: Attributes, body: Object) -> Object:
        """What is made of the body of a subresource that is no object of its resource (`request.kind` says what)."""
        for plugin in self._extensions:
            body = await plugin.admit(request, body, None)
        for plugin in self._extensions:
            await plugin.validate(request, body, None)
        return body
