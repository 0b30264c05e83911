"""ConfigMaps, Secrets and ServiceAccounts."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

from ktui.describe.fields import metadata_of, write_events, write_names
from ktui.describe.related import Related
from ktui.describe.text import NONE, Text
from ktui.kube.resource import Object

_TOKEN_TYPE = "kubernetes.io/service-account-token"
_ACCOUNT = "kubernetes.io/service-account.name"


def describe_config_map(out: Text, obj: Object, related: Related) -> None:
    """Write a ConfigMap with its data in full; of binary data the size."""
    write_names(out, obj)
    out.line("\nData\n====")
    data: Mapping[str, str] = obj.get("data") or {}
    for key, value in sorted(data.items()):
        out.line(f"{key}:\n----")
        out.line(f"{value}\n")
    out.line("\nBinaryData\n====")
    binary: Mapping[str, str] = obj.get("binaryData") or {}
    for key, value in sorted(binary.items()):
        out.line(f"{key}: {decoded_size(value)} bytes")
    out.line()
    write_events(out, related.events)


def describe_secret(out: Text, obj: Object, related: Related) -> None:
    """Write a Secret: the sizes of its values, never the values (but for service account tokens)."""
    write_names(out, obj)
    kind = obj.get("type") or ""
    out.line(f"\nType:\t{kind}")
    out.line("\nData\n====")
    data: Mapping[str, str] = obj.get("data") or {}
    for key, value in sorted(data.items()):
        is_token = key == "token" and kind == _TOKEN_TYPE
        out.field(key, _decoded(value) if is_token else f"{decoded_size(value)} bytes")


def describe_service_account(out: Text, obj: Object, related: Related) -> None:
    """Write a ServiceAccount; `related.secrets` are those of its namespace."""
    write_names(out, obj)
    secrets = related.secrets or ()
    known = {metadata_of(secret).get("name") for secret in secrets}
    pulls = _named(obj.get("imagePullSecrets"))
    mounts = _named(obj.get("secrets"))
    tokens = sorted(str(metadata_of(each).get("name")) for each in secrets if _is_token_of(each, obj))
    for title, names in (
        ("Image pull secrets", pulls),
        ("Mountable secrets", mounts),
        ("Tokens", tokens),
    ):
        lead = f"{title}:".ljust(19)
        for name in names or [NONE]:
            missing = "" if name in known or name == NONE or related.secrets is None else " (not found)"
            out.row(lead, f"{name}{missing}")
            lead = " " * 19
    write_events(out, related.events)


def decoded_size(value: str) -> int:
    """The size of base64 data, without decoding it."""
    return len(value) * 3 // 4 - value[-2:].count("=")


def _decoded(value: str) -> str:
    return base64.b64decode(value).decode(errors="replace")


def _named(references: Sequence[Object] | None) -> list[str]:
    return [str(reference.get("name")) for reference in references or ()]


def _is_token_of(secret: Object, account: Object) -> bool:
    annotations: Mapping[str, str] = metadata_of(secret).get("annotations") or {}
    name = metadata_of(account).get("name")
    return secret.get("type") == _TOKEN_TYPE and annotations.get(_ACCOUNT) == name
