"""What all screens of a running app share: the client, the catalog of kinds, where the user is and has been."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from ktui.screens.catalog import Catalog
from ktui.screens.forwards import Forwards
from ktui.screens.web_browser import Opener, open_in_browser

if TYPE_CHECKING:
    from ktui.client.base import Client

_RECENT = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A cluster the app was connected to."""

    client: Client
    context: str = "ktui"
    """The cluster's name as the user knows it."""
    runtime: str = ""
    """How pods run: `podman`, `sim` (shown as a banner), or "" when that is the cluster's own affair."""
    manifests: str = ""
    """The watched folder, for the hints of empty views."""


Connect: TypeAlias = Callable[[], Awaitable[Connection]]
"""Brings up or reaches the cluster; called after the first paint."""


@dataclass(slots=True, kw_only=True)
class Session:
    """Shared by reference; screens read it and the browser writes it."""

    connection: Connection | None = None
    catalog: Catalog = field(default_factory=lambda: Catalog(()))
    namespace: str = "default"
    """Where a view opens; "" is all namespaces."""
    recent: list[str] = field(default_factory=lambda: ["default"])
    """Namespaces for the keys 1-9, in the order they were first visited."""
    namespaces: list[str] = field(default_factory=list)
    """Those the cluster has, as last seen."""
    now: Callable[[], float] = time.time
    reconnect: Callable[[], object] = field(default=lambda: None)
    """Tries again to reach the cluster when that failed."""
    ask_quit: Callable[[], object] = field(default=lambda: None)
    """Asks what to do with the cluster, and ends the app."""

    forwards: Forwards = field(default_factory=Forwards)
    """The local ports that lead into the cluster."""
    open_url: Opener = open_in_browser

    @property
    def client(self) -> Client:
        if self.connection is None:
            raise RuntimeError("the session has no connection yet")
        return self.connection.client

    @property
    def manifests(self) -> str:
        return self.connection.manifests if self.connection else ""

    def visit(self, namespace: str) -> None:
        """Make a namespace the current one, and remember it under the next free digit."""
        self.namespace = namespace
        if namespace and namespace not in self.recent:
            self.recent.append(namespace)
            if len(self.recent) > _RECENT:
                del self.recent[1 if self.recent[0] == "default" else 0]
