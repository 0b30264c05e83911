"""What the words after a verb name: resource types and names, as kubectl reads them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from ktui.client.base import Client
from ktui.commands.session import UserError
from ktui.kube.resource import GroupVersionKind, Object, Resource


@dataclass(frozen=True, slots=True)
class Target:
    """One resource type and the names asked for; no names mean all."""

    resource: Resource
    names: tuple[str, ...] = ()


class ResourceIndex:
    """Finds resource types by plural, singular, short name, kind, category, with or without group."""

    def __init__(self, resources: Sequence[Resource]) -> None:
        self.resources = resources

    @classmethod
    async def of(cls, client: Client) -> ResourceIndex:
        return cls(await client.resources())

    def find(self, word: str) -> list[Resource]:
        """The types a word means: one, or those of a category (`all`). Raises UserError."""
        name, _, group = word.lower().partition(".")
        members = [resource for resource in self.resources if name in resource.categories and not group]
        if members:
            return members
        named = [resource for resource in self.resources if name in _names(resource)]
        if group:
            named = [
                resource
                for resource in named
                if resource.group == group or f"{resource.version}.{resource.group}".rstrip(".") == group
            ]
        if not named:
            known = sorted({known for resource in self.resources for known in _names(resource)})
            close = get_close_matches(name, known, n=1, cutoff=0.6)
            hint = f" (did you mean {close[0]}?)" if close else ""
            raise UserError(f'the server doesn\'t have a resource type "{word}"{hint}')
        named.sort(key=lambda resource: name not in (resource.plural, resource.singular))
        return named[:1]

    def of_object(self, obj: Object) -> Resource | None:
        gvk = GroupVersionKind.of(obj)
        return next((resource for resource in self.resources if resource.gvk == gvk), None)

    def targets(self, words: Sequence[str]) -> list[Target]:
        """`pods`, `pods,deploy`, `pod web-1 web-2`, `deploy/web pod/x`. Raises UserError."""
        if not words:
            raise UserError("you must specify the type of resource, such as `ktui get pods`")
        if any("/" in word for word in words):
            found: dict[Resource, list[str]] = {}
            for word in words:
                kind, slash, name = word.partition("/")
                if not slash or not name:
                    raise UserError(
                        "there is no need to specify a resource type as a separate argument when passing "
                        f"arguments in resource/name form; found {word}"
                    )
                found.setdefault(self.find(kind)[0], []).append(name)
            return [Target(resource, tuple(names)) for resource, names in found.items()]
        kinds, names = words[0].split(","), tuple(words[1:])
        if not all(names):
            raise UserError("resource name may not be empty")
        resources = _unique(resource for kind in kinds if kind for resource in self.find(kind))
        if len(resources) > 1 and names:
            raise UserError("names go with one resource type only")
        return [Target(resource, names) for resource in resources]


def _names(resource: Resource) -> set[str]:
    names = {resource.plural, resource.singular, resource.kind.lower(), *resource.short_names}
    return {name for name in names if name}


def _unique(resources: Iterable[Resource]) -> list[Resource]:
    return list(dict.fromkeys(resources))
