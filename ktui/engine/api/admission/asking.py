"""Admission of what is no object of its resource: bindings, evictions, requests for
tokens, and connections to pods.

Only webhooks, policies and NodeRestriction are asked, which see the body in place of an object.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final, cast

from ktui.client.base import ExecOptions
from ktui.engine.api import schema
from ktui.engine.api.admission.base import Attributes
from ktui.engine.api.admission.chain import Admission
from ktui.engine.api.declaration import Declaration
from ktui.engine.api.documents import metadata_of
from ktui.engine.api.request import Request
from ktui.engine.api.validation.structure import validate_schema
from ktui.kube.errors import bad_request
from ktui.kube.kinds import BINDINGS
from ktui.kube.resource import GroupVersionKind, Object

_EVICTION: Final = GroupVersionKind("policy", "v1", "Eviction")
_TOKEN_REQUEST: Final = GroupVersionKind("authentication.k8s.io", "v1", "TokenRequest")


class Asking:
    """Asks one server's admission."""

    def __init__(self, admission: Admission, pods: Callable[[], Declaration]) -> None:
        self._admission = admission
        self._pods = pods

    async def binding(self, attributes: Attributes, body: object) -> object:
        """A `Binding` as it is admitted."""
        return await self._asked(attributes, BINDINGS.gvk, body)

    async def eviction(self, attributes: Attributes, body: object) -> object:
        """An `Eviction` as it is admitted."""
        return await self._asked(attributes, _EVICTION, body)

    async def token(self, attributes: Attributes, body: Object) -> Object:
        """A `TokenRequest` as it is admitted."""
        return await self._admission.ask(replace(attributes, kind=_TOKEN_REQUEST), {"metadata": {}, **body})

    async def stream(self, request: Request, pod: Object, options: ExecOptions) -> None:
        """Whether one may run a command in a pod, or attach to it."""
        told: Object = {name: True for name in ("stdin", "stdout", "stderr", "tty") if getattr(options, name)}
        if options.container:
            told["container"] = options.container
        if options.command:
            await self._connect(request, pod, "exec", {**told, "command": list(options.command)})
        else:
            await self._connect(request, pod, "attach", told)

    async def forward(self, request: Request, pod: Object, *ports: int) -> None:
        """Whether one may connect to ports of a pod."""
        await self._connect(request, pod, "portforward", {"ports": list(ports)} if ports else {})

    async def _connect(self, request: Request, pod: Object, subresource: str, options: Object) -> None:
        metadata = metadata_of(pod)
        kinds = {
            "exec": "PodExecOptions",
            "attach": "PodAttachOptions",
            "portforward": "PodPortForwardOptions",
        }
        attributes = Attributes(
            "CONNECT",
            self._pods(),
            metadata["namespace"],
            metadata["name"],
            request.user,
            subresource,
            warnings=request.warnings,
            audit=request.audit,
        )
        await self._asked(attributes, GroupVersionKind("", "v1", kinds[subresource]), options)

    async def _asked(self, attributes: Attributes, kind: GroupVersionKind, body: object) -> object:
        """What is no object of that kind is refused by whoever reads it."""
        if not isinstance(body, dict):
            return body
        fields = cast("Object", body)
        if fields.get("kind") not in (None, "", kind.kind):
            return fields
        obj: Object = {**fields, "apiVersion": kind.api_version, "kind": kind.kind}
        return await self._admission.ask(replace(attributes, kind=kind), _decoded(obj, kind))


def _decoded(obj: Object, kind: GroupVersionKind) -> Object:
    """The body with fields of the right types, and metadata if its kind has any; raises 400 for others."""
    definition = schema.load().by_kind.get(kind)
    if definition is None:
        return obj
    report = validate_schema(definition, obj)
    if report.causes:
        problems = "; ".join(cause.message for cause in report.causes)
        raise bad_request(
            f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: {problems}'
        )
    return {"metadata": {}, **report.object}
