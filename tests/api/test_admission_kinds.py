"""What webhook configurations, admission policies and bindings are filled in with, and refused for."""

from __future__ import annotations

import pytest
from admission_objects import binding, configuration, policy, rule, webhook
from kind_cases import created, errors, update_errors

MUTATING, VALIDATING = "mutatingwebhookconfigurations", "validatingwebhookconfigurations"
POLICIES, BINDINGS = "validatingadmissionpolicies", "validatingadmissionpolicybindings"


def refused(**more) -> list[str]:
    return errors(VALIDATING, configuration(webhook(**more)))


def test_webhooks_are_filled_in() -> None:
    service = {"namespace": "a", "name": "b"}
    hook = webhook(clientConfig={"service": service})
    found = created(MUTATING, configuration(hook, kind="Mutating"))["webhooks"][0]
    assert found == {
        **hook,
        "clientConfig": {"service": {**service, "port": 443}},
        "rules": [{**rule("configmaps"), "scope": "*"}],
        "failurePolicy": "Fail",
        "matchPolicy": "Equivalent",
        "namespaceSelector": {},
        "objectSelector": {},
        "timeoutSeconds": 10,
        "reinvocationPolicy": "Never",
    }
    assert "reinvocationPolicy" not in created(VALIDATING, configuration(hook))["webhooks"][0]
    assert not errors(MUTATING, configuration(hook, kind="Mutating"))
    assert not errors(VALIDATING, configuration())


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"name": ""}, "webhooks[0].name: Required value"),
        (
            {"name": "a.b"},
            'name: Invalid value: "a.b": should be a domain with at least three segments separated',
        ),
        (
            {"sideEffects": "Some"},
            'sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"',
        ),
        ({"sideEffects": None}, "sideEffects: Required value: must specify one of None, NoneOnDryRun"),
        ({"admissionReviewVersions": []}, "Required value: must specify one of v1, v1beta1"),
        ({"admissionReviewVersions": ["v7"]}, "must include at least one of v1, v1beta1"),
        ({"timeoutSeconds": 31}, "Invalid value: 31: the timeout value must be between 1 and 30 seconds"),
        ({"timeoutSeconds": 0}, "Invalid value: 0: the timeout value"),
        ({"failurePolicy": "Maybe"}, 'Unsupported value: "Maybe": supported values: "Fail", "Ignore"'),
        ({"matchPolicy": "Like"}, 'Unsupported value: "Like": supported values: "Equivalent", "Exact"'),
        ({"clientConfig": {}}, "clientConfig: Required value: exactly one of url or service is required"),
        (
            {"url": "http://h/x"},
            "Invalid value: \"http\": 'https' is the only allowed URL scheme; desired format",
        ),
        ({"url": "https:///x"}, "host must be specified"),
        ({"url": "https://u:p@h/x"}, "user information is not permitted in the URL"),
        ({"url": "https://h/x?y=1"}, "query parameters are not permitted in the URL"),
        ({"url": "https://h/x#y"}, "fragments are not permitted in the URL"),
        ({"url": "https://h:notaport/"}, "url must be a valid URL"),
        ({"clientConfig": {"service": {"name": "a"}}}, "service namespace is required"),
        ({"clientConfig": {"service": {"name": "a", "namespace": "b", "port": 70000}}}, "port is not valid"),
        (
            {"clientConfig": {"service": {"name": "a", "namespace": "b", "path": "xy"}}},
            "must start with a '/'",
        ),
        (
            {"clientConfig": {"service": {"name": "a", "namespace": "b", "path": "/a//b"}}},
            "segment[1] may not be empty",
        ),
        ({"rules": [rule("pods", "CREATE *")]}, "if '*' is present, must not specify other operations"),
        ({"rules": [rule("pods", "LOOK")]}, 'operations[0]: Unsupported value: "LOOK"'),
        ({"rules": [rule("* pods")]}, "must not specify other resources without subresources"),
        ({"rules": [rule("pods/* pods/log")]}, "if 'pods/*' is present, must not specify pods/log"),
        ({"rules": [rule("*/* pods")]}, "if '*/*' is present, must not specify other resources"),
        ({"rules": [rule("pods", groups="* apps")]}, "must not specify other API groups"),
        ({"rules": [rule("pods", scope="World")]}, 'scope: Unsupported value: "World"'),
        ({"matchConditions": [{"name": "a", "expression": "1 +"}]}, "compilation failed: ERROR: <input>:1:4"),
        ({"matchConditions": [{"name": "a", "expression": "true"}] * 2}, 'Duplicate value: "a"'),
        ({"matchConditions": [{"name": "a", "expression": " "}]}, "expression: Required value"),
        (
            {"namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "X"}]}},
            "not a valid selector",
        ),
    ],
)
def test_webhooks_are_refused(fields, problem: str) -> None:
    found = refused(**fields)
    assert len(found) == 1, found
    assert found[0].startswith("webhooks[0].")
    assert problem in found[0]


def test_names_of_webhooks_are_unique() -> None:
    assert errors(VALIDATING, configuration(webhook(), webhook())) == [
        'webhooks[1].name: Duplicate value: "x.hooks.test"'
    ]


def test_policies_are_filled_in() -> None:
    found = created(POLICIES, policy("true"))["spec"]
    assert found["failurePolicy"] == "Fail"
    assert found["matchConstraints"] == {
        "matchPolicy": "Equivalent",
        "namespaceSelector": {},
        "objectSelector": {},
        "resourceRules": [{**rule("configmaps"), "scope": "*"}],
    }
    assert not errors(POLICIES, policy("object.data.?x.hasValue()"))
    assert not errors(BINDINGS, binding())


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"matchConstraints": None}, "spec.matchConstraints: Required value"),
        ({"matchConstraints": {}}, "spec.matchConstraints.resourceRules: Required value"),
        ({"validations": [{"expression": "object."}]}, "compilation failed: ERROR"),
        ({"validations": [{"expression": " "}]}, "Required value: expression is not specified"),
        ({"validations": [{"expression": "true", "message": " "}]}, "message must be non-empty if specified"),
        (
            {"validations": [{"expression": "true", "message": "a\nb"}]},
            "message must not contain line breaks",
        ),
        ({"validations": [{"expression": "true", "reason": "Why"}]}, 'reason: Unsupported value: "Why"'),
        ({"paramKind": {"apiVersion": "v1"}}, "spec.paramKind.kind: Required value"),
        ({"paramKind": {"kind": "ConfigMap"}}, "spec.paramKind.apiVersion: Required value"),
        ({"variables": [{"name": "a-b", "expression": "1"}]}, "name is not a valid CEL identifier"),
        ({"auditAnnotations": [{"key": "k", "valueExpression": ""}]}, "valueExpression is not specified"),
        (
            {"auditAnnotations": [{"key": "k", "valueExpression": "1"}]},
            "must evaluate to one of [string null_type]",
        ),
        ({"validations": [{"expression": "params.x"}]}, "undeclared reference to 'params' (in container '')"),
        ({"validations": [{"expression": "1 > 'a'"}]}, "for '_>_' applied to '(int, string)'"),
        ({"validations": [{"expression": "'a'"}]}, "must evaluate to bool"),
        ({"validations": [{"expression": "variables.x == 1"}]}, "undefined field 'x'"),
        ({"validations": [{"expression": "request.verb == 'x'"}]}, "undefined field 'verb'"),
        ({"validations": [{"expression": "true", "messageExpression": "2"}]}, "must evaluate to string"),
        (
            {"validations": [{"expression": "true", "messageExpression": "string(authorizer)"}]},
            "undeclared reference to 'authorizer'",
        ),
        ({"failurePolicy": "Maybe"}, 'supported values: "Fail", "Ignore"'),
    ],
)
def test_policies_are_refused(fields, problem: str) -> None:
    spec = policy("true")["spec"] | fields
    found = errors(POLICIES, {**policy("true"), "spec": {k: v for k, v in spec.items() if v is not None}})
    assert len(found) == 1, found
    assert problem in found[0]


def test_a_policy_has_to_say_something() -> None:
    why = "Required value: validations or auditAnnotations must contain at least one item"
    assert errors(POLICIES, policy()) == [f"spec.validations: {why}", f"spec.auditAnnotations: {why}"]


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"policyName": ""}, "spec.policyName: Required value"),
        ({"validationActions": []}, "at least one validation action is required"),
        ({"validationActions": ["Deny", "Warn"]}, "must not contain both Deny and Warn"),
        ({"validationActions": ["Deny", "Deny"]}, 'Duplicate value: "Deny"'),
        ({"paramRef": {"parameterNotFoundAction": "Deny"}}, "one of name or selector must be specified"),
        ({"paramRef": {"name": "a"}}, "spec.paramRef.parameterNotFoundAction: Required value"),
    ],
)
def test_bindings_are_refused(fields, problem: str) -> None:
    found = errors(BINDINGS, binding(**fields))
    assert len(found) == 1, found
    assert problem in found[0]


def test_names_do_not_change() -> None:
    old = policy("true")
    assert update_errors(POLICIES, {**old, "metadata": {"name": "other"}}, old)
