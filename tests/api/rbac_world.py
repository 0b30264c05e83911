"""A cluster with roles for tests: a server with everything built in, and clients of it as anyone."""

from __future__ import annotations

from typing import Any

import pytest

from ktui.engine.api.local import LocalClient
from ktui.engine.api.rbac.authorizer import Rbac
from ktui.engine.api.rbac.bootstrap import ensure_default_roles
from ktui.engine.api.registry import default_registry
from ktui.engine.api.server import ApiServer
from ktui.kube.errors import StatusError
from ktui.kube.kinds import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES

GROUP = "rbac.authorization.k8s.io"


class Cluster:
    """A server with roles, and clients of it as one user or another."""

    def __init__(self, server: ApiServer) -> None:
        self.server = server
        self.admin = LocalClient(server, "admin")

    @classmethod
    async def start(cls, store, clock) -> Cluster:
        server = ApiServer(store, default_registry(), clock, authorizer=Rbac(store))
        await server.start()
        await ensure_default_roles(server)
        return cls(server)

    def as_user(self, name: str, *groups: str) -> LocalClient:
        return LocalClient(self.server, name, groups=(*groups, "system:authenticated"))

    async def role(self, name, *rules, namespace="default", **fields):
        resource = ROLES if namespace else CLUSTER_ROLES
        role = {"metadata": {"name": name}, "rules": list(rules), **fields}
        return await self.admin.create(resource, role, namespace)

    async def bind(self, role, user, namespace="default", kind="Role", subject=None):
        resource = ROLE_BINDINGS if namespace else CLUSTER_ROLE_BINDINGS
        return await self.admin.create(resource, binding(role, user, kind, subject), namespace)


def binding(role, user, kind="Role", subject=None) -> dict[str, Any]:
    return {
        "metadata": {"name": f"{user}-{role}".replace(":", "-")},
        "roleRef": {"kind": kind, "name": role, "apiGroup": GROUP},
        "subjects": [subject or {"kind": "User", "name": user}],
    }


def rule(verbs, resources, group="", names=()) -> dict[str, Any]:
    made = {"verbs": verbs.split(), "apiGroups": [group], "resources": resources.split()}
    return {**made, "resourceNames": list(names)} if names else made


async def refused(call) -> StatusError:
    """The error a call ends with."""
    with pytest.raises(StatusError) as caught:
        await call
    return caught.value
