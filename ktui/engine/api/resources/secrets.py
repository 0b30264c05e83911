"""Secret: data in base64, of a type that says which keys it must have."""

from __future__ import annotations

import base64
import json
from typing import Final

from ktui.engine.api.declaration import Declaration
from ktui.engine.api.resources.columns import AGE, NAME, number, text
from ktui.engine.api.resources.configmaps import frozen
from ktui.engine.api.validation.fields import each_invalid, immutable, invalid, required, too_long
from ktui.engine.api.validation.metadata import check_metadata, check_metadata_update
from ktui.kube import names
from ktui.kube.data import mapping, section
from ktui.kube.errors import Cause
from ktui.kube.kinds import SECRETS
from ktui.kube.resource import Object

OPAQUE: Final = "Opaque"
SERVICE_ACCOUNT_TOKEN: Final = "kubernetes.io/service-account-token"
_LARGEST: Final = 1024 * 1024
_ACCOUNT: Final = "kubernetes.io/service-account.name"
_JSON_KEYS: Final = {
    "kubernetes.io/dockercfg": ".dockercfg",
    "kubernetes.io/dockerconfigjson": ".dockerconfigjson",
}
_SSH: Final = "kubernetes.io/ssh-auth"
_KEYS: Final = {
    _SSH: ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}


def default(secret: Object) -> Object:
    """The type, and `stringData` merged into `data`."""
    changed: Object = secret if secret.get("type") else {**secret, "type": OPAQUE}
    if "stringData" in changed:
        given = mapping(changed, "stringData")
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in given.items()}
        rest: Object = {key: value for key, value in changed.items() if key != "stringData"}
        changed = {**rest, "data": {**mapping(rest, "data"), **encoded}} if encoded else rest
    return changed


def validate(secret: Object) -> list[Cause]:
    causes = check_metadata(secret, namespaced=True)
    data: dict[str, str] = secret.get("data") or {}
    total = 0
    for key, value in data.items():
        causes += each_invalid(f"data[{key}]", key, names.data_key(key))
        total += len(value) * 3 // 4
    if total > _LARGEST:
        causes.append(too_long("data", _LARGEST))
    kind: str = secret.get("type") or ""
    if kind == SERVICE_ACCOUNT_TOKEN:
        annotations: dict[str, str] = section(secret, "metadata").get("annotations") or {}
        if not annotations.get(_ACCOUNT):
            causes.append(required(f"metadata.annotations[{_ACCOUNT}]"))
    elif kind in _JSON_KEYS:
        causes += _json(data, _JSON_KEYS[kind])
    elif kind == "kubernetes.io/basic-auth" and "username" not in data and "password" not in data:
        causes += [required("data[username]"), required("data[password]")]
    for key in _KEYS.get(kind, ()):
        if key not in data or (kind == _SSH and not data[key]):
            causes.append(required(f"data[{key}]"))
    return causes


def _json(data: dict[str, str], key: str) -> list[Cause]:
    if key not in data:
        return [required(f"data[{key}]")]
    try:
        json.loads(base64.b64decode(data[key]))
    except ValueError as error:
        return [invalid(f"data[{key}]", "<secret contents redacted>", str(error))]
    return []


def validate_update(new: Object, old: Object) -> list[Cause]:
    return (
        check_metadata_update(new, old)
        + immutable("type", new.get("type"), old.get("type"))
        + frozen(new, old, ("data",))
    )


DECLARATIONS = (
    Declaration(
        resource=SECRETS,
        schema="io.k8s.api.core.v1.Secret",
        columns=(
            NAME,
            text("Type", lambda secret: str(secret.get("type") or ""), "The kind of data it holds."),
            number("Data", lambda secret: len(secret.get("data") or ()), "The number of keys."),
            AGE,
        ),
        default=default,
        validate_create=validate,
        validate_update=validate_update,
        selectable_fields={"type": lambda secret: str(secret.get("type") or "")},
    ),
)
