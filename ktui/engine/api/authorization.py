"""The groups everyone is in, and denials as kube-apiserver words them, whoever denies."""

from __future__ import annotations

from ktui.engine.api.request import Access, User
from ktui.kube.errors import StatusError, forbidden, status

MASTERS = "system:masters"
AUTHENTICATED, UNAUTHENTICATED = "system:authenticated", "system:unauthenticated"
"""Groups everyone is in, by whether they said who they are."""


def denied(access: Access) -> StatusError:
    """403: `pods "web" is forbidden: User "x" cannot get resource "pods" in API group "" in the namespace "y"`."""
    resource = access.resource
    what = f"{resource.plural}/{access.subresource}" if access.subresource else resource.plural
    where = f'in the namespace "{access.namespace}"' if access.namespace else "at the cluster scope"
    text = f'User "{access.user.name}" cannot {access.verb} resource "{what}" in API group "{resource.group}" {where}'
    if access.name:
        return forbidden(resource, access.name, text)
    details = {"group": resource.group, "kind": resource.plural}
    return StatusError(
        status(
            403,
            "Forbidden",
            f"{resource.key} is forbidden: {text}",
            {name: value for name, value in details.items() if value},
        )
    )


def denied_path(user: User, verb: str, path: str) -> StatusError:
    """403 for a request for no resource."""
    return StatusError(status(403, "Forbidden", f'forbidden: User "{user.name}" cannot {verb} path "{path}"'))
