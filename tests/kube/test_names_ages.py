"""Names, ages, IntOrString: Kubernetes' rules and words."""

from datetime import UTC, datetime, timedelta

import pytest

from ktui.kube import names
from ktui.kube.age import age, human_duration
from ktui.kube.intorstring import percent_of, scaled

LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
QUALIFIED = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
    "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)


@pytest.mark.parametrize(
    ("check", "text", "problems"),
    [
        (names.dns_label, "web-1", []),
        (names.dns_label, "Web", [LABEL]),
        (names.dns_label, "a\n", [LABEL]),
        (names.dns_label, "a.b", ["must not contain dots"]),
        (names.dns_label, "a" * 64, ["must be no more than 63 characters"]),
        (names.dns_subdomain, "a.b-c.d", []),
        (names.dns_subdomain, "a" * 254, ["must be no more than 253 characters"]),
        (
            names.dns_subdomain,
            "a..b",
            [
                "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and "
                "must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
                r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
            ],
        ),
        (names.dns_1035_label, "a-1", []),
        (
            names.dns_1035_label,
            "1a",
            [
                "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
                "character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for "
                "validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
            ],
        ),
        (names.qualified_name, "example.com/Name_1", []),
        (names.qualified_name, "-a", ["name part " + QUALIFIED]),
        (names.qualified_name, "a/", ["name part must be non-empty", "name part " + QUALIFIED]),
        (names.qualified_name, "/a", ["prefix part must be non-empty"]),
        (
            names.qualified_name,
            "a/b/c",
            [
                f"a qualified name {QUALIFIED} with an optional DNS subdomain prefix and '/' "
                "(e.g. 'example.com/MyName')"
            ],
        ),
        (names.label_value, "", []),
        (names.label_value, "a" * 64, ["must be no more than 63 characters"]),
        (names.port_name, "http", []),
        (names.port_name, "80", ["must contain at least one letter (a-z)"]),
        (names.port_name, "a--b", ["must not contain consecutive hyphens"]),
        (names.port_name, "averyveryverylongname", ["must be no more than 15 characters"]),
        (names.port_number, 0, ["must be between 1 and 65535, inclusive"]),
        (names.environment_name, "A.b c", []),
        (
            names.environment_name,
            "a=b",
            [
                "a valid environment variable name must consist only of printable ASCII characters other than '='"
            ],
        ),
        (names.data_key, "..", ["must not be '..'"]),
        (names.data_key, "..a", ["must not start with '..'"]),
        (names.data_key, "app.conf", []),
        (names.ip_address, "10.0.0.1", []),
        (names.ip_address, "x", ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]),
        (names.http_header_name, "X-A", []),
        (names.percent, "25%", []),
        (names.path_segment, "a/b", ["may not contain '/'"]),
    ],
)
def test_names_are_checked_in_kubernetes_words(check, text, problems) -> None:
    assert check(text) == problems


def test_generated_names_are_short_valid_and_differ() -> None:
    made = {names.generate_name("web-") for _ in range(50)}
    assert len(made) == 50
    assert all(not names.dns_label(name) and len(name) == 9 for name in made)
    assert len(names.generate_name("x" * 80)) == 63


def test_hashes_ignore_the_order_of_keys_and_change_on_collision() -> None:
    first = names.hash_name({"a": 1, "b": [2]})
    assert first == names.hash_name({"b": [2], "a": 1})
    assert first != names.hash_name({"a": 1, "b": [2]}, collision_count=0)
    assert not names.label_value(first)
    assert names.safe_encode("0123456789") == "456789bcdf"
    assert names.fnv32a(b"hello") == 0x4F9F2CAB


@pytest.mark.parametrize(
    ("seconds", "printed"),
    [
        (-2.1, "<invalid>"),
        (-1.5, "0s"),
        (-0.5, "0s"),
        (0, "0s"),
        (45.9, "45s"),
        (119, "119s"),
        (120, "2m"),
        (192, "3m12s"),
        (600, "10m"),
        (3 * 3600 - 1, "179m"),
        (3 * 3600, "3h"),
        (5 * 3600 + 60, "5h1m"),
        (8 * 3600 + 60, "8h"),
        (47 * 3600, "47h"),
        (48 * 3600, "2d"),
        (51 * 3600, "2d3h"),
        (8 * 86400 + 3600, "8d"),
        (729 * 86400, "729d"),
        (731 * 86400, "2y1d"),
        (8 * 365 * 86400, "8y"),
    ],
)
def test_durations_print_as_kubectl_prints_them(seconds: float, printed: str) -> None:
    assert human_duration(seconds) == printed


def test_ages_count_from_a_timestamp() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert age("2025-12-31T23:59:15Z", now) == "45s"
    assert age(now - timedelta(minutes=3, seconds=12), now) == "3m12s"
    assert age(None, now) == age("", now) == age("nonsense", now) == "<unknown>"


def test_percentages_scale_with_rounding() -> None:
    assert scaled("25%", 10, round_up=True) == 3
    assert scaled("25%", 10, round_up=False) == 2
    assert scaled(4, 10, round_up=False) == 4
    assert percent_of("30%") == 30
    assert percent_of(30) is percent_of("x%") is percent_of(None) is None
    with pytest.raises(ValueError, match="string is not a percentage"):
        scaled("25", 10, round_up=True)
