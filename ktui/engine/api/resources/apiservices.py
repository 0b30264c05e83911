"""APIService: a version of a group of the API, and which server of the cluster serves it."""

from __future__ import annotations

from ktui.engine.api.declaration import Cell, Declaration
from ktui.engine.api.resources.columns import AGE, NAME, text
from ktui.engine.api.resources.strategy import keep_status, status_and_metadata, without_status
from ktui.engine.api.validation.apiservices import check, check_status
from ktui.engine.api.validation.metadata import check_metadata_update
from ktui.kube.data import items, section, string
from ktui.kube.kinds import API_SERVICES
from ktui.kube.resource import Object


def default(api_service: Object) -> Object:
    spec = section(api_service, "spec")
    if spec.get("service") is None:
        return api_service
    service = section(spec, "service")
    return {**api_service, "spec": {**spec, "service": {**service, "port": service.get("port") or 443}}}


def identify(api_service: Object) -> Object:
    """What is served here is available from the start."""
    if section(api_service, "spec").get("service") is not None:
        return {**api_service, "status": {}}
    condition = {
        "type": "Available",
        "status": "True",
        "lastTransitionTime": section(api_service, "metadata").get("creationTimestamp"),
        "reason": "Local",
        "message": "Local APIServices are always available",
    }
    return {**api_service, "status": {"conditions": [condition]}}


def _service(api_service: Object) -> Cell:
    service = section(api_service, "spec", "service")
    return f"{string(service, 'namespace')}/{string(service, 'name')}" if service else "Local"


def _available(api_service: Object) -> Cell:
    conditions = items(section(api_service, "status"), "conditions")
    found = next((each for each in conditions if each.get("type") == "Available"), None)
    if found is None:
        return "Unknown"
    status, reason = string(found, "status"), string(found, "reason")
    return f"{status} ({reason})" if status != "True" and reason else status


DECLARATIONS = (
    Declaration(
        resource=API_SERVICES,
        schema="io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIService",
        columns=(
            NAME,
            text("Service", _service, "The Service that serves it."),
            text("Available", _available, "Whether that can be reached."),
            AGE,
        ),
        default=default,
        prepare_create=without_status,
        identify=identify,
        prepare_update=keep_status,
        prepare_status=status_and_metadata,
        needs_version=True,
        validate_create=check,
        validate_update=check_metadata_update,
        validate_status=check_status,
        has_status=True,
    ),
)
