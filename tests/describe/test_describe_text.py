"""Columns, times, quality of service, shares: the small parts of a description."""

from __future__ import annotations

from datetime import timedelta, timezone

import pytest

from ktui.describe.containers import probe_text, resource_field
from ktui.describe.generic import label_for
from ktui.describe.node import pod_amounts, share
from ktui.describe.pod import qos_class
from ktui.describe.text import Text, aligned
from ktui.kube.clock import parse_time
from ktui.kube.quantity import parse_quantity


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("a\tb\nccc\td\n", "a    b\nccc  d\n"),
        ("a\tb\nplain\nccc\td\n", "a  b\nplain\nccc  d\n"),
        ("a\t\tb\nccc\tdd\te\n", "a        b\nccc  dd  e\n"),
        ("a\tb\tc\nlonger\td\n", "a       b  c\nlonger  d\n"),
        ("x\ty\tz\nx\nx\tyyy\tz\n", "x  y  z\nx\nx  yyy  z\n"),
        ("trailing\t\nb\t\n", "trailing  \nb         \n"),
        ("ü\tx\nüü\ty\n", "ü   x\nüü  y\n"),
    ],
)
def test_columns_line_up_as_in_gos_tabwriter(text, expected):
    assert aligned(text) == expected


def test_a_line_of_very_many_columns_is_no_trouble():
    assert aligned("\t".join("x" * 20_000)) == "  ".join("x" * 20_000)


def test_flushed_lines_do_not_widen_what_follows():
    out = Text(parse_time("2026-03-01T12:00:00Z"))
    out.row("very long indeed", "x")
    out.flush()
    out.row("a", "b")
    assert str(out) == "very long indeed  x\na  b\n"


def test_times_are_shown_in_the_readers_zone():
    out = Text(parse_time("2026-03-01T12:00:00Z").astimezone(timezone(timedelta(hours=2))))
    assert out.time("2026-03-01T23:30:00Z") == "Mon, 02 Mar 2026 01:30:00 +0200"
    assert out.time(None) == "Mon, 01 Jan 0001 00:00:00 +0000"


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("lastTransitionTime", "Last Transition Time"),
        ("apiVersion", "API Version"),
        ("uid", "UID"),
        ("podIPs", "Pod I Ps"),
        ("hostIP", "Host IP"),
        ("pod-template-hash", "Pod - Template - Hash"),
        ("app.kubernetes.io/name", "app.kubernetes.io/name"),
        ("ipv4", "ipv4"),
        ("Ready", "Ready"),
    ],
)
def test_field_names_become_labels(name, label):
    assert label_for(name) == label


def containers(*resources):
    return {"containers": [{"name": str(i), "resources": r} for i, r in enumerate(resources)]}


FULL = {"limits": {"cpu": "1", "memory": "1Gi"}}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (containers({}), "BestEffort"),
        (containers({"requests": {"cpu": "0"}}), "BestEffort"),
        (containers({"requests": {"cpu": "1"}}), "Burstable"),
        (containers(FULL), "Guaranteed"),
        (containers({**FULL, "requests": {"cpu": "1000m"}}), "Guaranteed"),
        (containers({**FULL, "requests": {"cpu": "500m"}}), "Burstable"),
        (containers(FULL, {}), "Burstable"),
        (containers({"limits": {"ephemeral-storage": "1Gi"}}), "BestEffort"),
    ],
)
def test_quality_of_service(spec, expected):
    assert qos_class(spec) == expected


@pytest.mark.parametrize(
    ("probe", "expected"),
    [
        (
            {"httpGet": {"path": "/x", "port": "http", "scheme": "HTTPS", "host": "h"}},
            "http-get https://h:http/x",
        ),
        ({"httpGet": {"port": 80, "scheme": "HTTP"}}, "http-get http://:80"),
        ({"exec": {"command": ["a", "b c"]}}, "exec [a b c]"),
        ({"tcpSocket": {"port": 1}}, "tcp-socket :1"),
        ({"grpc": {"port": 9, "service": ""}}, "grpc <pod>:9 "),
        ({}, "unknown"),
    ],
)
def test_probes_in_one_line(probe, expected):
    timing = "delay=0s timeout=1s period=10s #success=0 #failure=0"
    assert probe_text({**probe, "timeoutSeconds": 1, "periodSeconds": 10}) == f"{expected} {timing}"


def test_resource_fields_are_rounded_up_to_the_divisor():
    container = {"resources": {"limits": {"cpu": "1500m", "memory": "1.5Gi"}}}
    assert resource_field(container, "limits.cpu", None) == "2"
    assert resource_field(container, "limits.cpu", "1m") == "1500"
    assert resource_field(container, "limits.memory", "1Gi") == "2"
    assert resource_field(container, "requests.memory", "0") == "0"


def test_a_pods_requests_are_those_of_its_hungriest_moment():
    def container(cpu, **fields):
        return {"resources": {"requests": {"cpu": cpu}}, **fields}

    spec = {
        "initContainers": [container("2"), container("200m", restartPolicy="Always"), container("3")],
        "containers": [container("100m"), container("1")],
        "overhead": {"cpu": "10m"},
    }
    assert pod_amounts({"spec": spec}, "requests") == {"cpu": parse_quantity("3210m")}
    assert pod_amounts({"spec": spec}, "limits") == {}


def test_shares_are_whole_percents():
    assert share(parse_quantity("250m"), parse_quantity("2")) == "250m (12%)"
    assert share(parse_quantity("1"), parse_quantity("0")) == "1 (0%)"
