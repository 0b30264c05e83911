"""Rules for a CustomResourceDefinition beyond its own schema, as apiextensions-apiserver words them."""

from __future__ import annotations

from typing import Any, Final

from ktui.engine.api.crd.facts import is_condition, path_of
from ktui.engine.api.crd.schemas import check_schema
from ktui.engine.api.validation.fields import (
    duplicate,
    each_invalid,
    forbidden,
    immutable,
    invalid,
    one_of,
    required,
)
from ktui.engine.api.validation.metadata import check_metadata, check_metadata_update
from ktui.engine.api.validation.webhooks import check_client_config, check_review_versions
from ktui.kube import names
from ktui.kube.data import items, mapping, section, string, strings
from ktui.kube.errors import Cause
from ktui.kube.jsonpath import JSONPathError
from ktui.kube.resource import Object

_APPROVAL: Final = "api-approved.kubernetes.io"
_PROTECTED: Final = ("k8s.io", "kubernetes.io")
_COLUMN_TYPES: Final = ("integer", "number", "string", "boolean", "date")
_COLUMN_FORMATS: Final = ("int32", "int64", "float", "double", "byte", "date", "date-time", "password")
_SCOPES: Final = ("Cluster", "Namespaced")


def validate(definition: Object) -> list[Cause]:
    spec = section(definition, "spec")
    causes = check_metadata(definition, namespaced=False, name_rule=lambda name: _name(name, spec))
    causes += _approval(definition, string(spec, "group"))
    causes += _group(string(spec, "group"))
    scope = string(spec, "scope")
    causes += one_of("spec.scope", scope, _SCOPES) if scope else [required("spec.scope")]
    causes += _versions(items(spec, "versions"))
    causes += _names(section(spec, "names"))
    causes += _conversion(section(spec, "conversion"))
    if spec.get("preserveUnknownFields"):
        why = (
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in "
            "spec.versions[*].schema instead"
        )
        causes.append(invalid("spec.preserveUnknownFields", True, why))
    return causes


def validate_update(new: Object, old: Object) -> list[Cause]:
    causes = check_metadata_update(new, old)
    spec, before = section(new, "spec"), section(old, "spec")
    causes += immutable("spec.group", spec.get("group"), before.get("group"))
    names_of, names_before = section(spec, "names"), section(before, "names")
    causes += immutable("spec.names.plural", names_of.get("plural"), names_before.get("plural"))
    if is_condition(old, "Established"):
        causes += immutable("spec.scope", spec.get("scope"), before.get("scope"))
        causes += immutable("spec.names.kind", names_of.get("kind"), names_before.get("kind"))
    known = {string(version, "name") for version in items(spec, "versions")}
    for index, version in enumerate(strings(section(new, "status"), "storedVersions")):
        if version not in known:
            why = (
                f"missing from spec.versions; {version} was previously a storage version, and must remain in "
                f"spec.versions until a storage migration ensures no data remains persisted in {version} and "
                f"removes {version} from status.storedVersions"
            )
            causes.append(invalid(f"status.storedVersions[{index}]", version, why))
    return causes


def _name(name: str, spec: Object) -> list[str]:
    required_name = f"{string(section(spec, 'names'), 'plural')}.{string(spec, 'group')}"
    problems = names.dns_subdomain(name)
    if name != required_name:
        problems.append('must be spec.names.plural+"."+spec.group')
    return problems


def _approval(definition: Object, group: str) -> list[Cause]:
    """Kubernetes' own groups are not for everybody."""
    if not any(group == domain or group.endswith(f".{domain}") for domain in _PROTECTED):
        return []
    approval = mapping(section(definition, "metadata"), "annotations").get(_APPROVAL, "")
    at = f"metadata.annotations[{_APPROVAL}]"
    where = "see https://github.com/kubernetes/enhancements/pull/1111"
    if not approval:
        return [required(at, f'protected groups must have approval annotation "{_APPROVAL}", {where}')]
    if approval.startswith(("unapproved", "https://", "http://")):
        return []
    why = f'protected groups must have approval annotation "{_APPROVAL}" with either a URL or a reason starting with "unapproved", {where}'
    return [invalid(at, approval, why)]


def _group(group: str) -> list[Cause]:
    if not group:
        return [required("spec.group")]
    problems = names.dns_subdomain(group)
    causes = each_invalid("spec.group", group, problems)
    if not problems and "." not in group:
        causes.append(invalid("spec.group", group, "should be a domain with at least one dot"))
    return causes


def _versions(versions: list[Object]) -> list[Cause]:
    causes: list[Cause] = []
    seen: set[str] = set()
    for index, version in enumerate(versions):
        at, name = f"spec.versions[{index}]", string(version, "name")
        if name in seen:
            causes.append(
                invalid(
                    "spec.versions",
                    [string(v, "name") for v in versions],
                    "must contain unique version names",
                )
            )
        seen.add(name)
        causes += each_invalid(f"{at}.name", name, names.dns_1035_label(name))
        causes += _version(version, at)
    stored = [version for version in versions if version.get("storage")]
    if len(stored) != 1:
        named = [string(version, "name") for version in versions]
        causes.append(
            invalid("spec.versions", named, "must have exactly one version marked as storage version")
        )
    return causes


def _version(version: Object, path: str) -> list[Cause]:
    causes: list[Cause] = []
    schema = section(version, "schema", "openAPIV3Schema")
    if not schema:
        causes.append(required(f"{path}.schema.openAPIV3Schema", "schemas are required"))
    else:
        causes += check_schema(schema, f"{path}.schema.openAPIV3Schema")
    if version.get("deprecationWarning") is not None:
        text = string(version, "deprecationWarning")
        at = f"{path}.deprecationWarning"
        if not version.get("deprecated"):
            causes.append(invalid(at, text, "can only be set for deprecated versions"))
        elif not text or len(text) > 256 or not text.isprintable():
            causes.append(invalid(at, text, "must be 1 to 256 printable UTF-8 characters"))
    for index, column in enumerate(items(version, "additionalPrinterColumns")):
        causes += _column(column, f"{path}.additionalPrinterColumns[{index}]")
    causes += _selectable(items(version, "selectableFields"), schema, f"{path}.selectableFields")
    scale = section(version, "subresources").get("scale")
    return causes + (_scale(scale, f"{path}.subresources.scale") if scale is not None else [])


def _column(column: Object, path: str) -> list[Cause]:
    causes: list[Cause] = []
    if not column.get("name"):
        causes.append(required(f"{path}.name"))
    kind, style = string(column, "type"), string(column, "format")
    if not kind:
        causes.append(required(f"{path}.type", f"must be one of {','.join(_COLUMN_TYPES)}"))
    elif kind not in _COLUMN_TYPES:
        causes.append(invalid(f"{path}.type", kind, f"must be one of {','.join(_COLUMN_TYPES)}"))
    if style and style not in _COLUMN_FORMATS:
        causes.append(invalid(f"{path}.format", style, f"must be one of {','.join(_COLUMN_FORMATS)}"))
    return causes + _path(string(column, "jsonPath"), f"{path}.jsonPath")


def _path(text: str, path: str) -> list[Cause]:
    """A simple JSONPath."""
    if not text:
        return [required(path)]
    if not text.startswith("."):
        return [invalid(path, text, "must be a json path in the form of .field.subfield")]
    try:
        path_of(text)
    except JSONPathError as error:
        return [invalid(path, text, str(error))]
    return []


def _selectable(fields: list[Object], schema: Object, path: str) -> list[Cause]:
    causes: list[Cause] = []
    seen: set[str] = set()
    for index, field in enumerate(fields):
        at, text = f"{path}[{index}].jsonPath", string(field, "jsonPath")
        problems = _path(text, at)
        causes += problems
        if problems:
            continue
        if text in seen:
            causes.append(duplicate(at, text))
        seen.add(text)
        found: Any = schema
        for name in text.strip(".").split("."):
            found = section(found, "properties").get(name) or {}
        if text.startswith(".metadata"):
            causes.append(invalid(at, text, "must not point to fields in metadata"))
        elif found.get("type") not in ("string", "integer", "boolean"):
            causes.append(
                invalid(
                    at,
                    text,
                    "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.",
                )
            )
    if len(fields) > 8:
        causes.append(Cause(path, "FieldValueTooMany", f"Too many: {len(fields)}: must have at most 8 items"))
    return causes


def _scale(scale: Object, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for field, roots, needed in (
        ("specReplicasPath", (".spec.",), True),
        ("statusReplicasPath", (".status.",), True),
        ("labelSelectorPath", (".spec.", ".status."), False),
    ):
        text, at = string(scale, field), f"{path}.{field}"
        if not text:
            causes += [required(at)] if needed else []
        elif "[" in text or not text.startswith("."):
            causes.append(invalid(at, text, "should be a json path without the array notation"))
        elif not text.startswith(roots):
            causes.append(
                invalid(at, text, f"should be a json path under {' or '.join(r[:-1] for r in roots)}")
            )
    return causes


def _names(wanted: Object) -> list[Cause]:
    causes: list[Cause] = []
    kind, list_kind = string(wanted, "kind"), string(wanted, "listKind")
    for field, value in (
        ("plural", string(wanted, "plural")),
        ("singular", string(wanted, "singular")),
        ("kind", kind.lower()),
        ("listKind", list_kind.lower()),
    ):
        at = f"spec.names.{field}"
        if not value:
            causes.append(required(at))
        else:
            causes += each_invalid(at, wanted[field], names.dns_1035_label(value))
    for field in ("shortNames", "categories"):
        for index, name in enumerate(strings(wanted, field)):
            causes += each_invalid(f"spec.names.{field}[{index}]", name, names.dns_1035_label(name))
    if kind and kind == list_kind:
        causes.append(invalid("spec.names.listKind", list_kind, "kind and listKind may not be the same"))
    return causes


def _conversion(conversion: Object) -> list[Cause]:
    strategy, webhook = string(conversion, "strategy") or "None", section(conversion, "webhook")
    causes = one_of("spec.conversion.strategy", strategy, ("None", "Webhook"))
    config, at = "spec.conversion.webhookClientConfig", "spec.conversion.conversionReviewVersions"
    if strategy != "Webhook":
        why = "should not be set when strategy is not set to Webhook"
        return causes + [
            forbidden(path, why)
            for path, field in ((config, "clientConfig"), (at, "conversionReviewVersions"))
            if webhook.get(field)
        ]
    if webhook.get("clientConfig") is None:
        causes.append(required(config, "required when strategy is set to Webhook"))
    else:
        causes += check_client_config(section(webhook, "clientConfig"), config)
    return causes + check_review_versions(strings(webhook, "conversionReviewVersions"), at)
