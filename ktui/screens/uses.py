"""Who uses a ConfigMap or Secret, and how: volumes, environment, image pulls; as rows of the browser.

In: the pods and service accounts of the namespace. Out: one Table row a user, refreshed while the view is open.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from ktui.client.base import Client
from ktui.kube.errors import StatusError
from ktui.kube.kinds import PODS, SECRETS, SERVICE_ACCOUNTS
from ktui.kube.resource import Object, Resource
from ktui.screens.live_table import Link, Sink

USERS = Resource("", "", "users", "User", True, "user", verbs=("list",))
"""Not a kind of the API: the objects that refer to another."""

_COLUMNS = [{"name": "Name", "type": "string"}, {"name": "Kind", "type": "string"}, {"name": "How", "type": "string"},
            {"name": "Age", "type": "string"}]  # fmt: skip
_EVERY_SECONDS = 5.0


class UsesSource:
    """Rows of the objects that use one."""

    def __init__(self, client: Client, resource: Resource, namespace: str, name: str) -> None:
        self._client = client
        self._resource = resource
        self._namespace = namespace
        self._name = name

    async def run(self, sink: Sink) -> None:
        sink.on_columns(_COLUMNS)
        while True:
            try:
                pods = (await self._client.list(PODS, self._namespace)).items
                accounts = (await self._client.list(SERVICE_ACCOUNTS, self._namespace)).items
            except StatusError as error:
                sink.on_link(Link.REFUSED, error.message)
                return
            except OSError as error:
                sink.on_link(Link.RECONNECTING, str(error))
            else:
                sink.on_rows(use_rows(self._resource, self._name, pods, accounts), append=False, more=False)
                sink.on_link(Link.LIVE, "")
            await asyncio.sleep(_EVERY_SECONDS)


def use_rows(resource: Resource, name: str, pods: list[Object], accounts: list[Object]) -> list[Object]:
    """A row for each pod and service account that refers to the ConfigMap or Secret."""
    is_secret = resource.key == SECRETS.key
    found = [("Pod", pod, list(pod_uses(pod, name, is_secret=is_secret))) for pod in pods]
    if is_secret:
        for account in accounts:
            references = [*(account.get("imagePullSecrets") or ()), *(account.get("secrets") or ())]
            how = ["imagePullSecret"] if any(r.get("name") == name for r in references) else []
            found.append(("ServiceAccount", account, how))
    return [
        {
            "cells": [obj["metadata"]["name"], kind, ", ".join(dict.fromkeys(how)), ""],
            "object": {"metadata": obj["metadata"]},
        }
        for kind, obj, how in found
        if how
    ]


def pod_uses(pod: Object, name: str, *, is_secret: bool) -> Iterator[str]:
    """The ways in which a pod refers to a ConfigMap or Secret."""
    spec: Object = pod.get("spec") or {}
    reference, key, source = (
        ("secretRef", "secretKeyRef", "secret")
        if is_secret
        else ("configMapRef", "configMapKeyRef", "configMap")
    )
    for volume in spec.get("volumes") or ():
        held: Object = volume.get(source) or {}
        projected = [s.get(source) or {} for s in (volume.get("projected") or {}).get("sources") or ()]
        if (held.get("secretName") or held.get("name")) == name or any(
            p.get("name") == name for p in projected
        ):
            yield f"volume {volume.get('name')}"
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        for container in spec.get(kind) or ():
            for entry in container.get("envFrom") or ():
                if (entry.get(reference) or {}).get("name") == name:
                    yield f"all variables of {container.get('name')}"
            for variable in container.get("env") or ():
                chosen: Object = (variable.get("valueFrom") or {}).get(key) or {}
                if chosen.get("name") == name:
                    yield f"variable {variable.get('name')} of {container.get('name')}"
    if is_secret and any(s.get("name") == name for s in spec.get("imagePullSecrets") or ()):
        yield "imagePullSecret"
