"""API errors in terms of the file they refuse."""

from __future__ import annotations

import pytest

from ktui.kube.errors import Cause, StatusError, bad_request, invalid, status
from ktui.kube.kinds import DEPLOYMENTS
from ktui.kube.manifest import ManifestError, parse
from ktui.kube.manifest_problem import Problem, explain

DOCUMENT = parse(
    b"kind: Deployment\napiVersion: apps/v1\nmetadata:\n  name: web\nspec:\n  replcas: 2\n  replicas: -1\n"
)[0]


def lines(error: StatusError) -> list[str]:
    return [problem.at("web.yaml") for problem in explain(DOCUMENT, error)]


def test_every_cause_stands_at_its_field_or_at_what_should_hold_it() -> None:
    error = invalid(
        DEPLOYMENTS,
        "web",
        [
            Cause("spec.replicas", "FieldValueInvalid", "Invalid value: -1: must be more"),
            Cause("spec.selector.matchLabels", "FieldValueRequired", "Required value"),
        ],
    )
    assert lines(error) == [
        "web.yaml:7:3: spec.replicas: Invalid value: -1: must be more",
        "web.yaml:5:1: spec.selector.matchLabels: Required value",
    ]


def test_fields_named_only_in_the_message_are_found() -> None:
    error = bad_request(
        'strict decoding error: unknown field "spec.replcas", duplicate field "metadata.name"'
    )
    assert lines(error) == [
        'web.yaml:6:3: spec.replcas: unknown field "spec.replcas"',
        'web.yaml:4:3: metadata.name: duplicate field "metadata.name"',
    ]


def test_an_error_about_no_field_is_told_at_the_object() -> None:
    forbidden = StatusError(status(403, "Forbidden", "exceeded quota", {"causes": [{}]}))
    assert lines(forbidden) == ["web.yaml:1:1: exceeded quota"]


def test_text_that_is_no_manifest_is_told_in_the_same_form() -> None:
    with pytest.raises(ManifestError) as caught:
        parse(b"kind: Pod\nkind: Pod\n")
    assert Problem.of(caught.value).at("a.yaml").startswith("a.yaml:2:1: kind: ")
