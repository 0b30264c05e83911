"""kubectl on kinds of one's own: wait, columns, explain, scale, patches, and the end of a kind."""

from __future__ import annotations

import json

import pytest
from kubectl_engine import Kubectl, since

KIND = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: crontabs.stable.example.com}
spec:
  group: stable.example.com
  scope: Namespaced
  names: {plural: crontabs, kind: CronTab, shortNames: [ct], categories: [all]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources:
      status: {}
      scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas}
    additionalPrinterColumns:
    - {name: Spec, type: string, jsonPath: .spec.cronSpec}
    - {name: Replicas, type: integer, jsonPath: .spec.replicas}
    - {name: Age, type: date, jsonPath: .metadata.creationTimestamp}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            description: What to run.
            required: [cronSpec]
            x-kubernetes-validations:
            - {rule: "self.replicas <= 5", message: at most five}
            properties:
              cronSpec: {type: string, description: When to run it., pattern: '^(\\S+ ){4}\\S+$'}
              replicas: {type: integer, minimum: 1, default: 2}
          status: {type: object, x-kubernetes-preserve-unknown-fields: true}
"""
OBJECT = """\
apiVersion: stable.example.com/v1
kind: CronTab
metadata: {name: mine}
spec: {cronSpec: "* * * * */5"}
"""


@pytest.fixture
def crontabs(kubectl: Kubectl):
    kubectl.ok("apply", "-f", "-", stdin=KIND)
    kubectl.ok("wait", "--for=condition=Established", "crd/crontabs.stable.example.com", "--timeout=10s")
    yield kubectl
    kubectl.ok("delete", "crd", "crontabs.stable.example.com", "--ignore-not-found", "--timeout=20s")


@since(27)
def test_a_custom_kind_from_definition_to_deletion(crontabs: Kubectl):
    rows = crontabs.ok("api-resources", "--api-group=stable.example.com", "--no-headers").split()
    assert rows == ["crontabs", "ct", "stable.example.com/v1", "true", "CronTab"]
    assert crontabs.ok("apply", "-f", "-", stdin=OBJECT) == "crontab.stable.example.com/mine created\n"
    assert crontabs.ok("apply", "-f", "-", stdin=OBJECT) == "crontab.stable.example.com/mine unchanged\n"
    lines = crontabs.ok("get", "ct").splitlines()
    assert lines[0].split() == ["NAME", "SPEC", "REPLICAS", "AGE"]
    assert lines[1].split()[:7] == ["mine", "*", "*", "*", "*", "*/5", "2"]
    assert "crontab.stable.example.com/mine" in crontabs.ok("get", "all", "-o", "name")
    assert "Spec:\n  Cron Spec:  * * * * */5\n  Replicas:   2\n" in crontabs.ok("describe", "ct", "mine")
    explained = crontabs.ok("explain", "crontab.spec.cronSpec")
    assert "When to run it." in explained
    assert "cronSpec <string>" in explained
    crontabs.ok("scale", "ct/mine", "--replicas=4")
    crontabs.ok(
        "patch", "ct", "mine", "--type=merge", "--subresource=status", "-p", '{"status":{"replicas":4}}'
    )
    found = json.loads(crontabs.ok("get", "ct", "mine", "-o", "json"))
    assert (found["spec"]["replicas"], found["status"], found["metadata"]["generation"]) == (
        4,
        {"replicas": 4},
        2,
    )
    crontabs.ok("delete", "crd", "crontabs.stable.example.com", "--timeout=20s")
    assert "the server could not find the requested resource" in crontabs.fails("get", "ct")


@since(27)
def test_what_a_custom_kind_refuses(crontabs: Kubectl):
    bad = OBJECT.replace('"* * * * */5"', "often")
    error = crontabs.fails("apply", "-f", "-", stdin=bad)
    assert '* spec.cronSpec: Invalid value: "often": spec.cronSpec in body should' in error
    error = crontabs.fails("apply", "-f", "-", stdin=OBJECT.replace("spec: {", "spec: {replicas: 6, "))
    assert 'The CronTab "mine" is invalid: spec: Invalid value: "object": at most five' in error
    error = crontabs.fails("apply", "-f", "-", stdin=OBJECT.replace("spec: {", "spec: {odd: 1, "))
    assert 'strict decoding error: unknown field "spec.odd"' in error
    crontabs.ok("apply", "--server-side", "-f", "-", stdin=OBJECT)
    error = crontabs.fails(
        "apply", "--server-side", "--field-manager=other", "-f", "-", stdin=OBJECT.replace("*/5", "*/6")
    )
    assert 'conflict with "kubectl": .spec.cronSpec' in error
