"""A request as webhooks and expressions are told of it: the fields of `AdmissionRequest` as plain data."""

from __future__ import annotations

from dataclasses import dataclass

from ktui.client.base import DeleteOptions, WriteOptions
from ktui.engine.api.admission.base import Attributes
from ktui.engine.api.declaration import Declaration, Scale
from ktui.engine.api.documents import decode, encode, metadata_of
from ktui.engine.api.reviews import user_info
from ktui.engine.api.subresources.scale import scale_of, scaled
from ktui.kube.kinds import NAMESPACES
from ktui.kube.resource import GroupVersionKind, Object, Resource

_SCALE = GroupVersionKind("autoscaling", "v1", "Scale")
_OPTIONS = {"CREATE": "CreateOptions", "UPDATE": "UpdateOptions", "DELETE": "DeleteOptions"}


@dataclass(frozen=True, slots=True)
class Shown:
    """A request in the version of its resource by which somebody knows it."""

    request: Attributes
    declaration: Declaration

    @property
    def resource(self) -> Resource:
        return self.declaration.resource

    @property
    def kind(self) -> GroupVersionKind:
        """What the object is."""
        return self._kind(self.resource)

    def _kind(self, resource: Resource) -> GroupVersionKind:
        if self.request.kind is not None:
            return self.request.kind
        if self._scale is not None:
            return _SCALE
        return GroupVersionKind(resource.group, resource.version, resource.kind)

    @property
    def _scale(self) -> Scale | None:
        return self.request.declaration.scale if self.request.subresource == "scale" else None

    @property
    def _is_converted(self) -> bool:
        return self.resource.version != self.request.resource.version and self.request.kind is None

    async def outward(self, obj: Object | None) -> Object | None:
        """An object of the request as it is shown."""
        if obj is None:
            return None
        if self._scale is not None:
            return scale_of(obj, self._scale)
        return (
            await _converted(obj, self.request.declaration, self.declaration) if self._is_converted else obj
        )

    async def inward(self, shown: Object, obj: Object) -> Object:
        """What was shown of `obj`, and changed, as an object of the request."""
        if self._scale is not None:
            return scaled(obj, shown, self._scale)
        if not self._is_converted:
            return shown
        return await _converted(shown, self.declaration, self.request.declaration)

    def described(self, obj: Object | None) -> Object:
        """`AdmissionRequest` but for its uid and objects; what is empty is left out."""
        request = self.request
        asked = request.resource
        described: Object = {
            "kind": _kind_object(self.kind),
            "resource": _resource_object(self.resource),
            "requestKind": _kind_object(self._kind(asked)),
            "requestResource": _resource_object(asked),
            "operation": request.operation,
            "userInfo": user_info(request.user),
            "dryRun": request.dry_run,
            "options": _options(request),
        }
        if request.subresource:
            described |= {"subResource": request.subresource, "requestSubResource": request.subresource}
        name = request.name or (str(metadata_of(obj).get("name") or "") if obj else "")
        if name:
            described["name"] = name
        namespace = name if asked.key == NAMESPACES.key else request.namespace
        if namespace:
            described["namespace"] = namespace
        return described


async def _converted(obj: Object, old: Declaration, new: Declaration) -> Object:
    """An object of one version of its kind in another one, by way of the version that is stored."""
    return decode(await new.shown(encode(await old.stored(obj))))


def _kind_object(kind: GroupVersionKind) -> Object:
    return {"group": kind.group, "version": kind.version, "kind": kind.kind}


def _resource_object(resource: Resource) -> Object:
    return {"group": resource.group, "version": resource.version, "resource": resource.plural}


def _options(request: Attributes) -> Object | None:
    kind = _OPTIONS.get(request.operation)
    if kind is None:
        return None
    found: Object = {"apiVersion": "meta.k8s.io/v1", "kind": kind}
    options = request.options
    if request.dry_run:
        found["dryRun"] = ["All"]
    if isinstance(options, WriteOptions):
        if options.field_manager:
            found["fieldManager"] = options.field_manager
        found["fieldValidation"] = options.field_validation
    elif isinstance(options, DeleteOptions):
        if options.grace_period_seconds is not None:
            found["gracePeriodSeconds"] = options.grace_period_seconds
        if options.propagation_policy:
            found["propagationPolicy"] = options.propagation_policy
        conditions = {"uid": options.uid, "resourceVersion": options.resource_version}
        if kept := {name: value for name, value in conditions.items() if value}:
            found["preconditions"] = kept
    return found
