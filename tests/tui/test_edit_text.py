"""The text of an edit: what is read back, what is refused, and the patch of just the difference."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ktui.kube.resource import Object
from ktui.screens import edit_text
from ktui.screens.edit_text import EditError

POD: Object = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "web",
        "namespace": "default",
        "uid": "u1",
        "resourceVersion": "7",
        "managedFields": [{}],
    },
    "spec": {"containers": [{"name": "main", "image": "shop:1"}], "nodeName": "node-1"},
}


def test_an_unchanged_text_is_no_patch() -> None:
    text = edit_text.edit_text(POD, ["spec: bad\nreally"])
    assert "# spec: bad\n# really\n" in text
    assert "managedFields" not in text
    after = edit_text.read_edit(text, POD)
    assert after is not None
    assert edit_text.user_patch(POD, after) == {}
    assert edit_text.without_header(text).startswith("apiVersion")


def test_a_patch_holds_only_what_changed() -> None:
    text = edit_text.edit_text(POD).replace("shop:1", "shop:2").replace("  nodeName: node-1\n", "")
    after = edit_text.read_edit(text.replace("  uid: u1", "  uid: u1\n  labels: {a: b}"), POD)
    assert after is not None
    patch = edit_text.user_patch(POD, after)
    assert patch == {
        "metadata": {"labels": {"a": "b"}},
        "spec": {"containers": [{"name": "main", "image": "shop:2"}], "nodeName": None},
    }
    assert "spec.nodeName: node-1 -> (none)" in edit_text.changed_paths(POD, after)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "line 2"),
        ("a: 1\na: 2\n", "line 2, column 1"),
        (edit_text.edit_text(POD).replace("kind: Pod", "kind: Job"), "kind can't be changed"),
        (edit_text.edit_text(POD).replace("name: web", "name: other"), "metadata.name can't be changed"),
        (edit_text.edit_text(POD) + "---\na: 1\n", "one object at a time"),
    ],
)
def test_what_cant_be_used_says_where(text: str, message: str) -> None:
    with pytest.raises(EditError, match=message):
        edit_text.read_edit(text, POD)


def test_an_empty_file_aborts() -> None:
    assert edit_text.read_edit("# only comments\n", POD) is None


VALUES = st.recursive(
    st.booleans() | st.integers(0, 3) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("xyz", min_size=1, max_size=1), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
OBJECTS = st.dictionaries(st.text("xyz", min_size=1, max_size=1), VALUES, max_size=3)


@settings(max_examples=100, deadline=None)
@given(OBJECTS, OBJECTS)
def test_a_patch_leads_from_one_to_the_other(before: Object, after: Object) -> None:
    assert edit_text.apply_merge_patch(before, edit_text.merge_patch(before, after)) == after
