"""Kubeconfig files: one for a cluster and a user, and merging it into a file that others share.

Pure functions on the file's data, and one that reads and replaces a file. What ktui put into a shared file is
known by an extension on the cluster that names its data folder; entries of others are never changed.
"""

from __future__ import annotations

import base64
import contextlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from ktui.kube.resource import Object

_EXTENSION = "ktui.dev"


class KubeconfigError(Exception):
    """A kubeconfig that can't be merged into; the message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How one user reaches one cluster."""

    name: str
    """Of the cluster and the context."""
    user: str
    server: str
    """`https://127.0.0.1:6443`."""
    authority: bytes
    certificate: bytes
    key: bytes
    namespace: str = ""
    data_dir: str = ""

    @property
    def user_entry(self) -> str:
        """What the user is called in the file."""
        return f"{self.name}-{self.user}"


def document(access: Access) -> Object:
    """A kubeconfig with this access alone."""
    context: Object = {"cluster": access.name, "user": access.user_entry}
    if access.namespace:
        context["namespace"] = access.namespace
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": access.name,
                "cluster": {
                    "certificate-authority-data": _encoded(access.authority),
                    "extensions": [{"name": _EXTENSION, "extension": {"dataDir": access.data_dir}}],
                    "server": access.server,
                },
            }
        ],
        "contexts": [{"name": access.name, "context": context}],
        "current-context": access.name,
        "preferences": {},
        "users": [
            {
                "name": access.user_entry,
                "user": {
                    "client-certificate-data": _encoded(access.certificate),
                    "client-key-data": _encoded(access.key),
                },
            }
        ],
    }


def text(config: Object) -> str:
    """The file's text."""
    return yaml.safe_dump(config, sort_keys=False, default_flow_style=False)


def merged(config: Object, access: Access) -> Object:
    """`config` with this access put in or brought up to date; raises KubeconfigError when a name is taken."""
    ours = document(access)
    for cluster in _entries(config, "clusters"):
        if cluster.get("name") == access.name and not _is_ours(cluster, access):
            raise KubeconfigError(
                f'the kubeconfig has a cluster "{access.name}" that is not this one; choose another with --name'
            )
    known = any(cluster.get("name") == access.name for cluster in _entries(config, "clusters"))
    for kind, name in (("contexts", access.name), ("users", access.user_entry)):
        if not known and any(entry.get("name") == name for entry in _entries(config, kind)):
            raise KubeconfigError(
                f'the kubeconfig has {kind[:-1]} "{name}" already; choose another name with --name'
            )
    result: Object = {"apiVersion": "v1", "kind": "Config", **config}
    for kind in ("clusters", "contexts", "users"):
        entry: Object = ours[kind][0]
        others = _entries(config, kind)
        at = next((i for i, other in enumerate(others) if other.get("name") == entry["name"]), len(others))
        result[kind] = [*others[:at], entry, *others[at + 1 :]]
    if not config.get("current-context"):
        result["current-context"] = access.name
    return result


def merge_into(path: Path, access: Access) -> None:
    """Merge into a file, made when there is none; its permissions stay, a new one is 0600."""
    target = path.resolve()
    try:
        loaded: Any = yaml.safe_load(target.read_bytes())
    except FileNotFoundError:
        loaded = None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise KubeconfigError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    if loaded is None:
        loaded = {}
    if not isinstance(loaded, dict):
        raise KubeconfigError(f"{path} is not a kubeconfig")
    content = text(merged(cast("Object", loaded), access))
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, fresh = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(content)
        with contextlib.suppress(FileNotFoundError):
            Path(fresh).chmod(target.stat().st_mode & 0o777)
        Path(fresh).replace(target)
    except BaseException:
        Path(fresh).unlink(missing_ok=True)
        raise


def default_path() -> Path:
    """The file kubectl writes to: the first of KUBECONFIG, else ~/.kube/config."""
    named = [part for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    return Path(named[0]) if named else Path.home() / ".kube" / "config"


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _entries(config: Object, kind: str) -> list[Object]:
    entries: Any = config.get(kind) or []
    if not isinstance(entries, list) or not all(
        isinstance(item, dict) for item in cast("list[Any]", entries)
    ):
        raise KubeconfigError(f"the kubeconfig's {kind} are not a list of entries")
    return cast("list[Object]", entries)


def _is_ours(entry: Object, access: Access) -> bool:
    cluster: Object = entry.get("cluster") or {}
    for extension in cluster.get("extensions") or ():
        if extension.get("name") == _EXTENSION:
            said: Object = extension.get("extension") or {}
            return said.get("dataDir") == access.data_dir
    return False
