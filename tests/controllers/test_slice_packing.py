"""How endpoints are laid out in slices: few slices, few writes, nothing lost and nothing twice."""

from hypothesis import given, settings
from hypothesis import strategies as st
from lightkube.models.discovery_v1 import Endpoint, EndpointConditions, EndpointPort, EndpointSlice
from lightkube.models.meta_v1 import ObjectMeta

from ktui.engine.controllers.slice_packing import group, pack

HTTP = [EndpointPort(name="http", port=80, protocol="TCP")]
OTHER = [EndpointPort(name="http", port=8080, protocol="TCP")]


def endpoint(number, ready=True):
    return Endpoint(
        addresses=[f"10.0.{number // 256}.{number % 256}"], conditions=EndpointConditions(ready=ready)
    )


def a_slice(name, numbers, ports=HTTP):
    return EndpointSlice(
        addressType="IPv4",
        metadata=ObjectMeta(name=name),
        ports=ports,
        endpoints=[endpoint(number) for number in numbers],
    )


def wanted(numbers, ports=HTTP, unready=()):
    return group((ports, endpoint(number, number not in unready)) for number in numbers)


def shape(packing):
    return (
        [len(new.endpoints) for new in packing.create],
        {change.slice.metadata.name: len(change.endpoints) for change in packing.update},
        [found.metadata.name for found in packing.delete],
        [found.metadata.name for found in packing.keep],
    )


def test_nothing_yet_makes_full_slices():
    assert shape(pack([], wanted(range(250)))) == ([100, 100, 50], {}, [], [])


def test_no_endpoints_leave_an_empty_slice():
    packing = pack([], wanted([]))
    assert (packing.create[0].ports, packing.create[0].endpoints) == ([], [])
    empty = a_slice("e", [], ports=[])
    assert shape(pack([empty], wanted([]))) == ([], {}, [], ["e"])
    assert shape(pack([a_slice("a", range(3))], wanted([]))) == ([], {"a": 0}, [], [])


def test_what_is_as_it_should_be_is_not_written():
    assert shape(pack([a_slice("a", range(5))], wanted(range(5)))) == ([], {}, [], ["a"])


def test_a_change_of_one_writes_one_slice():
    slices = [a_slice("a", range(100)), a_slice("b", range(100, 150))]
    assert shape(pack(slices, wanted(range(150), unready=[3]))) == ([], {"a": 100}, [], ["b"])


def test_new_endpoints_fill_slices_that_change_anyway():
    slices = [a_slice("a", range(100)), a_slice("b", range(100, 150))]
    packing = pack(slices, wanted([*range(1, 150), 200]))
    assert shape(packing) == ([], {"a": 100}, [], ["b"])


def test_new_endpoints_go_into_the_fullest_slice_with_room():
    slices = [a_slice("a", range(40)), a_slice("b", range(100, 190)), a_slice("c", range(200, 295))]
    there = [*range(40), *range(100, 190), *range(200, 295)]
    assert shape(pack(slices, wanted([*there, *range(300, 308)]))) == ([], {"b": 98}, [], ["a", "c"])
    assert shape(pack(slices, wanted([*there, *range(300, 370)]))) == ([70], {}, [], ["a", "b", "c"])


def test_slices_that_become_empty_go_unless_another_is_needed():
    slices = [a_slice("a", range(100)), a_slice("b", range(100, 110))]
    assert shape(pack(slices, wanted(range(100)))) == ([], {}, ["b"], ["a"])
    assert shape(pack([a_slice("a", range(5))], wanted(range(5), ports=OTHER))) == ([], {"a": 5}, [], [])


def test_endpoints_with_other_ports_have_slices_of_their_own():
    both = {**wanted([1, 2]), **wanted([3], ports=OTHER)}
    packing = pack([a_slice("a", [1, 2, 3])], both)
    assert shape(packing) == ([1], {"a": 2}, [], [])
    assert packing.create[0].ports == OTHER


@given(
    layout=st.lists(st.sets(st.integers(0, 30), max_size=6), max_size=6),
    numbers=st.sets(st.integers(0, 30)),
    unready=st.sets(st.integers(0, 30)),
)
@settings(max_examples=150, deadline=None)
def test_whatever_there_was_every_endpoint_is_there_once(layout, numbers, unready):
    slices = [a_slice(f"s{index}", sorted(found)) for index, found in enumerate(layout)]
    packing = pack(slices, wanted(sorted(numbers), unready=unready), most=6)
    after = [new.endpoints for new in packing.create]
    after += [change.endpoints for change in packing.update]
    after += [found.endpoints for found in packing.keep]
    flat = [(each.addresses[0], each.conditions.ready) for endpoints in after for each in endpoints]
    assert sorted(flat) == sorted((endpoint(n).addresses[0], n not in unready) for n in numbers)
    assert all(len(endpoints) <= 6 for endpoints in after) and after
    touched = [change.slice.metadata.name for change in packing.update]
    touched += [found.metadata.name for found in (*packing.delete, *packing.keep)]
    assert sorted(touched) == sorted(found.metadata.name for found in slices)
