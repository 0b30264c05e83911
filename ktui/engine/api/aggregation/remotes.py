"""The APIServices that are served elsewhere: by group and version, read from the store again when one has changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ktui.engine.api.admission.base import View
from ktui.engine.api.aggregation.priorities import Priority
from ktui.kube.data import items, section, string
from ktui.kube.kinds import API_SERVICES
from ktui.kube.resource import Object

Place = tuple[str, str]
"""A group and a version."""

AVAILABLE: Final = "Available"


def is_available(api_service: Object) -> bool:
    """Whether its condition says that it can be reached."""
    conditions = items(section(api_service, "status"), "conditions")
    return any(each.get("type") == AVAILABLE and each.get("status") == "True" for each in conditions)


@dataclass(frozen=True, slots=True)
class Remote:
    """A version of a group that a Service of the cluster serves."""

    name: str
    group: str
    version: str
    namespace: str
    service: str
    port: int
    authority: str
    """The certificates its server is verified with, in base 64."""
    is_unverified: bool
    is_available: bool

    @classmethod
    def of(cls, api_service: Object) -> Remote:
        spec = section(api_service, "spec")
        service = section(spec, "service")
        return cls(
            string(section(api_service, "metadata"), "name"),
            string(spec, "group"),
            string(spec, "version"),
            string(service, "namespace"),
            string(service, "name"),
            int(service.get("port") or 443),
            string(spec, "caBundle"),
            bool(spec.get("insecureSkipTLSVerify")),
            is_available(api_service),
        )

    @property
    def path(self) -> str:
        """Where its resources are."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    @property
    def server_name(self) -> str:
        """Whom its certificate has to name."""
        return f"{self.service}.{self.namespace}.svc"


class ApiServices:
    """What APIServices say."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._revision = -1
        self._remotes: Mapping[Place, Remote] = {}
        self._priorities: Mapping[Place, Priority] = {}

    @property
    def remotes(self) -> Mapping[Place, Remote]:
        """What is served elsewhere."""
        self._read()
        return self._remotes

    @property
    def priorities(self) -> Mapping[Place, Priority]:
        """What discovery lists first."""
        self._read()
        return self._priorities

    def at(self, path: str) -> Remote | None:
        """The remote that a path leads to."""
        remotes = self.remotes
        if not remotes:
            return None
        match path.split("/", 4):
            case ["", "apis", group, version, *_]:
                return remotes.get((group, version))
            case ["", "api", version, *_]:
                return remotes.get(("", version))
            case _:
                return None

    def _read(self) -> None:
        revision = self._view.changed(API_SERVICES.key)
        if revision == self._revision:
            return
        remotes: dict[Place, Remote] = {}
        priorities: dict[Place, Priority] = {}
        for each in self._view.listed(API_SERVICES.key):
            spec = section(each, "spec")
            place = string(spec, "group"), string(spec, "version")
            priorities[place] = (
                int(spec.get("groupPriorityMinimum") or 0),
                int(spec.get("versionPriority") or 0),
            )
            if spec.get("service") is not None:
                remotes[place] = Remote.of(each)
        self._remotes, self._priorities, self._revision = remotes, priorities, revision
