"""The control plane's parts and whether they work, as `kubectl get componentstatuses` lists them.

In: checks of the parts that run beside the API, which the engine registers. Out: one `ComponentStatus` each,
and one for the store, which answers whenever the API does (reads are in memory).
"""

from __future__ import annotations

from collections.abc import Callable

from ktui.engine.api.resources.componentstatuses import component_status
from ktui.kube.resource import Object

_STORE = "etcd-0"
"""What Kubernetes calls the store."""


class Components:
    """Checks by the component's name; a check says what is wrong, or nothing."""

    def __init__(self) -> None:
        self._checks: dict[str, Callable[[], str]] = {_STORE: lambda: ""}

    def register(self, name: str, check: Callable[[], str]) -> None:
        """From now on a component is listed."""
        self._checks[name] = check

    async def statuses(self) -> list[Object]:
        """How all of them are now."""
        return [component_status(name, check()) for name, check in self._checks.items()]
