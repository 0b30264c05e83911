"""CEL as Kubernetes speaks it: its syntax, macros and functions, on plain data."""

from __future__ import annotations

import pytest

from ktui.engine.api.cel import programs as cel

POD = {"spec": {"replicas": 3, "containers": [{"name": "a", "image": "web:1"}, {"name": "b"}]}}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("object.spec.replicas > 2 && object.spec.containers.all(c, has(c.name))", True),
        ("object.spec.?paused.orValue(false)", False),
        ("object.?spec.?replicas.orValue(0)", 3),
        ("object.?status.conditions.orValue([]).size()", 0),
        ("object.spec.containers[?1].?image.orValue('none')", "none"),
        ("object.spec[?'replicas'].hasValue()", True),
        ("object.spec.?replicas.optMap(r, r * 2).orValue(0)", 6),
        ("object.?status.optMap(s, s.x).orValue(7)", 7),
        ("cel.bind(n, object.spec.replicas, n * n)", 9),
        ("sets.contains(['a', 'b'], ['a'])", True),
        ("sets.intersects(object.spec.containers.map(c, c.name), ['b', 'z'])", True),
        ("math.greatest([1, 5, 3])", 5),
        ("'%s has %d of %.1f, %s'.format(['x', 3, 2.25, [1, true]])", "x has 3 of 2.2, [1, true]"),
        ("[3, 1, 2].sort()", [1, 2, 3]),
        ("quantity('1Gi').compareTo(quantity('500Mi'))", 1),
        ("(1 + 2) * 3 - -1 == 10 ? 'yes' : 'no'", "yes"),
        ("{'a': 1}.exists(k, k == 'a') && !('b' in {'a': 1})", True),
        ("'a.?b' + 'cel.bind(x, 1, x)'", "a.?bcel.bind(x, 1, x)"),
    ],
)
def test_values(expression: str, value: object) -> None:
    assert cel.compiled(expression)({"object": POD}) == value


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("object.spec.nothing", "no such key: nothing"),
        ("object.spec.replicas +", "compilation failed: ERROR: <input>:1:23: Syntax error"),
        ("'%d'.format([])", "not enough arguments"),
        ("x" * 6000, "expression is longer than"),
        ("[?object]", "cannot convert type"),
        ("[?", "compilation failed"),
    ],
)
def test_problems(expression: str, problem: str) -> None:
    with pytest.raises(cel.CelError, match="(?s)" + problem.replace("(", r"\(")):
        cel.compiled(expression)({"object": POD})


def test_loops_in_loops_are_bounded_by_what_they_go_over() -> None:
    nested = cel.compiled("object.items.all(a, object.items.all(b, a + b >= 0))")
    flat = cel.compiled("object.items.all(a, a >= 0) && object.items.exists(a, a == 0)")
    few, many = {"object": {"items": [*range(50)]}}, {"object": {"items": [*range(3000)]}}
    assert nested(few)
    assert flat(many)
    with pytest.raises(cel.CelError, match="actual cost limit exceeded"):
        nested(many)
