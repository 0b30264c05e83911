"""A body as kube-apiserver's decoder takes it: known fields of the right types, the rest refused or warned of."""

from __future__ import annotations

from collections.abc import Sequence

from ktui.engine.api.declaration import Declaration
from ktui.engine.api.request import Request
from ktui.engine.api.validation.structure import SchemaReport, validate_schema
from ktui.engine.api.validation.suggestions import did_you_mean
from ktui.kube.errors import StatusError, status
from ktui.kube.resource import Object


def decoded(request: Request, declaration: Declaration, obj: Object, field_validation: str) -> Object:
    """The object as Kubernetes keeps it: nulls and unknown fields dropped, values in canonical form.

    Raises 400 with every value of a wrong type, and for unknown fields when `field_validation` is Strict;
    Warn puts those into the request's warnings.
    """
    custom = declaration.custom
    report = custom.decode(obj) if custom else validate_schema(declaration.schema, obj)
    if report.causes:
        raise _refused(declaration, "; ".join(cause.message for cause in report.causes), report)
    if report.unknown_fields and field_validation == "Strict":
        raise _refused(declaration, "strict decoding error: " + ", ".join(report.strict_errors), report)
    if report.unknown_fields and field_validation == "Warn":
        warn(request, report.strict_errors)
    return report.object


def warn(request: Request, messages: Sequence[str]) -> None:
    """Tell the caller, once each."""
    request.warnings.extend(message for message in messages if message not in request.warnings)


def _refused(declaration: Declaration, problem: str, report: SchemaReport) -> StatusError:
    """The message is kube-apiserver's to the letter; the causes also say what may have been meant."""
    resource = declaration.resource
    message = (
        f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: {problem}'
    )
    causes = [cause.to_object() for cause in report.causes] + [
        {
            "reason": "FieldValueInvalid",
            "message": error + (did_you_mean(declaration.schema, path) if declaration.custom is None else ""),
            "field": path,
        }
        for path, error in zip(report.unknown_fields, report.strict_errors, strict=True)
    ]
    return StatusError(status(400, "BadRequest", message, {"causes": causes}))
