"""Label and field selectors: parsed, matched and printed as apimachinery does."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lightkube.models.meta_v1 import LabelSelector, LabelSelectorRequirement

from ktui.kube.selector import EVERYTHING, NOTHING, FieldSelector, Requirement, Selector, SelectorError

WEB = {"app": "web", "tier": "front", "n": "5", "empty": ""}


@pytest.mark.parametrize(
    ("query", "matches"),
    [
        ("", True),
        ("  ", True),
        ("app", True),
        ("!app", False),
        ("!none", True),
        ("! none", True),
        ("app=web", True),
        ("app==web", True),
        ("app = web , tier!=back", True),
        ("app!=web", False),
        ("none!=web", True),
        ("app in (web,db)", True),
        ("app in ( db )", False),
        ("app notin (db)", True),
        ("none notin (db)", True),
        ("none in (db)", False),
        ("in in (a)", False),
        ("app in (web),tier notin (back),!x", True),
        ("empty=", True),
        ("app=", False),
        ("empty in ()", True),
        ("n>4", True),
        ("n<5", False),
        ("app>4", False),
        ("example.com/x=y", False),
    ],
)
def test_matches_labels(query: str, matches: bool) -> None:
    assert Selector.parse(query).matches(WEB) is matches


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("app not in (a)", "found 'not', expected: '=', '!=', '==', 'in', notin'"),
        ("app=a b", "found 'b', expected: ',' or 'end of string'"),
        ("app,", "found '', expected: identifier after ','"),
        ("=a", "found '=', expected: identifier"),
        ("app in a", "found 'a' expected: '('"),
        ("app in (a", "found '', expected: ',', ')' or identifier"),
        ("a/b/c=d", 'key: Invalid value: "a/b/c": a qualified name must consist'),
        ("app=a_", "a valid label must be an empty string or consist"),
        ("n>x", "the value must be an integer"),
    ],
)
def test_says_what_is_wrong_with_a_query(query: str, problem: str) -> None:
    with pytest.raises(SelectorError) as failure:
        Selector.parse(query)
    assert str(failure.value).startswith("unable to parse requirement: ")
    assert problem in str(failure.value)


def test_prints_sorted_by_key() -> None:
    assert str(Selector.parse("z in (b,a), a=1, !m, k, c!=d, e notin (f)")) == (
        "a=1,c!=d,e notin (f),k,!m,z in (a,b)"
    )


@pytest.mark.parametrize("typed", [False, True])
def test_reads_a_label_selector_of_an_object(typed: bool) -> None:
    data = {
        "matchLabels": {"app": "web"},
        "matchExpressions": [
            {"key": "tier", "operator": "In", "values": ["front", "back"]},
            {"key": "legacy", "operator": "DoesNotExist"},
            {"key": "n", "operator": "Exists"},
            {"key": "zone", "operator": "NotIn", "values": ["x"]},
        ],
    }
    typed_selector = LabelSelector(
        matchLabels={"app": "web"},
        matchExpressions=[
            LabelSelectorRequirement(e["key"], e["operator"], e.get("values"))
            for e in data["matchExpressions"]
        ],
    )
    selector = Selector.of(typed_selector if typed else data)
    assert str(selector) == "app=web,!legacy,n,tier in (back,front),zone notin (x)"
    assert selector.matches(WEB)
    assert not selector.matches({**WEB, "legacy": ""})


def test_an_empty_selector_matches_everything_and_none_nothing() -> None:
    assert Selector.of({}) == EVERYTHING
    assert Selector.of({}).matches(None)
    assert Selector.of(None) == NOTHING
    assert not Selector.of(None).matches({})
    assert Selector.parse("").empty and not NOTHING.empty


def test_an_unknown_operator_is_refused() -> None:
    with pytest.raises(SelectorError, match='"Like" is not a valid label selector operator'):
        Selector.of({"matchExpressions": [{"key": "a", "operator": "Like"}]})


_name = st.from_regex(r"[a-z]([a-z0-9]{0,8}[a-z0-9])?", fullmatch=True).filter(
    lambda name: name not in ("in", "notin")
)
_requirement = st.one_of(
    st.builds(lambda k, o, v: Requirement(k, o, (v,)), _name, st.sampled_from(["=", "==", "!="]), _name),
    st.builds(
        lambda k, o, v: Requirement(k, o, tuple(sorted(v))),
        _name,
        st.sampled_from(["in", "notin"]),
        st.sets(_name, min_size=1, max_size=3),
    ),
    st.builds(lambda k, o: Requirement(k, o), _name, st.sampled_from(["exists", "!"])),
)


@settings(deadline=None, max_examples=100)
@given(st.lists(_requirement, min_size=1, max_size=4))
def test_what_is_printed_reads_back(requirements: list[Requirement]) -> None:
    selector = Selector(tuple(sorted(requirements, key=lambda r: r.key)))
    assert Selector.parse(str(selector)) == selector


FIELDS = {"status.phase": "Running", "spec.nodeName": "", "metadata.name": "a,b=c"}


@pytest.mark.parametrize(
    ("query", "matches"),
    [
        ("", True),
        ("status.phase=Running", True),
        ("status.phase==Running,spec.nodeName=", True),
        ("status.phase!=Running", False),
        ("spec.nodeName!=", False),
        (r"metadata.name=a\,b\=c", True),
    ],
)
def test_matches_fields(query: str, matches: bool) -> None:
    selector = FieldSelector.parse(query)
    assert selector.matches(lambda field: FIELDS.get(field, "")) is matches
    assert FieldSelector.parse(str(selector)) == selector


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("status.phase", "invalid selector: 'status.phase'; can't understand 'status.phase'"),
        (r"a=b\c", r"invalid field selector: invalid escape sequence: b\c"),
        ("a=b=c", "invalid field selector: unescaped character in value: ="),
    ],
)
def test_says_what_is_wrong_with_a_field_query(query: str, problem: str) -> None:
    with pytest.raises(SelectorError) as failure:
        FieldSelector.parse(query)
    assert str(failure.value) == problem


def test_finds_the_name_asked_for() -> None:
    selector = FieldSelector.parse("metadata.name=x,metadata.namespace!=y")
    assert selector.exact("metadata.name") == "x"
    assert selector.exact("metadata.namespace") is None
