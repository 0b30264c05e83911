"""The kinds ktui serves, one module a kind or family; a new kind is a new module in this list."""

from __future__ import annotations

from itertools import chain

from ktui.engine.api.declaration import Declaration
from ktui.engine.api.resources import (
    bindings,
    certificatesigningrequests,
    configmaps,
    controllerrevisions,
    customresourcedefinitions,
    daemonsets,
    deployments,
    endpoints,
    events,
    horizontalpodautoscalers,
    ingresses,
    ktui_dev,
    leases,
    limitranges,
    namespaces,
    networkpolicies,
    nodes,
    persistentvolumeclaims,
    persistentvolumes,
    poddisruptionbudgets,
    pods,
    priorityclasses,
    rbac,
    replicasets,
    replicationcontrollers,
    resourcequotas,
    reviews,
    runtimeclasses,
    secrets,
    serviceaccounts,
    servicecidrs,
    services,
    statefulsets,
    storageclasses,
    validatingadmissionpolicies,
    webhookconfigurations,
)

_MODULES = (
    bindings,
    configmaps,
    events,
    limitranges,
    namespaces,
    nodes,
    persistentvolumeclaims,
    persistentvolumes,
    pods,
    replicationcontrollers,
    resourcequotas,
    secrets,
    serviceaccounts,
    services,
    endpoints,
    controllerrevisions,
    daemonsets,
    deployments,
    replicasets,
    statefulsets,
    horizontalpodautoscalers,
    certificatesigningrequests,
    leases,
    ingresses,
    networkpolicies,
    servicecidrs,
    poddisruptionbudgets,
    priorityclasses,
    runtimeclasses,
    storageclasses,
    rbac,
    reviews,
    webhookconfigurations,
    validatingadmissionpolicies,
    customresourcedefinitions,
    ktui_dev,
)


def declarations() -> list[Declaration]:
    """All of them, in the order in which discovery lists them."""
    return list(chain.from_iterable(module.DECLARATIONS for module in _MODULES))
