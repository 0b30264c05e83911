"""Registry credentials from image pull Secrets: which of them fit an image.

Reads `kubernetes.io/dockerconfigjson` and the older `kubernetes.io/dockercfg`; keys may be hosts, URLs, paths
or globs (`*.example.org`). Pure; what can't be read is no credential.
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
import json
from collections.abc import Iterable, Mapping
from typing import Any, cast

from ktui.engine.kubelet.runtime.base import RegistryAuth

DEFAULT_REGISTRY = "docker.io"
_DOCKER_HUB_NAMES = ("index.docker.io", "registry-1.docker.io", "docker.io")


def split_registry(image: str) -> tuple[str, str]:
    """Registry host and repository of an image reference: ("docker.io", "library/nginx")."""
    name = image.partition("@")[0]
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        host, repository = first, rest
    else:
        host, repository = DEFAULT_REGISTRY, name
    repository = repository.rpartition(":")[0] if ":" in repository else repository
    if host == DEFAULT_REGISTRY and "/" not in repository:
        repository = f"library/{repository}"
    return host, repository


def matching_auths(image: str, secrets: Iterable[Mapping[str, bytes]]) -> list[RegistryAuth]:
    """The credentials that fit `image`, the most specific first."""
    host, repository = split_registry(image)
    found: list[tuple[int, RegistryAuth]] = []
    for data in secrets:
        for key, entry in _entries(data).items():
            auth = _auth(entry)
            if auth is not None and _matches(key, host, repository):
                found.append((-len(key), auth))
    return [auth for _, auth in sorted(found, key=lambda pair: pair[0])]


def _entries(data: Mapping[str, bytes]) -> dict[str, Any]:
    try:
        if ".dockerconfigjson" in data:
            whole = json.loads(data[".dockerconfigjson"])
            return cast(dict[str, Any], whole["auths"])
        if ".dockercfg" in data:
            return cast(dict[str, Any], json.loads(data[".dockercfg"]))
    except (ValueError, KeyError, TypeError):
        pass
    return {}


def _auth(entry: Any) -> RegistryAuth | None:
    if not isinstance(entry, dict):
        return None
    fields = cast(dict[str, Any], entry)
    if fields.get("username"):
        return RegistryAuth(username=str(fields["username"]), password=str(fields.get("password") or ""))
    try:
        user, colon, password = base64.b64decode(str(fields.get("auth") or "")).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return RegistryAuth(username=user, password=password) if colon else None


def _matches(key: str, host: str, repository: str) -> bool:
    key = key.partition("://")[2] or key
    wanted_host, _, path = key.partition("/")
    path = path.rstrip("/")
    if wanted_host in _DOCKER_HUB_NAMES:
        wanted_host, path = DEFAULT_REGISTRY, "" if path in ("v1", "v2") else path
    elif path in ("v1", "v2"):
        path = ""
    if not fnmatch.fnmatchcase(host, wanted_host):
        return False
    return not path or repository == path or repository.startswith(path + "/")
