"""ServiceAccount: every pod runs as one, `default` unless it names another, which has to exist."""

from __future__ import annotations

from ktui.engine.api.admission.base import Attributes, Mutating, View
from ktui.engine.api.admission.token_volume import wants_token, with_token
from ktui.kube.data import section
from ktui.kube.errors import forbidden
from ktui.kube.kinds import PODS, SERVICE_ACCOUNTS
from ktui.kube.resource import Object


class ServiceAccount(Mutating):
    """Sets `spec.serviceAccountName` and the account's pull secrets, and mounts its token.

    The account `default` may be missing: a controller makes it some time after the namespace.
    """

    def __init__(self, view: View) -> None:
        self._view = view

    async def admit(self, request: Attributes, obj: Object, old: Object | None) -> Object:
        if old is not None and request.is_about(PODS, "UPDATE"):
            return _kept(obj, old)
        if not request.is_about(PODS, "CREATE"):
            return obj
        metadata: Object = obj.get("metadata") or {}
        if "kubernetes.io/config.mirror" in (metadata.get("annotations") or {}):
            return obj
        spec: Object = obj.get("spec") or {}
        name = spec.get("serviceAccountName") or "default"
        account = self._view.lookup(SERVICE_ACCOUNTS.key, request.namespace, name)
        if account is None and name != "default":
            raise forbidden(
                PODS,
                request.name,
                f'error looking up service account {request.namespace}/{name}: serviceaccount "{name}" not found',
            )
        changed = {**spec, "serviceAccountName": name, "serviceAccount": name}
        secrets = account.get("imagePullSecrets") if account else None
        if secrets and not spec.get("imagePullSecrets"):
            changed["imagePullSecrets"] = secrets
        if wants_token(changed, account):
            changed = with_token(changed)
        return obj if changed == spec else {**obj, "spec": changed}


def _kept(obj: Object, old: Object) -> Object:
    """An update that leaves the account out means the one the pod has."""
    spec, before = section(obj, "spec"), section(old, "spec")
    if spec.get("serviceAccountName") or not before.get("serviceAccountName"):
        return obj
    kept = {name: before[name] for name in ("serviceAccountName", "serviceAccount") if name in before}
    return {**obj, "spec": {**spec, **kept}}
