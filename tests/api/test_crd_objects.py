"""What a structural schema asks of custom resources: pruning, defaults, validation, CEL rules."""

import pytest
from crd_world import SPEC, CrdWorld, resource, version, widget
from hypothesis import given, settings
from hypothesis import strategies as st

from ktui.client.base import WriteOptions
from ktui.engine.api.crd import checking
from ktui.engine.api.crd.structural import defaulted, node_of, prune
from ktui.kube.clock import settle
from ktui.kube.errors import StatusError
from ktui.kube.kinds import CUSTOM_RESOURCE_DEFINITIONS

KIND = 'Widget.example.com "w" is invalid: '


@pytest.fixture
async def world():
    world = CrdWorld()
    await world.start()
    yield world
    await world.stop()
    await world.store.close()


async def refused(world, obj, **options):
    with pytest.raises(StatusError) as caught:
        await world.create(obj, **options)
    return caught.value


async def test_unknown_fields_are_pruned_warned_of_or_refused(world):
    await world.define()
    obj = widget(odd=1, free={"any": {"thing": 1}}, parts=[{"name": "a", "odd": 2}])
    error = await refused(world, obj, options=WriteOptions(field_validation="Strict"))
    assert error.code == 400
    assert error.message == (
        'Widget in version "v1" cannot be handled as a Widget: strict decoding error: '
        'unknown field "spec.odd", unknown field "spec.parts[0].odd"'
    )
    created = await world.create(obj)
    assert world.warnings == ['unknown field "spec.odd"', 'unknown field "spec.parts[0].odd"']
    assert created["spec"] == {
        "size": 3,
        "free": {"any": {"thing": 1}},
        "parts": [{"name": "a", "count": 1}],
        "color": "red",
    }
    world.warnings.clear()
    await world.create({**obj, "metadata": {"name": "x"}}, options=WriteOptions(field_validation="Ignore"))
    assert world.warnings == []


async def test_metadata_is_decoded_as_everywhere(world):
    await world.define()
    error = await refused(world, {**widget(), "metadata": {"name": "w", "labels": {"a": 1}}})
    assert (error.code, error.reason) == (400, "BadRequest")
    error = await refused(world, {**widget(), "metadata": {"name": "Not A Name"}})
    assert error.code == 422


async def test_nulls(world):
    await world.define()
    created = await world.create(widget(note=None, color=None, code=None))
    assert created["spec"] == {"size": 3, "note": None, "color": "red"}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"size": "3"}, 'spec.size: Invalid value: "string": spec.size in body must be of type integer: "string"'),
        ({"size": True}, 'spec.size: Invalid value: "boolean": spec.size in body must be of type integer: "boolean"'),
        ({"size": 3.5}, 'spec.size: Invalid value: "number": spec.size in body must be of type integer: "number"'),
        ({"size": 0}, "spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1"),
        ({"size": 11}, "spec.size: Invalid value: 11: spec.size in body should be less than or equal to 10"),
        ({"color": "blue"}, 'spec.color: Unsupported value: "blue": supported values: "red", "green"'),
        ({"code": "A1"}, "spec.code: Invalid value: \"A1\": spec.code in body should match '^[a-z]+$'"),
        ({"code": "a"}, 'spec.code: Invalid value: "a": spec.code in body should be at least 2 chars long'),
        ({"code": "abcde"}, "spec.code: Too long: may not be more than 4 bytes"),
        (
            {"port": 1.5},
            'spec.port: Invalid value: "number": spec.port in body must be of type integer,string: "number"',
        ),
        (
            {"since": "yesterday"},
            'spec.since: Invalid value: "yesterday": spec.since in body must be of type date-time: "yesterday"',
        ),
        ({"tags": ["a", "a"]}, 'spec.tags[1]: Duplicate value: "a"'),
        ({"parts": [{"name": "a"}, {"name": "a"}]}, 'spec.parts[1]: Duplicate value: {"name":"a"}'),
        ({"parts": [{"count": 1}]}, "spec.parts[0].name: Required value"),
        ({"labels": {"a": 1}}, 'spec.labels.a: Invalid value: "integer": spec.labels.a in body must be of type string: "integer"'),
        ({"template": {"kind": "X"}}, "spec.template.apiVersion: Required value: must not be empty"),
    ],
)  # fmt: skip
async def test_violations_are_worded_as_kubernetes_words_them(world, spec, message):
    await world.define()
    error = await refused(world, widget(**spec))
    assert (error.code, error.message) == (422, KIND + message)


async def test_every_violation_is_listed(world):
    await world.define()
    error = await refused(world, {**widget(code="A"), "spec": {"code": "A"}})
    assert [cause.field for cause in error.causes] == ["spec.size", "spec.code", "spec.code"]


def schema(**spec):
    return {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"}}, **spec}


@pytest.mark.parametrize(
    ("spec", "value", "message"),
    [
        (
            schema(oneOf=[{"required": ["a"]}, {"required": ["b"]}]),
            {"a": 1, "b": "x"},
            'spec: Invalid value: "": "spec" must validate one and only one schema (oneOf). Found 2 valid alternatives',
        ),
        (
            schema(anyOf=[{"required": ["a"]}, {"properties": {"b": {"minLength": 3}}, "required": ["b"]}]),
            {"b": "xyz", "a": 1},
            None,
        ),
        (schema(**{"not": {"required": ["b"]}}), {"b": "x"}, 'spec: Invalid value: "": "spec" must not validate the schema (not)'),
        (schema(minProperties=1), {}, "spec: Invalid value: {}: spec in body should have at least 1 properties"),
        (schema(maxProperties=1), {"a": 1, "b": ""}, "spec: Too many: 2: must have at most 1 items"),
    ],
)  # fmt: skip
async def test_junctors(world, spec, value, message):
    await world.define(version(spec=spec))
    obj = {**widget(), "spec": value}
    if message is None:
        await world.create(obj)
    else:
        assert (await refused(world, obj)).message == KIND + message


async def rules_of(world, *rules, **properties):
    declared = {"low": {"type": "integer"}, "high": {"type": "integer"}, **properties}
    await world.define(
        version(spec={"type": "object", "properties": declared, "x-kubernetes-validations": list(rules)})
    )


async def test_cel_rules(world):
    await rules_of(
        world,
        {"rule": "self.low <= self.high", "message": "low must not be above high"},
        {"rule": "!has(self.name) || self.name.startsWith('x')"},
        {
            "rule": "self.high < 100",
            "messageExpression": "'high is ' + string(self.high)",
            "reason": "FieldValueForbidden",
            "fieldPath": ".high",
        },
        name={"type": "string"},
    )
    await world.create({**widget("ok"), "spec": {"low": 1, "high": 2}})
    error = await refused(world, {**widget(), "spec": {"low": 3, "high": 2}})
    assert error.message == KIND + 'spec: Invalid value: "object": low must not be above high'
    error = await refused(world, {**widget(), "spec": {"low": 1, "high": 200, "name": "y"}})
    assert [f"{cause.field}: {cause.message}" for cause in error.causes] == [
        "spec: Invalid value: \"object\": failed rule: !has(self.name) || self.name.startsWith('x')",
        "spec.high: Forbidden: high is 200",
    ]
    error = await refused(world, {**widget(), "spec": {"low": 1}})
    assert "rule evaluation error: no such key: high" in error.message
    error = await refused(world, {**widget(), "spec": {"low": "x"}})
    assert "some validation rules were not checked because the object was invalid" in error.message


async def test_transition_rules_compare_with_what_was(world):
    parts = {
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
        "items": {
            "type": "object",
            "required": ["name"],
            "properties": {"name": {"type": "string"}, "count": {"type": "integer"}},
            "x-kubernetes-validations": [{"rule": "self.count >= oldSelf.count", "message": "may only grow"}],
        },
    }
    await rules_of(world, {"rule": "self.low == oldSelf.low", "message": "low is immutable"}, parts=parts)
    await world.create({**widget(), "spec": {"low": 1, "parts": [{"name": "a", "count": 5}]}})
    with pytest.raises(StatusError) as caught:
        await world.client.patch(resource(), "w", {"spec": {"low": 2}}, "default")
    assert caught.value.message == KIND + 'spec: Invalid value: "object": low is immutable'
    smaller = {"spec": {"parts": [{"name": "b", "count": 1}, {"name": "a", "count": 4}]}}
    with pytest.raises(StatusError) as caught:
        await world.client.patch(resource(), "w", smaller, "default")
    assert caught.value.message == KIND + 'spec.parts[1]: Invalid value: "object": may only grow'


async def test_what_a_stricter_schema_finds_may_stay_until_it_is_touched(world):
    await world.define(version(spec={"type": "object", "x-kubernetes-preserve-unknown-fields": True}))
    await world.create({**widget(), "spec": {"a": 1, "size": 99}})
    crd = await world.client.get(CUSTOM_RESOURCE_DEFINITIONS, "widgets.example.com")
    crd["spec"]["versions"] = [version()]
    await world.client.update(CUSTOM_RESOURCE_DEFINITIONS, crd)
    await settle(30)
    await world.client.patch(resource(), "w", {"spec": {"code": "ab"}}, "default")
    with pytest.raises(StatusError) as caught:
        await world.client.patch(resource(), "w", {"spec": {"size": 98}}, "default")
    assert "spec.size in body should be less than or equal to 10" in caught.value.message


async def test_rules_with_an_optional_old_value_run_at_creation_too(world):
    rule = {
        "rule": "oldSelf.hasValue() || self.low == 1",
        "message": "starts at one",
        "optionalOldSelf": True,
    }
    await rules_of(world, rule)
    error = await refused(world, {**widget(), "spec": {"low": 2}})
    assert error.message == KIND + 'spec: Invalid value: "object": starts at one'
    await world.create({**widget(), "spec": {"low": 1}})
    await world.client.patch(resource(), "w", {"spec": {"low": 2}}, "default")


@pytest.mark.parametrize(
    "rule",
    [
        "self.x__dash__y == 'v'",
        "self.__namespace__ == 'n'",
        "self.when > timestamp('2020-01-01T00:00:00Z')",
        "self.span < duration('2h')",
        "quantity(self.memory).isGreaterThan(quantity('1Mi'))",
        "isQuantity(self.memory) && !isQuantity('x')",
        "self.list.isSorted() && self.list.sum() == 6 && self.list.max() == 3",
        "'a-b'.split('-').size() == 2 && 'AbC'.lowerAscii() == 'abc' && 'abc'.find('b.') == 'bc'",
        "isIP('10.0.0.1') && cidr('10.0.0.0/8').containsIP('10.0.0.1')",
        "url('https://example.com:80/path').getHostname() == 'example.com'",
        "self.map.all(key, self.map[key] == 'v')",
    ],
)
async def test_kubernetes_extensions_of_cel(world, rule):
    await rules_of(
        world,
        {"rule": rule},
        **{
            "x-y": {"type": "string"},
            "namespace": {"type": "string"},
            "when": {"type": "string", "format": "date-time"},
            "span": {"type": "string", "format": "duration"},
            "memory": {"type": "string"},
            "list": {"type": "array", "items": {"type": "integer"}},
            "map": {"type": "object", "additionalProperties": {"type": "string"}},
        },
    )
    spec = {
        "x-y": "v",
        "namespace": "n",
        "when": "2026-01-01T00:00:00Z",
        "span": "1h30m",
        "memory": "1Gi",
        "list": [1, 2, 3],
        "map": {"a": "v"},
    }
    await world.create({**widget(), "spec": spec})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 15) | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*SPEC["properties"], "name", "metadata", "odd"]), inner, max_size=5
        )
    ),
    max_leaves=15,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(["spec", "status", "odd"]), json_values, max_size=3))
def test_any_json_is_pruned_defaulted_and_checked_without_a_fault(obj):
    root = node_of(version()["schema"]["openAPIV3Schema"])
    pruned = prune(root, obj)
    filled = defaulted(root, pruned.object)
    assert defaulted(root, filled) == filled
    again = prune(root, filled)
    assert again.object == filled
    assert not [field for field in again.unknown_fields if "metadata" not in field]
    for cause in checking.check(root, filled):
        assert cause.message


@pytest.mark.parametrize(
    ("metadata", "problem"),
    [
        (True, "spec.template.metadata: Invalid value: true: must be of type object"),
        ({"labels": ["a"]}, "spec.template.metadata.labels: "),
        ({"generation": "x"}, "spec.template.metadata.generation: "),
        ({"name": "No"}, 'spec.template.metadata.name: Invalid value: "No"'),
    ],
)
def test_metadata_of_an_embedded_object_is_metadata(metadata, problem: str):
    root = node_of(version()["schema"]["openAPIV3Schema"])
    template = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}
    [cause] = checking.check(root, {"spec": {"size": 1, "template": template}})
    assert f"{cause.field}: {cause.message}".startswith(problem)
