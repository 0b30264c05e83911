"""FlowSchema and PriorityLevelConfiguration: which requests belong together, and how much of the server they get."""

from __future__ import annotations

from typing import Final

from ktui.engine.api.declaration import Cell, Declaration
from ktui.engine.api.resources.columns import AGE, NAME, NONE, text
from ktui.engine.api.resources.flow_objects import MANDATORY_LEVELS, MANDATORY_SCHEMAS
from ktui.engine.api.resources.strategy import keep_status, only_status, without_status
from ktui.engine.api.validation.fields import invalid
from ktui.engine.api.validation.flowcontrol import (
    EXEMPT,
    check_flow_conditions,
    validate_flow_schema,
    validate_priority_level,
)
from ktui.engine.api.validation.metadata import check_metadata_update
from ktui.kube.data import items, section, string
from ktui.kube.errors import Cause
from ktui.kube.kinds import FLOW_SCHEMAS, PRIORITY_LEVEL_CONFIGURATIONS
from ktui.kube.resource import Object

_QUEUING: Final = {"handSize": 8, "queues": 64, "queueLengthLimit": 50}
_FIXED_SCHEMAS: Final = {obj["metadata"]["name"]: obj["spec"] for obj in MANDATORY_SCHEMAS}
_FIXED_LEVELS: Final = {obj["metadata"]["name"]: obj["spec"] for obj in MANDATORY_LEVELS}


def default_schema(schema: Object) -> Object:
    spec = section(schema, "spec")
    precedence = spec.get("matchingPrecedence") or 1000
    return {**schema, "spec": {**spec, "matchingPrecedence": precedence}}


def default_level(level: Object) -> Object:
    spec: Object = {**section(level, "spec")}
    if spec.get("exempt") is not None:
        spec["exempt"] = {"nominalConcurrencyShares": 0, "lendablePercent": 0, **spec["exempt"]}
    if spec.get("limited") is not None:
        limited: Object = {"nominalConcurrencyShares": 30, "lendablePercent": 0, **spec["limited"]}
        response = section(limited, "limitResponse")
        queuing: Object | None = response.get("queuing")
        if queuing is not None:
            filled = {field: queuing.get(field) or value for field, value in _QUEUING.items()}
            limited["limitResponse"] = {**response, "queuing": {**queuing, **filled}}
        spec["limited"] = limited
    return {**level, "spec": spec}


def validate_schema(schema: Object) -> list[Cause]:
    causes = validate_flow_schema(schema)
    name, spec = string(section(schema, "metadata"), "name"), section(schema, "spec")
    if name in _FIXED_SCHEMAS and spec != _FIXED_SCHEMAS[name]:
        causes.append(invalid("spec", spec, f"spec of '{name}' must equal the fixed value"))
    return causes


def validate_level(level: Object) -> list[Cause]:
    causes = validate_priority_level(level)
    name, spec = string(section(level, "metadata"), "name"), section(level, "spec")
    fixed = _FIXED_LEVELS.get(name)
    if fixed is None:
        return causes
    if name == EXEMPT and {**spec, EXEMPT: fixed[EXEMPT]} != fixed:
        why = f"spec of '{name}' except the 'spec.exempt' field must equal the fixed value"
        causes.append(invalid("spec", spec, why))
    elif name != EXEMPT and spec != fixed:
        causes.append(invalid("spec", spec, f"spec of '{name}' must equal the fixed value"))
    return causes


def validate_status(new: Object, old: Object) -> list[Cause]:
    return check_flow_conditions(new)


def _missing_level(schema: Object) -> Cell:
    conditions = items(section(schema, "status"), "conditions")
    found = [string(each, "status") for each in conditions if each.get("type") == "Dangling"]
    return found[0] if found else "?"


def _limit(level: Object, field: str) -> Cell:
    limited = section(level, "spec", "limited")
    found: int | None = section(limited, "limitResponse", "queuing").get(field, limited.get(field))
    return NONE if found is None else found


DECLARATIONS = (
    Declaration(
        resource=FLOW_SCHEMAS,
        schema="io.k8s.api.flowcontrol.v1.FlowSchema",
        columns=(
            NAME,
            text(
                "PriorityLevel",
                lambda schema: string(section(schema, "spec", "priorityLevelConfiguration"), "name"),
                "How its requests are served.",
            ),
            text(
                "MatchingPrecedence",
                lambda schema: section(schema, "spec").get("matchingPrecedence"),
                "Of several schemas that match a request the lowest one counts.",
            ),
            text(
                "DistinguisherMethod",
                lambda schema: string(section(schema, "spec", "distinguisherMethod"), "type") or NONE,
                "What makes flows of its requests.",
            ),
            AGE,
            text("MissingPL", _missing_level, "Whether the priority level is not there."),
        ),
        default=default_schema,
        prepare_create=without_status,
        prepare_update=keep_status,
        prepare_status=only_status,
        validate_create=validate_schema,
        validate_update=check_metadata_update,
        validate_status=validate_status,
        has_status=True,
        has_generation=True,
    ),
    Declaration(
        resource=PRIORITY_LEVEL_CONFIGURATIONS,
        schema="io.k8s.api.flowcontrol.v1.PriorityLevelConfiguration",
        columns=(
            NAME,
            text("Type", lambda level: string(section(level, "spec"), "type"), "Exempt or Limited."),
            text(
                "NominalConcurrencyShares",
                lambda level: _limit(level, "nominalConcurrencyShares"),
                "Its share of the server.",
            ),
            text("Queues", lambda level: _limit(level, "queues"), "How many queues there are."),
            text(
                "HandSize", lambda level: _limit(level, "handSize"), "How many of them a flow may get into."
            ),
            text(
                "QueueLengthLimit",
                lambda level: _limit(level, "queueLengthLimit"),
                "How long a queue may be.",
            ),
            AGE,
        ),
        default=default_level,
        prepare_create=without_status,
        prepare_update=keep_status,
        prepare_status=only_status,
        validate_create=validate_level,
        validate_update=check_metadata_update,
        validate_status=validate_status,
        has_status=True,
        has_generation=True,
    ),
)
