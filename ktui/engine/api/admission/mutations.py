"""What objects of the cluster change of a request: policies, then webhooks, and those that have to look again.

When anyone has changed the object, the built-in plugins run once more, and so do the policies and webhooks with
reinvocationPolicy IfNeeded that have not seen the last change. What they make of an object is decoded and filled in
as a client's body is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ktui.engine.api.admission.base import Attributes, Extension
from ktui.engine.api.admission.matching import is_exempt
from ktui.engine.api.validation.structure import validate_schema
from ktui.kube.errors import internal
from ktui.kube.resource import Object

Admit = Callable[[Attributes, Object, Object | None], Awaitable[Object]]


@dataclass(slots=True)
class Rounds:
    """Who has seen the object as it is now, through the first pass and the second."""

    number: int = 0
    has_changed: bool = False
    _asked: set[str] = field(default_factory=set[str])
    """Who wants to hear of later changes and has seen the object as it is now."""
    _outdated: set[str] = field(default_factory=set[str])
    """Those that have not."""

    def is_due(self, identity: str) -> bool:
        """Whether somebody is asked in this pass."""
        return self.number == 0 or identity in self._outdated

    @property
    def is_done(self) -> bool:
        """Nobody has to look again."""
        return not self._outdated

    def asked(self, identity: str) -> None:
        """Somebody with reinvocationPolicy IfNeeded has seen the object, and what it made of it."""
        self._asked.add(identity)

    def changed(self) -> None:
        """The object is another one now."""
        self.has_changed = True
        self._outdated |= self._asked
        self._asked = set()


class Mutator(Protocol):
    """One kind of objects by which requests are changed."""

    def is_idle(self) -> bool:
        """Whether there are none of them."""
        ...

    async def mutate(self, rounds: Rounds, request: Attributes, obj: Object, old: Object | None) -> Object:
        """The object as they leave it."""
        ...

    async def deleted(self, request: Attributes, old: Object | None) -> None:
        """They are told of a deletion, in which there is nothing to change."""
        ...


class Mutations(Extension):
    """The plugin; `again` runs the built-in plugins that stand before it."""

    def __init__(self, mutators: Sequence[Mutator], again: Admit) -> None:
        self._mutators = mutators
        self._again = again

    async def admit(self, request: Attributes, obj: Object, old: Object | None) -> Object:
        mutators = [mutator for mutator in self._mutators if not mutator.is_idle()]
        if not mutators or is_exempt(request):
            return obj
        rounds = Rounds()
        for mutator in mutators:
            obj = await mutator.mutate(rounds, request, obj, old)
        if not rounds.has_changed:
            return obj
        if request.kind is None:
            found = await self._again(request, obj, old)
            if found != obj:
                rounds.changed()
                obj = found
        if rounds.is_done:
            return obj
        rounds.number = 1
        for mutator in mutators:
            obj = await mutator.mutate(rounds, request, obj, old)
        return obj

    async def validate(self, request: Attributes, obj: Object | None, old: Object | None) -> None:
        if obj is not None or request.operation != "DELETE" or is_exempt(request):
            return
        for mutator in self._mutators:
            if not mutator.is_idle():
                await mutator.deleted(request, old)


def taken(request: Attributes, obj: Object, old: Object | None, *, strict: bool = False) -> Object:
    """What was made of an object, read as a client's body is: decoded, filled in, prepared."""
    if request.kind is not None:
        return obj
    declaration = request.declaration
    custom = declaration.custom
    report = custom.decode(obj) if custom else validate_schema(declaration.schema, obj)
    if report.causes:
        raise internal("; ".join(cause.message for cause in report.causes))
    if strict and report.unknown_fields:
        raise internal(f"strict decoding error: {', '.join(report.strict_errors)}")
    found = declaration.default(report.object)
    if old is None:
        return found
    if request.subresource == "status":
        return declaration.prepare_status(found, old)
    return found if request.subresource else declaration.prepare_update(found, old)
