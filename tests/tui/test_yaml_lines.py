"""YAML as lines: what is coloured how, and what folds into what."""

from __future__ import annotations

import re

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.style import Style

from ktui.kube.yaml_text import to_yaml
from ktui.widgets.yaml_lines import fold_ranges, paint_yaml, text_blocks

POD = """\
apiVersion: v1
metadata:
  annotations:
    note: |-
      first: line
      - second
    url: "http://x#y" # said so
  name: web
spec:
  containers:
  - image: shop:1
    name: main
    ports:
    - containerPort: 80
  - name: side
  empty: {}
"""


def kinds(line: str) -> list[tuple[str, str]]:
    names: dict[Style, str] = {}

    def style(name: str) -> Style:
        made = Style(meta={"name": name})
        names[made] = name
        return made

    text = paint_yaml(line, style)
    assert text.plain == line
    found: list[tuple[str, str]] = []
    for span in text.spans:
        assert isinstance(span.style, Style)
        found.append((text.plain[span.start : span.end].strip(), span.style.meta["name"]))
    return [(part, name) for part, name in found if part and name != "dim"]


def test_folds_follow_the_structure() -> None:
    lines = POD.splitlines()
    folds = {lines[head].strip(): last for head, last in fold_ranges(lines).items()}
    assert folds == {
        "metadata:": 7,
        "annotations:": 6,
        "note: |-": 5,
        "spec:": 15,
        "containers:": 14,
        "- image: shop:1": 13,
        "ports:": 13,
    }
    assert text_blocks(lines) == {4, 5}


def test_keys_values_and_comments_are_told_apart() -> None:
    assert kinds('  url: "http://x#y" # said so') == [("url", "key"), ('"http://x#y"', "string")]
    assert kinds("  - image: shop:1") == [("image", "key"), ("shop:1", "string")]
    assert kinds("replicas: 3") == [("replicas", "key"), ("3", "number")]
    assert kinds("paused: true") == [("paused", "key"), ("true", "word")]
    assert kinds("- plain:text") == [("plain:text", "string")]
    assert kinds("f:metadata:") == [("f:metadata", "key")]
    assert kinds("# all of it") == []


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 99) | st.text("ab: #-\n'\"", max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("kx.:/ -", min_size=1, max_size=4), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(st.dictionaries(st.text("abc", min_size=1, max_size=3), VALUES, max_size=3))
def test_any_yaml_can_be_shown_and_folded(obj: dict[str, object]) -> None:
    text = to_yaml(obj)
    assert yaml.safe_load(text) == obj
    lines = re.split("\n", text)
    for line in lines:
        assert paint_yaml(line, lambda name: Style()).plain == line
    for head, last in fold_ranges(lines).items():
        assert head < last < len(lines)
