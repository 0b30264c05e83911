"""What was computed for one JSON is found again for the same, is forgotten in time, and never changes an answer."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime

from ktui.engine.api.resources.pod_defaults import default_pod_spec
from ktui.engine.api.seen import Seen
from ktui.engine.api.validation.pod_spec import check_pod_spec
from ktui.engine.api.validation.structure import validate_schema


def test_a_value_is_found_by_the_same_json_and_nothing_else():
    seen: Seen[int] = Seen()
    seen.keep(seen.form({"a": 1}, "pod"), 7)
    assert seen.get(seen.form({"a": 1}, "pod")) == 7
    assert seen.get(seen.form({"a": 1.0}, "pod")) is None
    assert seen.get(seen.form({"a": 1}, "template")) is None


def test_the_oldest_are_forgotten_and_large_ones_not_kept():
    seen: Seen[int] = Seen(kept=4)
    for number in range(9):
        seen.keep(seen.form(number), number)
    assert seen.get(seen.form(0)) is None and seen.get(seen.form(8)) == 8
    seen.keep(seen.form("x" * 20_000), 1)
    assert seen.get(seen.form("x" * 20_000)) is None


def test_a_sound_spec_seen_before_hides_no_error_of_another():
    sound = default_pod_spec({"containers": [{"name": "web", "image": "web:1"}]})
    for _ in range(2):
        assert check_pod_spec(sound, "spec", is_pod=True, pod_name="a") == []
    wrong = deepcopy(sound)
    wrong["containers"][0]["name"] = "Web"
    for _ in range(2):
        assert [c.field for c in check_pod_spec(wrong, "spec", is_pod=True)] == ["spec.containers[0].name"]


def test_a_claim_named_after_its_pod_is_checked_for_each_pod():
    claim = {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}
    spec = default_pod_spec(
        {
            "containers": [{"name": "web", "image": "web:1"}],
            "volumes": [{"name": "data", "ephemeral": {"volumeClaimTemplate": claim}}],
        }
    )
    assert check_pod_spec(spec, "spec", is_pod=True, pod_name="a") == []
    assert check_pod_spec(spec, "spec", is_pod=True, pod_name="a" * 250)


def test_what_only_looks_the_same_as_json_is_still_refused():
    spec = {"containers": [{"name": "web", "image": "2026-01-01T00:00:00Z"}], "hostNetwork": True}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": spec}
    name = "io.k8s.api.core.v1.Pod"
    for _ in range(2):
        assert not validate_schema(name, pod).causes
    as_moment = [{"name": "web", "image": datetime(2026, 1, 1, tzinfo=UTC)}]
    assert validate_schema(name, {**pod, "spec": {**spec, "containers": as_moment}}).causes
    assert validate_schema(name, {**pod, "spec": {**spec, "hostNetwork": 1}}).causes
    assert validate_schema(name, {**pod, "spec": {**spec, "hostNetwork": object()}}).causes
