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


def _name(obj: Object) -> Cell:
    return str(section(obj, "metadata").get("name") or "")


def _created(obj: Object) -> Any:
    return section(obj, "metadata").get("creationTimestamp")


NAME = Column(
    name="Name", read=_name, format="name", description="The object's name, unique in its namespace."
)
AGE = Column(name="Age", read=_created, show=age, description="How long ago the object was created.")


def _template_containers(obj: Object) -> list[Object]:
    template: Object = section(obj, "spec").get("template") or {}
    found: list[Object] = section(template, "spec").get("containers") or []
    return found


def _names(obj: Object) -> Cell:
    return ",".join(str(container.get("name") or "") for container in _template_containers(obj))


def _images(obj: Object) -> Cell:
    return ",".join(str(container.get("image") or "") for container in _template_containers(obj))


def _selector(obj: Object) -> Cell:
    try:
        return str(Selector.of(section(obj, "spec").get("selector"))) or NONE
    except SelectorError:
        return "<error>"


WORKLOAD_WIDE = (
    text("Containers", _names, "Names of each container in the template.", priority=1),
    text("Images", _images, "Images referenced by each container in the template.", priority=1),
    text("Selector", _selector, "Label selector of the pods.", priority=1),
)
"""What `-o wide` adds for kinds with a pod template."""
