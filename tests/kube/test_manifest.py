"""Manifests: the data kubectl would send, and a position for every field and every mistake."""

import contextlib
import json

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ktui.kube import manifest
from ktui.kube.manifest import ManifestError, Position, parse

DEPLOYMENT = b"""\
# a comment
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {app.kubernetes.io/name: web}
spec:
  template:
    spec:
      containers:
      - name: web
        image: "web:1"
      - name: sidecar
        image: side
---
# nothing here
---
apiVersion: v1
kind: ConfigMap
metadata: {name: page}
data:
  index.html: |
    <h1>hi</h1>
"""


def values(text: str) -> object:
    return parse(b"v: " + text.encode())[0].object["v"]


def failure(data: bytes, **options: bool) -> ManifestError:
    with pytest.raises(ManifestError) as caught:
        parse(data, **options)
    return caught.value


def test_every_field_path_has_the_position_of_its_key() -> None:
    web, page = parse(DEPLOYMENT)
    assert web.position == Position(2, 1)
    assert web.locate("metadata.name") == Position(5, 3)
    assert web.locate("metadata.labels[app.kubernetes.io/name]") == Position(6, 12)
    assert web.locate("spec.template.spec.containers[1].image") == Position(14, 9)
    assert page.position == Position(18, 1)
    assert page.locate("data[index.html]") == Position(22, 3)


def test_a_missing_field_is_located_at_its_nearest_ancestor() -> None:
    web = parse(DEPLOYMENT)[0]
    assert web.locate("spec.template.spec.containers[0].ports[0].containerPort") == Position(11, 9)
    assert web.locate("spec.selector") == Position(7, 1)
    assert web.locate("") == Position(2, 1)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", True), ("off", False), ("'yes'", "yes"), ("~", None), ("", None),
        ("0644", 420), ("0o644", 420), ("0x1F", 31), ("1_000", 1000), ("-5", -5), ("08", 8),
        ("1:30", "1:30"), ("2026-11-24", "2026-11-24"), ("12:30:45", "12:30:45"),
        ("1.5", 1.5), ("1e3", 1000), ("1.0", 1), ("1.10", 1.1), ("100m", "100m"), ("1.2.3", "1.2.3"), ("=", "="),
        ("!!str 5", "5"), ("!!int 5", 5), ("!!binary aGk=", "hi"), ("! 5", "5"), ("+", "+"),
    ],
)  # fmt: skip
def test_scalars_become_what_kubectl_sends(text: str, value: object) -> None:
    result = values(text)
    assert result == value
    assert type(result) is type(value)


def test_keys_become_strings() -> None:
    assert parse(b"1: a\ntrue: b\nnull: c")[0].object == {"1": "a", "true": "b", "null": "c"}


def test_anchors_and_merges_are_expanded() -> None:
    document = parse(b"base: &b {x: 1, z: 2}\nuse:\n  <<: *b\n  z: 3\nlist: [*b]")[0]
    assert document.object["use"] == {"x": 1, "z": 3}
    assert document.object["list"] == [{"x": 1, "z": 2}]
    assert document.locate("use.z") == Position(4, 3)


def test_a_list_is_unfolded_with_positions() -> None:
    data = b"apiVersion: v1\nkind: List\nitems:\n- kind: Pod\n  metadata: {name: a}\n- kind: Secret\n"
    pod, secret = parse(data)
    assert (pod.object["kind"], secret.object["kind"]) == ("Pod", "Secret")
    assert pod.locate("metadata.name") == Position(5, 14)


def test_a_typed_list_gives_its_items_their_kind() -> None:
    data = b'{"kind": "ConfigMapList", "apiVersion": "v1", "items": [{"metadata": {"name": "a"}}]}'
    assert parse(data, is_json=True)[0].object["kind"] == "ConfigMap"


@pytest.mark.parametrize(
    ("data", "message", "position"),
    [
        (b"a: 1\nb: 2\na: 3\n", 'duplicate key "a", first given in line 1', (3, 1)),
        (b"a:\n\tb: 1\n", "cannot start any token", (2, 1)),
        (b"a: [1, 2\nb: 3\n", "did not find expected", (2, 2)),
        (b"a: *nope\n", "undefined alias|unknown anchor", (1, 4)),
        (b"- 1\n", "expected an object with apiVersion and kind, found a list", (1, 1)),
        (b"just text\n", "found a string", (1, 1)),
        (b"v: .inf\n", "can't be written in JSON", (1, 4)),
        (b"v: !!int x\n", "is no !!int", (1, 4)),
        (b"v: !custom x\n", "unknown tag !custom", (1, 4)),
        (b"? [a]\n: 1\n", "a key must be a plain value", (1, 3)),
        (b"a: b: c\n", "mapping values are not allowed", (1, 5)),
        (b"kind: List\nitems: [1]\n", "expected an object, found a number", (2, 9)),
    ],
)
def test_a_mistake_says_what_and_where(data: bytes, message: str, position: tuple[int, int]) -> None:
    error = failure(data)
    assert any(part in error.message for part in message.split("|"))
    assert error.position == position


def test_json_mistakes_have_positions_too() -> None:
    assert failure(b'{\n  "a": 1,\n  b: 2\n}', is_json=True).position == Position(3, 3)
    assert "duplicate key" in failure(b'{"a": 1, "a": 2}', is_json=True).message
    assert "expected an object" in failure(b"[1]", is_json=True).message
    assert failure(b"\xff\xfe{", is_json=True).message.startswith("not text")


def test_json_with_surrogates_and_tabs_is_read() -> None:
    document = parse(b'{\n\t"kind": "Pod",\n\t"v": "\\ud83d\\ude00"}', is_json=True)[0]
    assert document.object == {"kind": "Pod", "v": "😀"}


@pytest.mark.parametrize("data", [b"\0\x01\x02", b"\x7fELF\0\0", b"\xff\xfe\xfa", bytes(range(256))])
def test_junk_is_refused(data: bytes) -> None:
    failure(data)


def test_an_alias_bomb_is_refused_at_once() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    assert "aliases are expanded" in failure("\n".join(lines).encode()).message


@pytest.mark.parametrize("data", [b"a: " + b"[" * 50_000, b"a: " + b"{b: " * 5_000])
def test_endless_nesting_is_refused(data: bytes) -> None:
    assert "nest" in failure(data).message


def test_a_huge_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "MAX_BYTES", 100)
    assert "larger than" in failure(b"a: " + b"x" * 100).message


def test_an_empty_file_has_no_objects() -> None:
    assert parse(b"") == []
    assert parse(b"# only a comment\n---\n") == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.text(min_size=1), json_values, min_size=1, max_size=5))
def test_what_is_dumped_is_read_back(value: dict[str, object]) -> None:
    value.pop("<<", None)
    if not value or str(value.get("kind")).endswith("List"):
        return
    assert parse(json.dumps(value).encode(), is_json=True)[0].object == value


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(
        st.from_regex(r"[a-z]{1,8}", fullmatch=True),
        st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"])),
        min_size=1,
    )
)
def test_strings_dumped_as_yaml_stay_strings(value: dict[str, str]) -> None:
    if value.get("kind", "").endswith("List"):
        return
    text = yaml.safe_dump(value, default_style='"').encode()
    assert parse(text)[0].object == value


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_no_input_raises_anything_but_a_manifest_error(data: bytes) -> None:
    for is_json in (False, True):
        with contextlib.suppress(ManifestError):
            parse(data, is_json=is_json)


def test_integers_too_long_for_64_bits_become_what_go_makes_of_them() -> None:
    assert values("99999999999999999999999") == pytest.approx(1e23)
    assert values("9" * 5000) == "9" * 5000
    assert parse(b'{"v": 99999999999999999999999}', is_json=True)[0].object["v"] == pytest.approx(1e23)


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999", "9" * 5000])
def test_numbers_json_can_not_hold_are_refused(number: str) -> None:
    assert "not a number" in failure(f'{{"v": {number}}}'.encode(), is_json=True).message


def test_json_is_no_deeper_than_yaml_may_be() -> None:
    assert "levels deep" in failure(b'{"a":' * 500 + b"1" + b"}" * 500, is_json=True).message


def test_half_a_surrogate_pair_is_replaced() -> None:
    value: str = parse(b'{"v": "\\ud800"}', is_json=True)[0].object["v"]
    assert value.encode()


def test_tabs_are_named_as_what_is_wrong() -> None:
    assert "never tabs" in failure(b"a:\n\tb: 1\n").message
