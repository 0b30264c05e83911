"""ServiceAccounts' tokens: made on request (TokenRequest), believed while what they are bound to is there.

A token names its account and, mostly, a pod, secret or node by UID. It ends with its time, with the account,
and with that object; all of them are looked up at every use, so that deleting one ends the token.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from ktui.engine.api.authn.jwt import SigningKey, TokenError, key_in_memory
from ktui.engine.api.authorization import AUTHENTICATED
from ktui.engine.api.declaration import Declaration
from ktui.engine.api.documents import decode, metadata_of
from ktui.engine.api.request import User
from ktui.engine.api.validation.fields import invalid as invalid_value
from ktui.engine.store.base import Key, Store
from ktui.kube.clock import Clock, parse_time, rfc3339
from ktui.kube.data import section, string, strings
from ktui.kube.errors import Cause, bad_request, conflict, invalid, not_found
from ktui.kube.kinds import NODES, PODS, SECRETS, SERVICE_ACCOUNTS
from ktui.kube.resource import Object, Resource

ISSUER: Final = "https://kubernetes.default.svc.cluster.local"
ACCOUNTS: Final = "system:serviceaccounts"
USER_PREFIX: Final = "system:serviceaccount:"
DEFAULT_SECONDS: Final = 3600
_SHORTEST, _LONGEST = 600, 1 << 32
_EXTRA: Final = "authentication.kubernetes.io/"
_LEEWAY: Final = timedelta(seconds=60)
"""How long a token outlives the deletion mark of what it is bound to: its pod may still be ending."""
TOKEN_REQUEST: Final = Declaration(
    resource=Resource("authentication.k8s.io", "v1", "tokenrequests", "TokenRequest", True),
    schema="io.k8s.api.authentication.v1.TokenRequest",
    columns=(),
)
"""The body of serviceaccounts/token."""
_BINDABLE: Final = {("v1", "Pod"): PODS, ("v1", "Secret"): SECRETS, ("v1", "Node"): NODES}


@dataclass(frozen=True, slots=True)
class Authenticated:
    """Whose token it was, and for which of the audiences asked."""

    user: User
    audiences: tuple[str, ...]


class ServiceAccountTokens:
    """Makes and checks the tokens of one cluster."""

    def __init__(self, store: Store, clock: Clock, key: Callable[[], SigningKey] = key_in_memory) -> None:
        self._store = store
        self._clock = clock
        self._key = key

    @property
    def key(self) -> SigningKey:
        """What tokens are signed with."""
        return self._key()

    # Making

    def request(self, namespace: str, name: str, body: Object) -> Object:
        """The `TokenRequest` with its token. Raises 404, 409 and 422."""
        account = self._found(SERVICE_ACCOUNTS, namespace, name)
        if account is None:
            raise not_found(SERVICE_ACCOUNTS, name)
        spec = section(body, "spec")
        seconds: int | None = spec.get("expirationSeconds")
        seconds = DEFAULT_SECONDS if seconds is None else seconds
        if causes := _lifetime(seconds):
            raise invalid(TOKEN_REQUEST.resource, name, causes)
        audiences = [each for each in strings(spec, "audiences") if each] or [ISSUER]
        now = self._clock.now().replace(microsecond=0)
        claims: dict[str, Any] = {
            "aud": audiences,
            "exp": int(now.timestamp()) + seconds,
            "iat": int(now.timestamp()),
            "iss": ISSUER,
            "jti": str(uuid.uuid4()),
            "kubernetes.io": {
                "namespace": namespace,
                **self._bound(namespace, name, section(spec, "boundObjectRef")),
                "serviceaccount": _reference(account),
            },
            "nbf": int(now.timestamp()),
            "sub": f"{USER_PREFIX}{namespace}:{name}",
        }
        status = {
            "token": self.key.sign(claims),
            "expirationTimestamp": rfc3339(now + timedelta(seconds=seconds)),
        }
        return {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {"name": name, "namespace": namespace, "creationTimestamp": rfc3339(now)},
            "spec": {**spec, "audiences": audiences, "expirationSeconds": seconds},
            "status": status,
        }

    def _bound(self, namespace: str, account: str, reference: Object) -> Object:
        """The claims that bind a token to an object, and a pod's to its node."""
        if not reference:
            return {}
        version, kind = string(reference, "apiVersion") or "v1", string(reference, "kind")
        resource = _BINDABLE.get((version, kind))
        if resource is None:
            raise bad_request(f"cannot bind token to object of type {version}, Kind={kind}")
        name, uid = string(reference, "name"), string(reference, "uid")
        found = self._found(resource, namespace, name)
        if found is None:
            raise not_found(resource, name)
        found_uid = string(metadata_of(found), "uid")
        if uid and uid != found_uid:
            raise conflict(
                resource,
                name,
                f"the UID in the bound object reference ({uid}) does not match the UID in record. The object might "
                "have been deleted and then recreated",
            )
        claims: Object = {kind.lower(): _reference(found)}
        if resource is PODS:
            spec = section(found, "spec")
            if (string(spec, "serviceAccountName") or "default") != account:
                raise bad_request(
                    f'cannot bind token for serviceaccount "{account}" to pod running with different serviceaccount '
                    "name."
                )
            node = self._found(NODES, "", string(spec, "nodeName"))
            if node is not None:
                claims["node"] = _reference(node)
        return claims

    # Checking

    async def authenticate(self, token: str) -> User | None:
        """The user of a token meant for this server; None if it is none of ours or no longer good."""
        try:
            return self.check(token).user
        except TokenError:
            return None

    def check(self, token: str, audiences: Sequence[str] = ()) -> Authenticated:
        """Whose token it is. Raises TokenError."""
        claims = self.key.claims(token)
        if claims.get("iss") != ISSUER:
            raise TokenError("it is of another issuer")
        now = self._clock.now()
        if int(claims.get("exp") or 0) <= now.timestamp():
            raise TokenError("service account token has expired")
        if int(claims.get("nbf") or 0) > now.timestamp() + 10:
            raise TokenError("service account token is not valid yet")
        wanted = tuple(audiences) or (ISSUER,)
        meant = tuple(each for each in wanted if each in strings(claims, "aud"))
        if not meant:
            raise TokenError(
                f"token audiences {strings(claims, 'aud')} is invalid for the target audiences {list(wanted)}"
            )
        return Authenticated(self._user(claims, now), meant)

    def _user(self, claims: Object, now: datetime) -> User:
        own = section(claims, "kubernetes.io")
        namespace = string(own, "namespace")
        account = section(own, "serviceaccount")
        self._check_lives(SERVICE_ACCOUNTS, namespace, account, now)
        extra: dict[str, tuple[str, ...]] = {f"{_EXTRA}credential-id": (f"JTI={claims.get('jti')}",)}
        for kind, resource in (("pod", PODS), ("secret", SECRETS), ("node", NODES)):
            reference = section(own, kind)
            if not reference:
                continue
            if kind != "node" or "pod" not in own:
                self._check_lives(resource, namespace, reference, now)
            if kind != "secret":
                extra[f"{_EXTRA}{kind}-name"] = (string(reference, "name"),)
                extra[f"{_EXTRA}{kind}-uid"] = (string(reference, "uid"),)
        return User(
            f"{USER_PREFIX}{namespace}:{string(account, 'name')}",
            (ACCOUNTS, f"{ACCOUNTS}:{namespace}", AUTHENTICATED),
            string(account, "uid"),
            extra,
        )

    def _check_lives(self, resource: Resource, namespace: str, reference: Object, now: datetime) -> None:
        name = string(reference, "name")
        found = self._found(resource, namespace, name)
        metadata = metadata_of(found) if found else {}
        if found is None or metadata.get("uid") != reference.get("uid"):
            raise TokenError(f'{resource.singular} "{name}" it was made for is gone')
        deleted = metadata.get("deletionTimestamp")
        if deleted and parse_time(deleted) + _LEEWAY < now:
            raise TokenError(f'{resource.singular} "{name}" it was made for has been deleted')

    def _found(self, resource: Resource, namespace: str, name: str) -> Object | None:
        entry = self._store.get(Key(resource.key, namespace if resource.namespaced else "", name))
        return decode(entry.data) if entry else None


def _lifetime(seconds: int) -> list[Cause]:
    path = "spec.expirationSeconds"
    if seconds < _SHORTEST:
        return [invalid_value(path, seconds, "may not specify a duration less than 10 minutes")]
    if seconds > _LONGEST:
        return [invalid_value(path, seconds, "may not specify a duration larger than 2^32 seconds")]
    return []


def _reference(obj: Object) -> Object:
    metadata = metadata_of(obj)
    return {"name": metadata["name"], "uid": metadata.get("uid") or ""}
