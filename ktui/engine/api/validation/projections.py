"""Rules for volumes made of ConfigMaps, Secrets, downward API fields and tokens, alone or projected together."""

from __future__ import annotations

from typing import Final

from ktui.engine.api.validation.certificates import (
    SHORTEST_SECONDS,
    check_user_annotations,
    longest_seconds,
)
from ktui.engine.api.validation.field_refs import VOLUME_FIELDS, check_field_ref, check_resource_ref
from ktui.engine.api.validation.fields import forbidden, invalid, required, unsupported
from ktui.engine.api.validation.paths import file_mode, not_reserved
from ktui.engine.api.validation.selectors import check_label_selector
from ktui.engine.api.validation.signers import check_signer_name
from ktui.kube.data import items, mapping, string
from ktui.kube.errors import Cause
from ktui.kube.resource import Object

_SHORTEST_TOKEN: Final = 10 * 60
_LONGEST_TOKEN: Final = 1 << 32
_KEY_TYPES: Final = ("RSA3072", "RSA4096", "ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519")
_CERTIFICATE_PATHS: Final = ("credentialBundlePath", "keyPath", "certificateChainPath")
_CONFLICT: Final = "conflicting duplicate paths"


def check_secret_volume(source: Object, path: str) -> list[Cause]:
    return _keyed_volume(source, path, "secretName")


def check_config_map_volume(source: Object, path: str) -> list[Cause]:
    return _keyed_volume(source, path, "name")


def check_downward_volume(source: Object, path: str) -> list[Cause]:
    causes = file_mode(source.get("defaultMode"), f"{path}.defaultMode")
    for index, item in enumerate(items(source, "items")):
        causes += _downward_item(item, f"{path}.items[{index}]")
    return causes


def check_projected_volume(projected: Object, path: str) -> list[Cause]:
    """Several sources in one folder: no two may claim the same path."""
    causes = file_mode(projected.get("defaultMode"), f"{path}.defaultMode")
    taken: set[str] = set()
    for index, source in enumerate(items(projected, "sources")):
        at = f"{path}.sources[{index}]"
        kinds = [kind for kind in _PROJECTIONS if kind in source]
        for kind in kinds:
            part: Object = source[kind]
            causes += _PROJECTIONS[kind](part, f"{at}.{kind}")
            for claimed in _paths(kind, part):
                if claimed in taken:
                    causes.append(invalid(path, claimed, _CONFLICT))
                taken.add(claimed)
        if len(kinds) > 1:
            causes.append(forbidden(at, "may not specify more than 1 volume type per source"))
    return causes


def _paths(kind: str, part: Object) -> list[str]:
    if kind == "podCertificate":
        found = [string(part, field) for field in _CERTIFICATE_PATHS]
    elif kind == "clusterTrustBundle":
        found = [string(part, "path")]
    else:
        found = [string(item, "path") for item in items(part, "items")]
    return [path for path in found if path]


def _keyed_volume(source: Object, path: str, name_field: str) -> list[Cause]:
    causes = [] if source.get(name_field) else [required(f"{path}.{name_field}")]
    causes += file_mode(source.get("defaultMode"), f"{path}.defaultMode")
    return causes + _keys(source, path)


def _keyed_projection(source: Object, path: str) -> list[Cause]:
    return ([] if source.get("name") else [required(f"{path}.name")]) + _keys(source, path)


def _keys(source: Object, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for index, item in enumerate(items(source, "items")):
        at = f"{path}.items[{index}]"
        if not item.get("key"):
            causes.append(required(f"{at}.key"))
        causes += _item_path(item, at)
    return causes


def _item_path(item: Object, at: str) -> list[Cause]:
    where = string(item, "path")
    causes = [] if where else [required(f"{at}.path")]
    return causes + not_reserved(where, f"{at}.path") + file_mode(item.get("mode"), f"{at}.mode")


def _downward_projection(source: Object, path: str) -> list[Cause]:
    return [
        cause
        for index, item in enumerate(items(source, "items"))
        for cause in _downward_item(item, f"{path}.items[{index}]")
    ]


def _downward_item(item: Object, at: str) -> list[Cause]:
    causes = _item_path(item, at)
    if "fieldRef" in item:
        causes += check_field_ref(item["fieldRef"], f"{at}.fieldRef", VOLUME_FIELDS)
        if "resourceFieldRef" in item:
            why = "fieldRef and resourceFieldRef can not be specified simultaneously"
            causes.append(invalid(at, "resource", why))
    elif "resourceFieldRef" in item:
        causes += check_resource_ref(item["resourceFieldRef"], f"{at}.resourceFieldRef", needs_container=True)
    else:
        causes.append(required(at, "one of fieldRef and resourceFieldRef is required"))
    return causes


def _token(source: Object, path: str) -> list[Cause]:
    causes: list[Cause] = []
    seconds = source.get("expirationSeconds")
    if seconds is not None and seconds < _SHORTEST_TOKEN:
        why = "may not specify a duration less than 10 minutes"
        causes.append(invalid(f"{path}.expirationSeconds", seconds, why))
    if seconds is not None and seconds > _LONGEST_TOKEN:
        why = "may not specify a duration larger than 2^32 seconds"
        causes.append(invalid(f"{path}.expirationSeconds", seconds, why))
    where = string(source, "path")
    return causes + (not_reserved(where, f"{path}.path") if where else [required(f"{path}.path")])


def _trust_bundle(source: Object, path: str) -> list[Cause]:
    causes: list[Cause] = []
    if "name" in source and "signerName" in source:
        causes.append(invalid(path, source, "only one of name and signerName may be used"))
    elif "name" in source:
        if not source["name"]:
            causes.append(required(f"{path}.name", "must be a valid object name"))
        if "labelSelector" in source:
            causes.append(
                invalid(
                    f"{path}.labelSelector",
                    source["labelSelector"],
                    "labelSelector must be unset if name is specified",
                )
            )
    elif "signerName" in source:
        if not source["signerName"]:
            causes.append(required(f"{path}.signerName", "must be a valid signer name"))
        causes += check_label_selector(source.get("labelSelector"), f"{path}.labelSelector")
    else:
        causes.append(required(path, "either name or signerName must be specified"))
    where = string(source, "path")
    return causes + (not_reserved(where, f"{path}.path") if where else [required(f"{path}.path")])


def _certificate(source: Object, path: str) -> list[Cause]:
    signer = string(source, "signerName")
    causes = check_signer_name(f"{path}.signerName", signer)
    causes += check_user_annotations(mapping(source, "userAnnotations"), f"{path}.userAnnotations")
    if source.get("keyType") not in _KEY_TYPES:
        causes.append(unsupported(f"{path}.keyType", string(source, "keyType"), _KEY_TYPES))
    causes += _lifetime(source.get("maxExpirationSeconds"), signer, f"{path}.maxExpirationSeconds")
    given = [field for field in _CERTIFICATE_PATHS if source.get(field)]
    for field in given:
        causes += not_reserved(source[field], f"{path}.{field}")
    if not given:
        why = "specify at least one of credentialBundlePath, keyPath, and certificateChainPath"
        causes.append(required(path, why))
    return causes


def _lifetime(seconds: int | None, signer: str, path: str) -> list[Cause]:
    if seconds is None:
        return []
    if seconds < SHORTEST_SECONDS:
        return [invalid(path, seconds, f"if provided, maxExpirationSeconds must be >= {SHORTEST_SECONDS}")]
    most = longest_seconds(signer)
    if seconds > most:
        return [invalid(path, seconds, f"if provided, maxExpirationSeconds must be <= {most}")]
    return []


_PROJECTIONS: Final = {
    "secret": _keyed_projection,
    "configMap": _keyed_projection,
    "downwardAPI": _downward_projection,
    "serviceAccountToken": _token,
    "clusterTrustBundle": _trust_bundle,
    "podCertificate": _certificate,
}
