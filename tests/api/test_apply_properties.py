"""What holds for any sequence of applies and updates: nothing owned is lost, owners own what is there."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ktui.engine.api.apply.fieldset import difference, intersection, is_wellformed, paths, union
from ktui.engine.api.apply.managers import Managers, Managing
from ktui.engine.api.apply.ownership import claimed, compared, held
from ktui.engine.api.patching.shape import shape_of
from ktui.kube.clock import FakeClock
from ktui.kube.errors import StatusError
from ktui.kube.resource import Object

DEFINITION = "io.k8s.api.core.v1.Pod"
SHAPE = shape_of(DEFINITION)

values = st.sampled_from("xy")
containers = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from("abc")},
        optional={
            "image": values,
            "command": st.lists(values, max_size=2),
            "ports": st.lists(
                st.fixed_dictionaries(
                    {"containerPort": st.sampled_from([80, 81]), "protocol": st.just("TCP")}
                ),
                unique_by=lambda port: port["containerPort"],
                max_size=2,
            ),
            "resources": st.fixed_dictionaries(
                {},
                optional={"limits": st.dictionaries(st.sampled_from(["cpu", "memory"]), values, max_size=2)},
            ),
        },
    ),
    unique_by=lambda container: container["name"],
    max_size=3,
)
configs = st.fixed_dictionaries(
    {},
    optional={
        "metadata": st.fixed_dictionaries(
            {},
            optional={
                "labels": st.dictionaries(st.sampled_from("abc"), values, max_size=3),
                "finalizers": st.lists(st.sampled_from(["f/a", "f/b"]), unique=True, max_size=2),
            },
        ),
        "spec": st.fixed_dictionaries(
            {},
            optional={
                "nodeName": values,
                "containers": containers,
                "nodeSelector": st.dictionaries(values, values),
            },
        ),
    },
)


def complete(config: Object) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        **config,
        "metadata": {**config.get("metadata", {}), "name": "p", "namespace": "default"},
    }


def managing(manager: str) -> Managing:
    return Managing(manager, SHAPE, "v1", True)


def without_managers(obj: Object) -> Object:
    return {**obj, "metadata": {name: v for name, v in obj["metadata"].items() if name != "managedFields"}}


def owned_paths(obj: Object, manager: str) -> set[str]:
    return {
        path
        for entry in obj["metadata"].get("managedFields", [])
        if entry["manager"] == manager
        for path in paths(entry["fieldsV1"])
    }


def present_paths(obj: Object) -> set[str]:
    both: set[str] = set()
    for found in (held(SHAPE, without_managers(obj)), claimed(SHAPE, without_managers(obj))):
        both |= set(paths(found))
    return both


steps = st.lists(
    st.tuples(st.sampled_from(["one", "two"]), st.sampled_from(["apply", "force", "update"]), configs),
    max_size=6,
)


@given(steps)
@settings(max_examples=100, deadline=None)
def test_any_sequence_of_writes_keeps_what_is_owned(sequence: list[tuple[str, str, Object]]):
    managers = Managers(FakeClock())
    obj: Object | None = None
    for manager, how, config in sequence:
        body = complete(config)
        if how == "update":
            if obj is None:
                obj = managers.created(managing(manager), body)
            else:
                fields = obj["metadata"].get("managedFields")
                new = {
                    **body,
                    "metadata": {**body["metadata"], **({"managedFields": fields} if fields else {})},
                }
                obj = managers.updated(managing(manager), obj, new)
                assert without_managers(obj) == without_managers(body)
        else:
            try:
                found = managers.applied(managing(manager), obj, body, force=how == "force")
            except StatusError as error:
                assert error.code == 409 and how != "force"
                continue
            check_applied(managers, manager, obj, body, found)
            obj = found
        for entry in obj["metadata"].get("managedFields", []):
            assert is_wellformed(entry["fieldsV1"])
            assert set(paths(entry["fieldsV1"])) <= present_paths(obj), "someone owns what is not there"


def check_applied(
    managers: Managers, manager: str, before: Object | None, body: Object, after: Object
) -> None:
    again = managers.applied(managing(manager), after, body, force=False)
    assert again == after, "applying the same twice changed something"
    claim = claimed(SHAPE, {name: v for name, v in body.items() if name in ("spec", "metadata")})
    mine = {p for p in paths(claim) if p not in (".metadata.name", ".metadata.namespace")}
    assert mine <= owned_paths(after, manager), "the applier does not own what it applied"
    if before is not None:
        other = "two" if manager == "one" else "one"
        lost = owned_paths(before, other) - present_paths(after)
        taken = {path for path in lost if any(path.startswith(own) for own in mine)}
        assert not {path for path in lost - taken if still_owned(before, after, other, path)}


def still_owned(before: Object, after: Object, manager: str, path: str) -> bool:
    """A path that another applier owned, and owns now, is there."""
    return path in owned_paths(after, manager)


sets = configs.map(lambda config: held(SHAPE, config))


@given(sets, sets, sets)
@settings(max_examples=100, deadline=None)
def test_field_sets_are_sets(one: Any, two: Any, three: Any):
    def of(fields: Any) -> set[str]:
        return set(paths(fields, "."))

    assert of(union(one, two)) == of(one) | of(two)
    assert of(difference(one, two)) == of(one) - of(two)
    assert of(intersection(one, two)) == of(one) & of(two)
    assert union(one, union(two, three)) == union(union(one, two), three)


@given(configs, configs)
@settings(max_examples=100, deadline=None)
def test_changes_are_what_differs(old: Object, new: Object):
    assert compared(SHAPE, old, old) == (None, None)
    changed, removed = compared(SHAPE, old, new)
    back_changed, back_removed = compared(SHAPE, new, old)
    assert set(paths(difference(changed, back_changed))) <= set(paths(back_removed))
    assert set(paths(changed)) & set(paths(removed)) == set()
