"""A body as kube-apiserver's decoder takes it: known fields of the right types, the rest refused or warned of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ktui.engine.api.declaration import Declaration
from ktui.engine.api.documents import metadata_of
from ktui.engine.api.request import Request
from ktui.engine.api.validation.structure import SchemaReport, validate_schema
from ktui.engine.api.validation.suggestions import did_you_mean
from ktui.kube.errors import StatusError, bad_request, status
from ktui.kube.resource import Object, Resource

_YAML: Final = "yaml: unmarshal errors:"


def decoded(request: Request, declaration: Declaration, obj: Object, field_validation: str) -> Object:
    """The object as Kubernetes keeps it: nulls and unknown fields dropped, values in canonical form.

    Raises 400 with every value of a wrong type, and for unknown fields when `field_validation` is Strict;
    Warn puts those into the request's warnings.
    """
    custom = declaration.custom
    report = custom.decode(obj) if custom else validate_schema(declaration.schema, obj)
    if report.causes:
        raise _refused(declaration, "; ".join(cause.message for cause in report.causes), report)
    if field_validation == "Ignore":
        return report.object
    duplicates = request.duplicates
    errors = duplicates.among(report.unknown_fields) if duplicates else report.strict_errors
    if errors and field_validation == "Strict":
        raise _refused(declaration, "strict decoding error: " + ", ".join(errors), report)
    if errors:
        warn(request, errors)
    return report.object


def applicable(request: Request, declaration: Declaration, config: Object, field_validation: str) -> Object:
    """A configuration to be applied: what is in it has to be known, whatever `field_validation` is. That decides
    on fields given more than once."""
    custom = declaration.custom
    report = custom.decode(config) if custom else validate_schema(declaration.schema, config)
    if report.causes:
        raise _refused(declaration, "; ".join(cause.message for cause in report.causes), report)
    if report.unknown_fields:
        problems = [f".{path}: field not declared in schema" for path in report.unknown_fields]
        told = problems[0] if len(problems) == 1 else "errors:\n  " + "\n  ".join(problems)
        raise StatusError(
            status(
                400,
                "BadRequest",
                f"{untyped(declaration.resource, config)}: {told}",
                _details(declaration, report),
            )
        )
    if request.duplicates and field_validation != "Ignore":
        errors = [message for _, message in request.duplicates.found]
        if field_validation == "Strict":
            told = "\n".join(f"  {error}" for error in errors)
            raise bad_request(f"error strict decoding YAML: error converting YAML to JSON: {_YAML}\n{told}")
        warn(request, errors)
    return report.object


def untyped(resource: Resource, config: Object) -> str:
    """That a configuration can't be read as what it says it is."""
    metadata = metadata_of(config)
    name = "/".join(part for part in (metadata.get("namespace"), metadata.get("name")) if part)
    return f"failed to create typed patch object ({name}; {resource.api_version}, Kind={resource.kind})"


def warn(request: Request, messages: Sequence[str]) -> None:
    """Tell the caller, once each."""
    request.warnings.extend(message for message in messages if message not in request.warnings)


def _refused(declaration: Declaration, problem: str, report: SchemaReport) -> StatusError:
    """The message is kube-apiserver's to the letter; the causes also say what may have been meant."""
    resource = declaration.resource
    message = (
        f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: {problem}'
    )
    return StatusError(status(400, "BadRequest", message, _details(declaration, report)))


def _details(declaration: Declaration, report: SchemaReport) -> Object:
    causes = [cause.to_object() for cause in report.causes] + [
        {
            "reason": "FieldValueInvalid",
            "message": error + (did_you_mean(declaration.schema, path) if declaration.custom is None else ""),
            "field": path,
        }
        for path, error in zip(report.unknown_fields, report.strict_errors, strict=True)
    ]
    return {"causes": causes} if causes else {}
