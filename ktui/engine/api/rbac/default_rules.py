"""The short way to write rules down: verbs, groups and resources in one string each."""

from __future__ import annotations

from typing import Final

from ktui.kube.resource import Object

READ: Final = "get list watch"
WRITE: Final = "create delete deletecollection patch update"
READ_WRITE: Final = "create delete deletecollection get list patch update watch"
LOOK: Final = "list watch"
"""What an informer needs."""
TEND: Final = "get list update watch"
"""What a controller needs of the objects it works on."""
OWN: Final = "create delete get list patch update watch"
"""What a controller needs of the objects it makes."""
OWN_PODS: Final = "create delete list patch watch"
KEEP: Final = "create delete get list update watch"
"""As OWN, for objects that are written as a whole."""


def rule(verbs: str, groups: str, resources: str, *names: str) -> Object:
    """A PolicyRule: verbs and resources are separated by spaces, groups by commas ("" is the core group)."""
    made: Object = {
        "verbs": verbs.split(),
        "apiGroups": groups.split(","),
        "resources": resources.split(),
    }
    return {**made, "resourceNames": list(names)} if names else made


def urls(verbs: str, *paths: str) -> Object:
    """A PolicyRule on paths that are no resource's."""
    return {"verbs": verbs.split(), "nonResourceURLs": list(paths)}


def works_on(verbs: str, groups: str, resource: str) -> tuple[Object, Object]:
    """What a controller needs of the kind it is for: `verbs`, and to tell how it stands and hold on to it."""
    return rule(verbs, groups, resource), rule("update", groups, f"{resource}/finalizers {resource}/status")
