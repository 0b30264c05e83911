"""kubectl with admission policies, webhook configurations, and what they refuse and warn of."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from kubectl_engine import Kubectl, since

POLICY = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: few.example.com}
spec:
  matchConstraints:
    resourceRules:
    - {apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [configmaps]}
  variables:
  - {name: size, expression: "has(object.data) ? size(object.data) : 0"}
  validations:
  - {expression: "variables.size <= 1", messageExpression: "'%d is too many'.format([variables.size])"}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: few.example.com}
spec:
  policyName: few.example.com
  validationActions: [ACTION]
  matchResources:
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: NAMESPACE}}
"""
WEBHOOKS = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: nobody}
webhooks:
- name: nobody.example.com
  clientConfig: {service: {namespace: default, name: nobody}}
  rules:
  - {apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [secrets]}
  namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: NAMESPACE}}
  admissionReviewVersions: [v1]
  sideEffects: None
"""
PLURALS = ("validatingadmissionpolicies", "validatingadmissionpolicybindings")


def applied(kubectl: Kubectl, text: str, action: str = "Deny") -> None:
    kubectl.ok(
        "apply", "-f", "-", stdin=text.replace("NAMESPACE", kubectl.namespace).replace("ACTION", action)
    )


@pytest.fixture
def policed(kubectl: Kubectl) -> Iterator[Kubectl]:
    """kubectl in a namespace with the policy."""
    applied(kubectl, POLICY)
    yield kubectl
    kubectl.ok("delete", ",".join(PLURALS), "few.example.com")


@since(27)
def test_a_policy_denies_and_warns(policed: Kubectl) -> None:
    policed.ok("create", "configmap", "one", "--from-literal=a=1")
    two = ("create", "configmap", "two", "--from-literal=a=1", "--from-literal=b=2")
    by = "ValidatingAdmissionPolicy 'few.example.com' with binding 'few.example.com'"
    assert policed.fails(*two) == (
        f'error: failed to create configmap: configmaps "two" is forbidden: {by} denied request: 2 is too many\n'
    )
    applied(policed, POLICY, "Warn")
    result = policed.run(*two)
    assert result.code == 0
    assert result.err == f"Warning: Validation failed for {by}: 2 is too many\n"


def test_policies_are_shown(policed: Kubectl) -> None:
    assert [row[:3] for row in policed.run("get", PLURALS[0]).rows] == [
        ["NAME", "VALIDATIONS", "PARAMKIND"],
        ["few.example.com", "1", "<unset>"],
    ]
    assert [row[:3] for row in policed.run("get", PLURALS[1]).rows] == [
        ["NAME", "POLICYNAME", "PARAMREF"],
        ["few.example.com", "few.example.com", "<unset>"],
    ]
    described = policed.ok("describe", PLURALS[0], "few.example.com")
    assert "Failure Policy:  Fail" in described
    assert "Message Expression:  '%d is too many'.format([variables.size])" in described
    assert "FIELDS:" in policed.ok("explain", f"{PLURALS[0]}.spec.validations")
    listed = policed.ok("api-resources", "--api-group=admissionregistration.k8s.io", "-o", "name").split()
    assert {name.partition(".")[0] for name in listed} >= {*PLURALS, "mutatingwebhookconfigurations"}


def test_a_webhook_that_is_not_there_refuses(kubectl: Kubectl) -> None:
    applied(kubectl, WEBHOOKS)
    try:
        error = kubectl.fails("create", "secret", "generic", "s")
        assert (
            'Internal error occurred: failed calling webhook "nobody.example.com": '
            'failed to call webhook: Post "https://nobody.default.svc:443/?timeout=10s": '
        ) in error
        assert kubectl.run("get", "validatingwebhookconfiguration", "nobody").rows[1][:2] == ["nobody", "1"]
        assert "Timeout Seconds:  10" in kubectl.ok("describe", "validatingwebhookconfiguration", "nobody")
    finally:
        kubectl.ok("delete", "validatingwebhookconfiguration", "nobody")
    kubectl.ok("create", "secret", "generic", "s")


@since(27)
def test_priority_and_runtime_classes(kubectl: Kubectl) -> None:
    assert kubectl.run("get", "pc").rows[0] == ["NAME", "VALUE", "GLOBAL-DEFAULT", "AGE", "PREEMPTIONPOLICY"]
    described = kubectl.ok("describe", "pc", "system-node-critical")
    assert "Value:             2000001000" in described
    assert "runtimeclasses" in kubectl.ok("api-resources", "--api-group=node.k8s.io")
