"""The things a user can do, one module a group. A new group is a new module and a line in `MODULES`."""

from __future__ import annotations

from ktui.screens.actions import (
    browse,
    change,
    events,
    forwards,
    inspect,
    manifests,
    network,
    nodes,
    open_related,
    outside,
    workloads,
)
from ktui.screens.actions.registry import Action, ActionContext, Registry

MODULES = (
    browse,
    manifests,
    forwards,
    inspect,
    open_related,
    network,
    events,
    workloads,
    nodes,
    change,
    outside,
)

REGISTRY = Registry(action for module in MODULES for action in module.ACTIONS)

__all__ = ["REGISTRY", "Action", "ActionContext", "Registry"]
