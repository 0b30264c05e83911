"""Checking an expression's types: what is certainly wrong is found, what may be right passes."""

from __future__ import annotations

import pytest

from ktui.engine.api import schema
from ktui.engine.api.cel.admission import declared
from ktui.engine.api.cel.checking import check
from ktui.engine.api.cel.types import DYN, of_schema
from ktui.engine.api.validation.admission_rules import check_expression

DEPLOYMENT = of_schema(schema.load().definitions["io.k8s.api.apps.v1.Deployment"], "Deployment")
TYPES = declared(obj=DEPLOYMENT, variables=[("names", "object.spec.template.spec.containers.map(c, c.name)")])


@pytest.mark.parametrize(
    "expression",
    [
        "object.spec.replicas > 1 && object.spec.replicas < 2.5",
        "object.metadata.namespace.startsWith('a') && object.metadata.name in ['a', 'b']",
        "object.spec.template.spec.containers.all(c, c.image.contains(':') && !has(c.securityContext))",
        "object.spec.template.spec.?volumes.orValue([]).size() == 0",
        "object.spec.selector.matchLabels['app'] == 'web' && 'app' in object.metadata.labels",
        "object.spec.strategy.rollingUpdate.maxSurge == 1 || object.spec.strategy == null",
        "variables.names.exists(n, n == 'web') ? true : request.dryRun",
        "authorizer.group('').resource('pods').namespace('x').check('get').allowed()",
        "oldObject == null || object.metadata.creationTimestamp != oldObject.metadata.creationTimestamp",
        "namespaceObject.metadata.labels.exists(k, k.matches('^a$'))",
        "cel.bind(r, object.spec.replicas, r * r) > quantity('1').asInteger()",
        "'%d of %s'.format([object.spec.replicas, object.metadata.name]) + string(1) != ''",
        "sets.contains(variables.names, ['a']) && math.greatest([1, 2]) == 2",
        "{'a': 1}.map(k, k)[0] + 'b' == 'ab' && type(object) != int",
        "object.spec.?replicas.optMap(r, r + 1).orValue(0) == 1",
        "true && [1, 2].filter(i, i % 2 == 0)[0] - -1 == 3",
    ],
)
def test_what_is_right_passes(expression: str) -> None:
    assert not check(expression, TYPES).problems


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        (
            "object.spec.replicas > '1'",
            "1:22: found no matching overload for '_>_' applied to '(int, string)'",
        ),
        (
            "'a' + object.spec.replicas",
            "1:5: found no matching overload for '_+_' applied to '(string, int)'",
        ),
        ("object.spec.nothing", "1:12: undefined field 'nothing'"),
        ("has(object.spec.nothing)", "1:16: undefined field 'nothing'"),
        ("nothing == 1", "1:1: undeclared reference to 'nothing' (in container '')"),
        ("nothing(1)", "1:8: undeclared reference to 'nothing' (in container '')"),
        ("object.spec.replicas.all(r, true)", "expression of type 'int' cannot be range of a comprehension"),
        ("variables.names.all(n, n)", "1:20: expected type 'bool' but found 'string'"),
        ("variables.names.exists(n, n == 1)", "'_==_' applied to '(string, int)'"),
        ("object.spec.replicas.startsWith('1')", "'startsWith' applied to 'int.(string)'"),
        ("variables.names['a']", "'_[_]' applied to '(list(string), string)'"),
        ("1 in object.metadata.labels", "'@in' applied to '(int, map(string, string))'"),
        ("!object.metadata.name", "'!_' applied to '(string)'"),
        ("object.metadata.name.x", "type 'string' does not support field selection"),
        ("object.spec.paused ? 1 : 'a'", "'_?_:_' applied to '(bool, int, string)'"),
        ("variables.other", "undefined field 'other'"),
        ("true &&\n  object.zz", "2:9: undefined field 'zz'\n |   object.zz\n | ........^"),
    ],
)
def test_what_is_wrong_is_found(expression: str, problem: str) -> None:
    [found] = check(expression, TYPES).problems
    assert found.startswith("ERROR: <input>:")
    assert problem in found


PEOPLE_WRITE = """
object.spec.replicas <= params.maxReplicas
!has(object.metadata.labels) || !('env' in object.metadata.labels)
object.spec.template.spec.containers.all(c, has(c.securityContext) && c.securityContext.readOnlyRootFilesystem)
authorizer.group('x.io').resource('a').namespace(object.metadata.namespace).check('create').allowed()
!('exempt' in namespaceObject.metadata.?labels.orValue({}))
quantity(object.spec.resources.limits.memory).isLessThan(quantity('1Gi'))
request.userInfo.groups.exists(g, g == 'system:masters') || has(request.options.fieldManager)
object.spec.containers.map(c, c.image).filter(i, !i.contains('@')).size() == 0
timestamp(object.metadata.creationTimestamp) < timestamp('2024-01-01T00:00:00Z')
namespaceObject.metadata.labels[?'x'].orValue('') == 'y' && duration('1h').getHours() > 0
ip(object.spec.clusterIP).family() == 4 && cidr('10.0.0.0/8').containsIP(object.spec.clusterIP)
object.spec.containers.all(c, c.resources.?limits.?memory.hasValue())
(object.kind == 'Pod' ? object.spec : object.spec.template.spec).containers.all(c, true)
params == null || params.spec.allowed.exists(a, a == object.metadata.name)
[object.spec.initContainers, object.spec.containers].all(l, l.all(c, c.name != ''))
request.resource.group + '/' + request.resource.resource == 'apps/deployments' && !request.dryRun
""".strip().splitlines()


@pytest.mark.parametrize("expression", PEOPLE_WRITE)
def test_policies_people_write_are_taken(expression: str) -> None:
    assert not check_expression(expression, "spec.validations[0].expression", declared(params=DYN))
