"""Acting as somebody else: the Impersonate headers, and the right it takes for each thing they claim.

A pure function but for the authorizer it asks: the caller needs the verb `impersonate` on users (or
serviceaccounts), groups, uids and userextras, each by name.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote

from ktui.engine.api.authn.service_accounts import ACCOUNTS, USER_PREFIX
from ktui.engine.api.authorization import AUTHENTICATED, UNAUTHENTICATED
from ktui.engine.api.request import Access, Authorizer, User
from ktui.kube.errors import bad_request
from ktui.kube.kinds import SERVICE_ACCOUNTS
from ktui.kube.resource import Resource

_PREFIX: Final = "impersonate-"
_EXTRA: Final = "impersonate-extra-"
_USERS: Final = Resource("", "v1", "users", "User", False)
_GROUPS: Final = Resource("", "v1", "groups", "Group", False)
_UIDS: Final = Resource("authentication.k8s.io", "v1", "uids", "UID", False)
_EXTRAS: Final = Resource("authentication.k8s.io", "v1", "userextras", "UserExtra", False)
_ANONYMOUS: Final = "system:anonymous"


async def impersonated(user: User, headers: Iterable[tuple[str, str]], authorizer: Authorizer) -> User:
    """Whom the request is made as: the caller, unless headers name another one the caller may act as.

    Raises 403 for what the caller may not claim, 400 for headers that name no user.
    """
    asked = [(name.lower(), value) for name, value in headers if name.lower().startswith(_PREFIX)]
    if not asked:
        return user
    name = next((value for header, value in asked if header == "impersonate-user"), "")
    groups = tuple(value for header, value in asked if header == "impersonate-group")
    uid = next((value for header, value in asked if header == "impersonate-uid"), "")
    extra: dict[str, tuple[str, ...]] = {}
    for header, value in asked:
        if header.startswith(_EXTRA):
            key = unquote(header[len(_EXTRA) :]).lower()
            extra[key] = (*extra.get(key, ()), value)
    if not name:
        if groups or uid or extra:
            raise bad_request("requested impersonation without impersonating a user")
        return user
    await _check(user, name, groups, uid, extra, authorizer)
    return User(name, _completed(name, groups), uid, extra)


async def _check(
    user: User,
    name: str,
    groups: tuple[str, ...],
    uid: str,
    extra: dict[str, tuple[str, ...]],
    authorizer: Authorizer,
) -> None:
    """Does the caller hold every right it takes?"""
    account = _account(name)
    if account is not None:
        wanted = [Access(user, "impersonate", SERVICE_ACCOUNTS, *account)]
    else:
        wanted = [Access(user, "impersonate", _USERS, "", name)]
    wanted += [Access(user, "impersonate", _GROUPS, "", group) for group in groups]
    if uid:
        wanted.append(Access(user, "impersonate", _UIDS, "", uid))
    wanted += [
        Access(user, "impersonate", _EXTRAS, "", value, key)
        for key, values in extra.items()
        for value in values
    ]
    for access in wanted:
        await authorizer.authorize(access)


def _account(name: str) -> tuple[str, str] | None:
    """Namespace and name of a ServiceAccount's user."""
    if not name.startswith(USER_PREFIX):
        return None
    namespace, _, account = name[len(USER_PREFIX) :].partition(":")
    return (namespace, account) if namespace and account else None


def _completed(name: str, groups: tuple[str, ...]) -> tuple[str, ...]:
    """The groups with those everyone of that kind is in."""
    account = _account(name)
    if account is not None and not groups:
        groups = (ACCOUNTS, f"{ACCOUNTS}:{account[0]}")
    everyone = UNAUTHENTICATED if name == _ANONYMOUS else AUTHENTICATED
    return groups if AUTHENTICATED in groups or UNAUTHENTICATED in groups else (*groups, everyone)
