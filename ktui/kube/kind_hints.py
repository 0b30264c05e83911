"""What to tell about an object whose `apiVersion` and `kind` no known resource type has, with the nearest one."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches

from ktui.kube.resource import GroupVersionKind, Resource


def unknown_kind(gvk: GroupVersionKind, known: Collection[Resource]) -> str:
    """kubectl's message, and after it what was probably meant."""
    text = f'no matches for kind "{gvk.kind}" in version "{gvk.api_version}"'
    versions = sorted({resource.api_version for resource in known if resource.kind == gvk.kind})
    if versions:
        return f"{text} (did you mean apiVersion {' or '.join(versions)}?)"
    kinds: dict[str, Resource] = {}
    for resource in known:
        kinds.setdefault(resource.kind.lower(), resource)
    close = get_close_matches(gvk.kind.lower(), kinds, n=1, cutoff=0.7)
    if close:
        near = kinds[close[0]]
        return f"{text} (did you mean kind {near.kind} in apiVersion {near.api_version}?)"
    return text
