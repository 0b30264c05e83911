"""The kinds the API serves, found by URL, by kind, or by whatever name a person types."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from ktui.engine.api.declaration import Declaration
from ktui.engine.api.resources import declarations
from ktui.kube.resource import GroupVersionKind, Resource


class Registry:
    """Declarations by their names. CRDs add to it and take away from it at run time."""

    def __init__(self, declarations: Iterable[Declaration] = ()) -> None:
        self._by_resource: dict[tuple[str, str, str], Declaration] = {}
        self._by_kind: dict[GroupVersionKind, Declaration] = {}
        self._listeners: list[Callable[[], None]] = []
        for declaration in declarations:
            self.add(declaration)

    def __iter__(self) -> Iterator[Declaration]:
        return iter(self._by_resource.values())

    def __len__(self) -> int:
        return len(self._by_resource)

    def add(self, declaration: Declaration) -> None:
        """Serve a kind; one that is served already is replaced."""
        resource = declaration.resource
        self._by_resource[resource.group, resource.version, resource.plural] = declaration
        self._by_kind[resource.gvk] = declaration
        self._tell()

    def remove(self, resource: Resource) -> None:
        """Serve a kind no longer."""
        self._by_resource.pop((resource.group, resource.version, resource.plural), None)
        self._by_kind.pop(resource.gvk, None)
        self._tell()

    def on_change(self, told: Callable[[], None]) -> None:
        """From now on `told` is called whenever a kind comes or goes."""
        self._listeners.append(told)

    def no_longer(self, told: Callable[[], None]) -> None:
        """`told` is not called any more."""
        self._listeners.remove(told)

    def _tell(self) -> None:
        for told in self._listeners:
            told()

    def by_resource(self, group: str, version: str, plural: str) -> Declaration | None:
        """As a URL spells it."""
        return self._by_resource.get((group, version, plural))

    def of(self, resource: Resource) -> Declaration | None:
        """The declaration of a resource type."""
        return self._by_resource.get((resource.group, resource.version, resource.plural))

    def by_kind(self, gvk: GroupVersionKind) -> Declaration | None:
        """As an object names itself."""
        return self._by_kind.get(gvk)

    def find(self, name: str) -> Declaration | None:
        """By plural, singular, short name or kind in any case, with or without `.group` or `.version.group`.

        Plurals win over singulars, those over short names and kinds; groups declared first win.
        """
        found = self.find_all(name)
        return found[0] if found else None

    def find_all(self, name: str) -> list[Declaration]:
        """All kinds a name may mean, the best first."""
        word, _, qualifier = name.lower().partition(".")
        ranked: list[tuple[int, Declaration]] = []
        for declaration in self:
            resource = declaration.resource
            if qualifier not in (
                "",
                resource.group,
                f"{resource.version}.{resource.group}",
                resource.version,
            ):
                continue
            names = (resource.plural, resource.singular, *resource.short_names, resource.kind.lower())
            if word in names:
                ranked.append((names.index(word), declaration))
        return [declaration for _, declaration in sorted(ranked, key=lambda pair: pair[0])]


def default_registry() -> Registry:
    """Every kind ktui has built in."""
    return Registry(declarations())
