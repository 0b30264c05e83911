"""Objects decoded for many readers: shared where they are the same, without who owns which field."""

from __future__ import annotations

from typing import Any

import msgspec
from lightkube.models.apiextensions_v1 import CustomResourceDefinition
from lightkube.models.core_v1 import Node, Pod

from ktui.client.typed import decoder


def pod(name: str, image: str = "web:1", **more: Any) -> bytes:
    owners = [{"manager": "kubectl", "fieldsV1": {"f:spec": {"f:containers": {}}}}]
    env = [{"name": f"NAME_{number}", "value": '"spec":{'} for number in range(40)]
    spec = {"containers": [{"name": "web", "image": image, "env": env}], "nodeName": "n"}
    metadata = {"name": name, "annotations": {"was": '"managedFields":['}, "managedFields": owners}
    return msgspec.json.encode({"metadata": metadata, "spec": spec, **more})


def test_an_object_is_what_its_json_says_but_for_the_owners_of_fields() -> None:
    raw = pod("a", status={"phase": "Running", "podIP": "10.0.0.1"})
    expected = msgspec.json.decode(raw, type=Pod)
    assert expected.metadata is not None and expected.metadata.managedFields
    expected.metadata.managedFields = None
    assert decoder(Pod)(raw) == expected
    indented = msgspec.json.format(raw, indent=2)
    assert decoder(Pod)(indented).spec == expected.spec


def test_objects_with_the_same_spec_share_it_and_others_have_their_own() -> None:
    decode = decoder(Pod)
    first, second, other = decode(pod("a")), decode(pod("b")), decode(pod("c", "web:2"))
    assert first.metadata.name == "a" and second.metadata.name == "b"
    assert first.spec is second.spec
    assert other.spec.containers[0].image == "web:2"
    assert decode(pod("a")) is first


def test_small_specs_missing_ones_and_ones_a_kind_must_have_are_decoded_too() -> None:
    assert decoder(Node)(b'{"metadata":{"name":"n"},"spec":{"podCIDR":"10.0.0.0/24"}}').spec.podCIDR
    assert decoder(Pod)(b'{"metadata":{"name":"a"}}').spec is None
    assert decoder(Pod)(b'{"metadata":{"name":"a","managedFields":[]},"spec":null}').spec is None
    names = {"plural": "widgets", "kind": "Widget", "shortNames": ["w" * 63] * 20}
    spec = {"group": "example.com", "names": names, "scope": "Cluster", "versions": []}
    raw = msgspec.json.encode({"metadata": {"name": "widgets.example.com"}, "spec": spec})
    assert decoder(CustomResourceDefinition)(raw).spec.group == "example.com"


def test_plain_data_stays_whole() -> None:
    assert decoder(dict[str, Any])(pod("a"))["metadata"]["managedFields"]
