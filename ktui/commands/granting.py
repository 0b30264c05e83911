"""What a kubeconfig's user may do: `--role` binds it to a role, in one namespace or everywhere."""

from __future__ import annotations

import click

from ktui.client.base import Client, PatchType, WriteOptions
from ktui.commands.session import UserError
from ktui.kube.errors import StatusError
from ktui.kube.kinds import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES
from ktui.kube.resource import Object, Resource

_API = CLUSTER_ROLES.group


async def grant(client: Client, user: str, role: str, namespace: str) -> None:
    """Bind a user to a role: to the namespace's own of that name if there is one, else to a ClusterRole."""
    kind = await _role_kind(client, role, namespace)
    resource = ROLE_BINDINGS if namespace else CLUSTER_ROLE_BINDINGS
    name = f"ktui:{role}:{user}"
    binding: Object = {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": name},
        "roleRef": {"apiGroup": _API, "kind": kind.kind, "name": role},
        "subjects": [{"apiGroup": _API, "kind": "User", "name": user}],
    }
    write = WriteOptions(field_manager="ktui-kubeconfig", force=True)
    await client.patch(resource, name, binding, namespace, patch_type=PatchType.APPLY, options=write)
    where = f"in namespace {namespace}" if namespace else "in every namespace"
    told = f"{user} may do what {kind.kind} {role} allows {where}"
    click.echo(f"{resource.singular}.{_API}/{name}: {told}", err=True)


async def _role_kind(client: Client, role: str, namespace: str) -> Resource:
    if namespace and await _is_there(client, ROLES, role, namespace):
        return ROLES
    if await _is_there(client, CLUSTER_ROLES, role):
        return CLUSTER_ROLES
    nor = f", and namespace {namespace} has no Role of that name" if namespace else ""
    raise UserError(f"there is no ClusterRole {role}{nor}; `ktui get clusterroles` lists what there is")


async def _is_there(client: Client, resource: Resource, name: str, namespace: str = "") -> bool:
    try:
        await client.get(resource, name, namespace)
    except StatusError as error:
        if error.is_not_found:
            return False
        raise
    return True
