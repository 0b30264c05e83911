"""From a CustomResourceDefinition to the declarations by which the API serves its versions.

All versions share one storage; conversion None only changes the apiVersion, `conversion` asks a webhook. What a
version defaults is also filled in when objects are read that were stored before.
"""

from __future__ import annotations

from collections.abc import Callable

from ktui.engine.api.admission.webhooks.calling import WebhookCaller
from ktui.engine.api.crd import checking
from ktui.engine.api.crd.columns import columns_of
from ktui.engine.api.crd.conversion import ConversionWebhook, WebhookConversion
from ktui.engine.api.crd.facts import by_priority, path_of, storage_version
from ktui.engine.api.crd.ratcheting import changed_only
from ktui.engine.api.crd.rules import UNCHECKED, Rules
from ktui.engine.api.crd.structural import Node, defaulted, has_defaults, node_of, prune, shape
from ktui.engine.api.declaration import Custom, Declaration, Scale
from ktui.engine.api.documents import decode, encode, metadata_of
from ktui.engine.api.resources.strategy import keep_status, only_status, without_status
from ktui.engine.api.validation.metadata import check_metadata, check_metadata_update
from ktui.engine.api.validation.structure import SchemaReport
from ktui.kube.data import items, section, string, strings
from ktui.kube.errors import Cause
from ktui.kube.jsonpath import JSONPath, to_text
from ktui.kube.resource import Object, Resource


def declarations(definition: Object, caller: WebhookCaller) -> list[Declaration]:
    """One for each served version, the preferred one first."""
    webhook = None
    if section(definition, "spec", "conversion").get("strategy") == "Webhook":
        webhook = ConversionWebhook(caller, definition)
    versions = sorted(items(section(definition, "spec"), "versions"), key=by_priority)
    return [_declaration(definition, version, webhook) for version in versions if version.get("served")]


def _resource(definition: Object, version: Object) -> Resource:
    spec, names = section(definition, "spec"), section(definition, "status", "acceptedNames")
    return Resource(
        string(spec, "group"),
        string(version, "name"),
        string(names, "plural"),
        string(names, "kind"),
        spec.get("scope") == "Namespaced",
        string(names, "singular"),
        tuple(strings(names, "shortNames")),
        tuple(strings(names, "categories")),
    )


def _declaration(definition: Object, version: Object, webhook: ConversionWebhook | None) -> Declaration:
    resource = _resource(definition, version)
    raw, root = _schema(version)
    rules = Rules(root)
    subresources = section(version, "subresources")
    has_status = subresources.get("status") is not None
    scale = subresources.get("scale")

    def default(obj: Object) -> Object:
        return defaulted(root, obj)

    def validate(obj: Object) -> list[Cause]:
        found = checking.check(root, obj)
        if rules:
            found += [UNCHECKED] if found else rules.check(obj)
        return check_metadata(obj, namespaced=resource.namespaced) + found

    def validate_update(new: Object, old: Object) -> list[Cause]:
        found = changed_only(checking.check(root, new), new, old)
        if rules:
            found += [UNCHECKED] if found else changed_only(rules.check(new, old), new, old)
        metadata = check_metadata_update(new, old) + check_metadata(new, namespaced=resource.namespaced)
        return list(dict.fromkeys(metadata + found))

    return Declaration(
        resource=resource,
        schema=_published_name(resource),
        columns=columns_of(version),
        default=default,
        prepare_create=without_status if has_status else _as_it_is,
        prepare_update=keep_status if has_status else _new,
        prepare_status=only_status,
        validate_create=validate,
        has_status=has_status,
        has_generation=True,
        needs_version=True,
        scale=_scale(scale) if scale else None,
        selectable_fields={
            string(field, "jsonPath").lstrip("."): _text_at(path_of(string(field, "jsonPath")))
            for field in items(version, "selectableFields")
        },
        warning=_warning(resource, version),
        custom=Custom(
            decode=lambda obj: _decoded(root, obj),
            shape=shape(root),
            openapi=raw,
            stored_version=storage_version(definition),
            from_storage=_reader(definition, resource, root),
            conversion=_conversion(definition, resource, root, webhook),
            validate_update=validate_update,
            is_terminating=bool(metadata_of(definition).get("deletionTimestamp")),
        ),
    )


def _schema(version: Object) -> tuple[Object, Node]:
    """A version's schema, as it was declared and as a tree."""
    raw = section(version, "schema", "openAPIV3Schema")
    return raw, node_of({"type": "object", **raw})


def _conversion(
    definition: Object, resource: Resource, root: Node, webhook: ConversionWebhook | None
) -> WebhookConversion | None:
    """How a webhook converts to and from a version; objects of the storage version may be older than that is."""
    if webhook is None:
        return None
    stored = storage_version(definition)
    versions = items(section(definition, "spec"), "versions")
    _, kept = _schema(next(each for each in versions if each.get("storage")))
    return WebhookConversion(
        webhook,
        (resource.api_version, lambda obj: prune(root, obj).object),
        (f"{resource.group}/{stored}", lambda obj: prune(kept, obj).object),
    )


def _published_name(resource: Resource) -> str:
    """What the kind is called in OpenAPI documents."""
    return ".".join([*reversed(resource.group.split(".")), resource.version, resource.kind])


def _as_it_is(obj: Object) -> Object:
    return obj


def _new(new: Object, old: Object) -> Object:
    return new


def _decoded(root: Node, obj: Object) -> SchemaReport:
    pruned = prune(root, obj)
    return SchemaReport(pruned.object, pruned.causes, pruned.unknown_fields)


def _scale(scale: Object) -> Scale:
    return Scale(
        spec_replicas=string(scale, "specReplicasPath"),
        status_replicas=string(scale, "statusReplicasPath"),
        label_selector=string(scale, "labelSelectorPath"),
    )


def _text_at(path: JSONPath) -> Callable[[Object], str]:
    def read(obj: Object) -> str:
        found = list(path.find(obj))
        return to_text(found[0]) if found else ""

    return read


def _reader(definition: Object, resource: Resource, root: Node) -> Callable[[bytes], bytes] | None:
    """How stored objects become this version's; None when they are that already."""
    stored = strings(section(definition, "status"), "storedVersions")
    if stored in ([], [resource.version]) and not has_defaults(root):
        return None

    def read(data: bytes) -> bytes:
        obj = decode(data)
        shown = {**defaulted(root, obj), "apiVersion": resource.api_version}
        return data if shown == obj else encode(shown)

    return read


def _warning(resource: Resource, version: Object) -> str:
    if not version.get("deprecated"):
        return ""
    return version.get("deprecationWarning") or f"{resource.api_version} {resource.kind} is deprecated"
