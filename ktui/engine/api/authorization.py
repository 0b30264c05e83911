"""Who may do what, before roles exist: the masters everything, others look at what is public.

Denials are worded as kube-apiserver words them, whoever denies.
"""

from __future__ import annotations

from ktui.engine.api.request import Access, User
from ktui.kube.errors import StatusError, forbidden, status

MASTERS = "system:masters"
AUTHENTICATED, UNAUTHENTICATED = "system:authenticated", "system:unauthenticated"
"""Groups everyone is in, by whether they said who they are."""

_PUBLIC = ("/healthz", "/livez", "/readyz", "/version")
_DISCOVERY = ("/api", "/apis", "/openapi")
_BASIC = frozenset(
    (
        "selfsubjectaccessreviews.authorization.k8s.io",
        "selfsubjectrulesreviews.authorization.k8s.io",
        "selfsubjectreviews.authentication.k8s.io",
    )
)
"""What every authenticated user may ask about itself (Kubernetes' role system:basic-user)."""


class MastersOnly:
    """Allows `system:masters`; others may discover the API and ask who they are."""

    async def authorize(self, access: Access) -> None:
        groups = access.user.groups
        if MASTERS in groups:
            return
        if AUTHENTICATED in groups and access.verb == "create" and access.resource.key in _BASIC:
            return
        raise denied(access)

    async def authorize_path(self, user: User, verb: str, path: str) -> None:
        if MASTERS in user.groups:
            return
        allowed = (*_PUBLIC, *_DISCOVERY) if AUTHENTICATED in user.groups else _PUBLIC
        if verb == "get" and any(path == root or path.startswith(f"{root}/") for root in allowed):
            return
        raise denied_path(user, verb, path)


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
