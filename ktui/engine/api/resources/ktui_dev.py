"""Kinds of `ktui.dev/v1alpha1`: what the engine knows of manifest files and scheduling decisions."""

from __future__ import annotations

from ktui.engine.api import schema_ktui
from ktui.engine.api.declaration import Declaration
from ktui.engine.api.resources.columns import AGE, NAME, number, text
from ktui.engine.api.validation.metadata import check_metadata
from ktui.kube.data import section, string
from ktui.kube.errors import Cause
from ktui.kube.kinds import MANIFEST_FILES, SCHEDULING_DECISIONS
from ktui.kube.resource import Object


def _validate_file(file: Object) -> list[Cause]:
    return check_metadata(file, namespaced=False)


def _validate_decision(decision: Object) -> list[Cause]:
    return check_metadata(decision, namespaced=True)


DECLARATIONS = (
    Declaration(
        resource=MANIFEST_FILES,
        schema=schema_ktui.MANIFEST_FILE,
        columns=(
            NAME,
            text("File", lambda file: str(section(file, "spec").get("path") or ""), "The file's path."),
            text("State", lambda file: str(section(file, "status").get("state") or ""), "What became of it."),
            number(
                "Objects", lambda file: len(section(file, "status").get("objects") or ()), "What it brought."
            ),
            text("Message", lambda file: str(section(file, "status").get("message") or ""), "What is wrong."),
            AGE,
        ),
        validate_create=_validate_file,
        selectable_fields={
            "spec.path": lambda file: str(section(file, "spec").get("path") or ""),
            "status.state": lambda file: str(section(file, "status").get("state") or ""),
        },
        read_only=True,
        forgettable=True,
    ),
    Declaration(
        resource=SCHEDULING_DECISIONS,
        schema=schema_ktui.SCHEDULING_DECISION,
        columns=(
            NAME,
            text("Result", lambda decision: string(decision, "result"), "What was decided."),
            text("Node", lambda decision: string(decision, "nodeName"), "The chosen node."),
            number("Attempts", lambda decision: decision.get("attempts"), "How often it was tried."),
            text("Message", lambda decision: string(decision, "message"), "The decision in one line."),
            AGE,
        ),
        validate_create=_validate_decision,
        read_only=True,
    ),
)
