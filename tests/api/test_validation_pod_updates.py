"""What of a pod may change and what may not, in kube-apiserver's words."""

from typing import Any

import pytest
from kind_cases import pod, update_errors

OLD = pod(
    {
        "initContainers": [{"name": "i", "image": "a"}],
        "tolerations": [{"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}],
        "activeDeadlineSeconds": 10,
    }
)


def changed(**spec: Any) -> dict[str, Any]:
    return {**OLD, "spec": {**OLD["spec"], **spec}}


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"containers": [{"name": "main", "image": "web:2", "imagePullPolicy": "IfNotPresent"}]},
        {"initContainers": [{"name": "i", "image": "b"}]},
        {"activeDeadlineSeconds": 5},
        {
            "tolerations": [
                {"key": "b", "operator": "Exists"},
                {"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 7},
            ]
        },
    ],
)
def test_what_of_a_pod_may_change(spec) -> None:
    assert update_errors("pods", changed(**spec), OLD) == []


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (
            {"containers": [*OLD["spec"]["containers"], {"name": "b", "image": "x"}]},
            "spec.containers: Forbidden: pod updates may not add or remove containers",
        ),
        (
            {"activeDeadlineSeconds": 20},
            "spec.activeDeadlineSeconds: Invalid value: 20: must be less than or equal to previous value",
        ),
        (
            {"activeDeadlineSeconds": None},
            "spec.activeDeadlineSeconds: Invalid value: null: must not update from a positive integer to nil value",
        ),
        (
            {"tolerations": []},
            "spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds",
        ),
        (
            {"hostname": "other"},
            "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
            "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to "
            "existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously "
            'negative)\nspec.hostname: null → "other"',
        ),
        (
            {"schedulingGates": [{"name": "new"}]},
            "spec.schedulingGates[0].name: Forbidden: only deletion is allowed, but found new scheduling gate 'new'",
        ),
    ],
)
def test_what_of_a_pod_may_not_change(spec, expected) -> None:
    assert update_errors("pods", changed(**spec), OLD) == [expected]


def test_a_refused_update_names_every_changed_field() -> None:
    containers = [{"name": "main", "image": "web:2", "env": [{"name": "A", "value": "1"}], "command": ["x"]}]
    (found,) = update_errors("pods", changed(containers=containers, subdomain="s"), OLD)
    assert found.split("\n")[1:] == [
        'spec.containers[0].env: null → [{"name":"A","value":"1"}]',
        'spec.containers[0].command: null → ["x"]',
        'spec.subdomain: null → "s"',
    ]


def test_a_gated_pod_may_be_narrowed_but_not_widened() -> None:
    gated = pod({"schedulingGates": [{"name": "g"}], "nodeSelector": {"a": "b"}})
    narrowed = pod({"schedulingGates": [{"name": "g"}], "nodeSelector": {"a": "b", "c": "d"}})
    widened = pod({"schedulingGates": [{"name": "g"}], "nodeSelector": {"c": "d"}})
    lifted = pod({"schedulingGates": [], "nodeSelector": {"a": "b"}})
    assert update_errors("pods", narrowed, gated) == []
    assert update_errors("pods", lifted, gated) == []
    assert update_errors("pods", widened, gated) == [
        'spec.nodeSelector: Invalid value: {"c":"d"}: no key/value mutation, only additions are allowed'
    ]
