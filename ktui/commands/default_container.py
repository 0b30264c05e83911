"""Which container of a pod a verb takes when none is named, and kubectl's note on stderr when that is a guess."""

from __future__ import annotations

import click

from ktui.kube.resource import Object

DEFAULT_CONTAINER_ANNOTATION = "kubectl.kubernetes.io/default-container"


def default_container(pod: Object, *, quiet: bool = False) -> str:
    """The only container, the one the pod's annotation names, or the first, which is said on stderr."""
    spec: Object = pod["spec"]
    names: list[str] = [item["name"] for item in spec["containers"]]
    others = [
        (item["name"], sort)
        for sort, field in (("ephem", "ephemeralContainers"), ("init", "initContainers"))
        for item in spec.get(field) or ()
    ]
    annotations: dict[str, str] = pod["metadata"].get("annotations") or {}
    wished = annotations.get(DEFAULT_CONTAINER_ANNOTATION)
    if wished and (wished in names or any(wished == name for name, _ in others)):
        return wished
    if wished and not quiet:
        click.echo(f'Default container name "{wished}" not found in pod {pod["metadata"]["name"]}', err=True)
    if len(names) + len(others) > 1 and not quiet:
        shown = ", ".join([*names, *(f"{name} ({sort})" for name, sort in others)])
        click.echo(f'Defaulted container "{names[0]}" out of: {shown}', err=True)
    return names[0]
