"""kubectl on quotas and limits: as they are printed, described, and refused by."""

from __future__ import annotations

import pytest
from kubectl_engine import Kubectl, since

LIMITS = """\
apiVersion: v1
kind: LimitRange
metadata: {name: bounds}
spec:
  limits:
  - {type: Container, default: {cpu: 500m}, defaultRequest: {cpu: 200m}, max: {cpu: "1"}}
"""


@pytest.fixture
def limited(kubectl: Kubectl) -> Kubectl:
    """kubectl in a namespace with a quota of one pod and bounds for containers."""
    kubectl.ok("apply", "-f", "-", stdin=LIMITS)
    kubectl.ok("create", "quota", "compute", "--hard=pods=1,requests.cpu=2")
    kubectl.until("1", "get", "quota", "compute", "-o", "jsonpath={.status.hard.pods}")
    return kubectl


@since(27)
def test_limits_and_quotas_are_printed_and_described(limited: Kubectl):
    limited.ok("run", "one", "--image=web:1")
    lines = limited.ok("get", "quota").splitlines()
    assert lines[0].split() == ["NAME", "REQUEST", "LIMIT", "AGE"]
    assert lines[1].split()[:5] == ["compute", "pods:", "1/1,", "requests.cpu:", "200m/2"]
    described = limited.ok("describe", "namespace", limited.namespace)
    assert (
        "Resource Quotas\n"
        "  Name:         compute\n"
        "  Resource      Used  Hard\n"
        "  --------      ---   ---\n"
        "  pods          1     1\n"
        "  requests.cpu  200m  2\n"
    ) in described
    assert (
        "Resource Limits\n"
        " Type       Resource  Min  Max  Default Request  Default Limit  Max Limit/Request Ratio\n"
        " ----       --------  ---  ---  ---------------  -------------  -----------------------\n"
        " Container  cpu       -    1    200m             500m           -\n"
    ) in described
    assert "requests.cpu  200m  2" in limited.ok("describe", "quota", "compute")
    assert "Container   cpu       -    1    200m" in limited.ok("describe", "limits", "bounds")


def test_what_they_refuse(limited: Kubectl):
    limited.ok("run", "one", "--image=web:1")
    error = limited.fails("run", "two", "--image=web:1")
    assert (
        'pods "two" is forbidden: exceeded quota: compute, requested: pods=1, used: pods=1, limited: pods=1'
        in error
    )
    limited.ok("delete", "pod", "one", "--now")
    limited.until("0", "get", "quota", "compute", "-o", "jsonpath={.status.used.pods}")
    overrides = '{"spec":{"containers":[{"name":"big","image":"web:1","resources":{"limits":{"cpu":"3"}}}]}}'
    error = limited.fails("run", "big", "--image=web:1", f"--overrides={overrides}")
    assert "maximum cpu usage per Container is 1, but limit is 3" in error
