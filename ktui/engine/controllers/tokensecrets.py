"""Token secrets: Secrets of type kubernetes.io/service-account-token get a token that lasts as long as they do.

The token is requested from the API, bound to the Secret. A Secret whose account does not exist, or is another
one of that name by now, is deleted, as Kubernetes' tokens controller does.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import base64

from lightkube.models.core_v1 import Secret, ServiceAccount

from ktui.client.base import Client, DeleteOptions, PatchType
from ktui.client.informer import Delta, Informers
from ktui.engine.controllers.objects import annotations_of, is_deleting, uid_of
from ktui.engine.controllers.runtime import Controller, Result
from ktui.engine.controllers.workqueue import WorkQueue
from ktui.kube.errors import StatusError
from ktui.kube.kinds import SECRETS, SERVICE_ACCOUNTS
from ktui.kube.resource import Object, ObjectKey

TYPE = "kubernetes.io/service-account-token"
ACCOUNT_NAME = "kubernetes.io/service-account.name"
ACCOUNT_UID = "kubernetes.io/service-account.uid"
_LIFETIME_SECONDS = 1 << 32
"""The longest the API gives: more than a century."""


class TokenSecretController(Controller[ObjectKey]):
    """Fills in what such a Secret lacks."""

    name = "serviceaccount-token-controller"

    def __init__(self, client: Client, authority: str) -> None:
        self._client = client
        self._authority = authority

    def setup(self, informers: Informers, queue: WorkQueue[ObjectKey]) -> None:
        self._queue = queue
        self._secrets = informers.of(SECRETS, Secret)
        self._accounts = informers.of(SERVICE_ACCOUNTS, ServiceAccount)
        self._secrets.add_handler(self._secret_changed)
        self._accounts.add_handler(self._account_changed)

    def _secret_changed(self, delta: Delta[Secret]) -> None:
        if delta.new is not None and delta.new.type == TYPE:
            self._queue.add(delta.key)

    def _account_changed(self, delta: Delta[ServiceAccount]) -> None:
        if delta.new is not None and delta.old is not None:
            return
        for key, secret in self._secrets.items():
            is_its = annotations_of(secret).get(ACCOUNT_NAME) == delta.key.name
            if secret.type == TYPE and key.namespace == delta.key.namespace and is_its:
                self._queue.add(key)

    async def reconcile(self, key: ObjectKey) -> Result | None:
        secret = self._secrets.get(key)
        if secret is None or secret.type != TYPE or is_deleting(secret):
            return None
        annotations = annotations_of(secret)
        account = await self._account(key.namespace, annotations.get(ACCOUNT_NAME, ""))
        if account is None or annotations.get(ACCOUNT_UID, account) != account:
            await self._delete(key, secret)
            return None
        data: dict[str, str] = secret.data or {}
        wanted: dict[str, str] = {"namespace": _encoded(key.namespace)}
        if self._authority:
            wanted["ca.crt"] = _encoded(self._authority)
        missing = {name: value for name, value in wanted.items() if data.get(name) != value}
        if not data.get("token"):
            missing["token"] = _encoded(await self._token(key, secret))
        if missing or ACCOUNT_UID not in annotations:
            patch: Object = {
                "metadata": {"uid": uid_of(secret), "annotations": {ACCOUNT_UID: account}},
                "data": missing,
            }
            await self._client.patch(SECRETS, key.name, patch, key.namespace, patch_type=PatchType.MERGE)
        return None

    async def _account(self, namespace: str, name: str) -> str | None:
        """The UID of an account; None if there is none. The API knows better than a cache that lags."""
        cached = self._accounts.get(ObjectKey(namespace, name))
        if cached is not None:
            return uid_of(cached)
        try:
            found = await self._client.get(SERVICE_ACCOUNTS, name, namespace)
        except StatusError as error:
            if error.is_not_found:
                return None
            raise
        return str(found["metadata"]["uid"])

    async def _token(self, key: ObjectKey, secret: Secret) -> str:
        account = annotations_of(secret)[ACCOUNT_NAME]
        reference = {"apiVersion": "v1", "kind": "Secret", "name": key.name, "uid": uid_of(secret)}
        request: Object = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"audiences": [], "expirationSeconds": _LIFETIME_SECONDS, "boundObjectRef": reference},
        }
        answer = await self._client.create(
            SERVICE_ACCOUNTS, request, key.namespace, name=account, subresource="token"
        )
        return str(answer["status"]["token"])

    async def _delete(self, key: ObjectKey, secret: Secret) -> None:
        try:
            await self._client.delete(
                SECRETS, key.name, key.namespace, options=DeleteOptions(uid=uid_of(secret))
            )
        except StatusError as error:
            if not (error.is_not_found or error.is_conflict):
                raise


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
