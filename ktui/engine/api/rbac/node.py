"""The node authorizer: a kubelet may do what its own node and its own pods take, and no more.

A kubelet is a user `system:node:<name>` in the group `system:nodes`. Secrets and config maps it reads only by
name and only if a pod bound to it refers to them; pods, its Node object and its Lease only if they are its own.
Everything else a kubelet needs follows fixed rules.
"""

from __future__ import annotations

from typing import Final

import msgspec

from ktui.engine.api.rbac.defaults import NODE_RULES, NODES
from ktui.engine.api.rbac.node_graph import CLAIMS, NodeGraph
from ktui.engine.api.rbac.rules import Grants, Rule
from ktui.engine.api.request import Access, User
from ktui.engine.api.selection import selected
from ktui.engine.store.base import Store
from ktui.kube import kinds

PREFIX: Final = "system:node:"
_READ: Final = ("get", "list", "watch")
_LEASE_NAMESPACE: Final = "kube-node-lease"


def node_of(user: User) -> str:
    """The node a user is the kubelet of; empty for others."""
    return user.name.removeprefix(PREFIX) if user.name.startswith(PREFIX) and NODES in user.groups else ""


class NodeAuthorizer:
    """Decides on requests of kubelets."""

    def __init__(self, store: Store) -> None:
        self._graph = NodeGraph(store)
        self._rules = Grants(msgspec.convert(rule, Rule) for rule in NODE_RULES)

    def refusal(self, node: str, access: Access) -> str | None:
        """Why a node's kubelet may not do that; None: it may. An empty reason has nothing to add."""
        key, name, namespace = access.resource.key, access.name, access.namespace
        asked = (access.verb, access.resource.group, access.resource.plural, access.subresource, name)
        if not self._rules.allows(*asked):
            return ""
        if key in (kinds.SECRETS.key, kinds.CONFIG_MAPS.key, CLAIMS):
            if not name:
                return "can only read resources of this type by name" if access.verb != "get" else ""
            return self._unless(self._graph.refers(node, key, namespace, name), node)
        if key == kinds.SERVICE_ACCOUNTS.key:
            return self._unless(self._graph.refers(node, key, namespace, name), node)
        if key == kinds.NODES.key:
            return self._own_node(node, access)
        if key == kinds.LEASES.key:
            is_own = namespace == _LEASE_NAMESPACE and (name == node or access.verb == "create")
            return None if is_own else "can only access node lease with the same name as the requesting node"
        if key == kinds.PODS.key:
            return self._pod(node, access)
        if key == kinds.CSI_NODES.key:
            is_own = name == node or access.verb == "create"
            return None if is_own else "can only access CSINode with the same name as the requesting node"
        if key == kinds.RESOURCE_CLAIMS.key:
            return self._unless(self._graph.refers(node, key, namespace, name), node)
        if key == kinds.POD_CERTIFICATE_REQUESTS.key:
            return self._certificate_request(node, access)
        if key == kinds.RESOURCE_SLICES.key:
            is_own = selected(access.field_selector, "spec.nodeName") == node
            return None if is_own else "can only delete resourceslices with nodeName field selector"
        return None

    @staticmethod
    def _unless(is_related: bool, node: str) -> str | None:
        return None if is_related else f"no relationship found between node '{node}' and this object"

    @staticmethod
    def _own_node(node: str, access: Access) -> str | None:
        if access.verb == "create" and not access.subresource:
            return None
        if access.name == node:
            return None
        if access.verb in _READ:
            return f"node '{node}' cannot read '{access.name}', only its own Node object"
        return f"node '{node}' is not allowed to modify node '{access.name}'"

    def _certificate_request(self, node: str, access: Access) -> str | None:
        if access.verb == "create":
            return None
        if access.verb == "get":
            is_own = self._graph.asked(node, access.namespace, access.name)
            return self._unless(is_own, node)
        is_own = selected(access.field_selector, "spec.nodeName") == node
        return None if is_own else "can only list/watch podcertificaterequests with nodeName field selector"

    def _pod(self, node: str, access: Access) -> str | None:
        if access.verb in ("list", "watch") and not access.name:
            is_own = selected(access.field_selector, "spec.nodeName") == node
            return None if is_own else "can only list/watch pods with spec.nodeName field selector"
        if access.verb == "create" and not access.subresource:
            return None
        return self._unless(self._graph.runs(node, access.namespace, access.name), node)
