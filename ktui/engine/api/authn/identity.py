"""Who calls, from what came along with the call: the listener, a client certificate, a bearer token.

The first that says something decides. A bearer token that nobody knows is refused (401) rather than taken as
anonymous, as kube-apiserver does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from ktui.engine.api.authorization import AUTHENTICATED, MASTERS, UNAUTHENTICATED
from ktui.engine.api.request import User
from ktui.kube.errors import StatusError, status

ADMIN = User("system:admin", (MASTERS, AUTHENTICATED))
"""Who may open the unix socket owns the data folder, and so the cluster."""

ANONYMOUS = User("system:anonymous", (UNAUTHENTICATED,))

TokenAuthenticator = Callable[[str], Awaitable[User | None]]
"""The user of a bearer token, or None if the token is not one of its kind."""


async def user_of_token(header: str, authenticators: Sequence[TokenAuthenticator]) -> User | None:
    """The user of an `Authorization` header; None without a bearer token; raises 401 for an unknown one."""
    scheme, _, token = header.strip().partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        return None
    for authenticate in authenticators:
        user = await authenticate(token)
        if user is not None:
            return user
    raise unauthorized()


def unauthorized() -> StatusError:
    return StatusError(status(401, "Unauthorized", "Unauthorized"))
