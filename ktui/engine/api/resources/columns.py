"""The columns that many kinds share, and how a cell is read from an object."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ktui.engine.api.declaration import Cell, Column
from ktui.kube.age import age
from ktui.kube.data import section
from ktui.kube.resource import Object
from ktui.kube.selector import Selector, SelectorError

NONE = "<none>"
UNKNOWN = "<unknown>"


def text(name: str, read: Callable[[Object], Cell], description: str = "", *, priority: int = 0) -> Column:
    """A column of what `read` finds in an object."""
    return Column(name=name, read=read, description=description, priority=priority)


def number(name: str, read: Callable[[Object], Any], description: str = "", *, priority: int = 0) -> Column:
    """A column of whole numbers; missing ones are 0."""
    return Column(
        name=name,
        read=lambda obj: int(read(obj) or 0),
        type="integer",
        description=description,
        priority=priority,
    )


def flag(name: str, read: Callable[[Object], Any], description: str = "") -> Column:
    """A column of yes or no; what is missing is no."""
    return Column(name=name, read=lambda obj: bool(read(obj)), type="boolean", description=description)


def _name(obj: Object) -> Cell:
    return str(section(obj, "metadata").get("name") or "")


def _created(obj: Object) -> Any:
    return section(obj, "metadata").get("creationTimestamp")


NAME = Column(
    name="Name", read=_name, format="name", description="The object's name, unique in its namespace."
)
AGE = Column(name="Age", read=_created, show=age, description="How long ago the object was created.")


def _containers_of(workload: Object) -> list[Object]:
    found: list[Object] = section(workload, "spec", "template", "spec").get("containers") or []
    return found


def _names(workload: Object) -> Cell:
    return ",".join(str(container.get("name") or "") for container in _containers_of(workload))


def _images(workload: Object) -> Cell:
    return ",".join(str(container.get("image") or "") for container in _containers_of(workload))


def _selector(workload: Object) -> Cell:
    try:
        return str(Selector.of(section(workload, "spec").get("selector"))) or NONE
    except SelectorError:
        return "<error>"


def workload_wide(workload: Callable[[Object], Object] = lambda obj: obj) -> tuple[Column, ...]:
    """What `-o wide` adds for kinds with a pod template; `workload` finds what holds it in an object."""
    return (
        text(
            "Containers",
            lambda obj: _names(workload(obj)),
            "Names of each container in the template.",
            priority=1,
        ),
        text(
            "Images",
            lambda obj: _images(workload(obj)),
            "Images referenced by each container in the template.",
            priority=1,
        ),
        text("Selector", lambda obj: _selector(workload(obj)), "Label selector of the pods.", priority=1),
    )


WORKLOAD_WIDE = workload_wide()
"""Of workloads themselves."""
