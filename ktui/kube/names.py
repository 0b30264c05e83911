"""Names: what Kubernetes accepts as a name, label, annotation key, port name or key, and how it makes up new ones.

Each check takes a text and returns the list of what is wrong with it, in the words of apimachinery's
`validation` package; an empty list means that it is fine.
"""

from __future__ import annotations

import ipaddress
import re
import secrets
from typing import Any, Final

import msgspec

_LABEL: Final = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN: Final = rf"{_LABEL}(\.{_LABEL})*"
_DNS_1035: Final = "[a-z]([-a-z0-9]*[a-z0-9])?"
_QUALIFIED: Final = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL_VALUE: Final = f"({_QUALIFIED})?"
_KEY: Final = "[-._a-zA-Z0-9]+"
_HEADER: Final = "[-A-Za-z0-9]+"
_PERCENT: Final = "[0-9]+%"

_label_match = re.compile(_LABEL, re.ASCII).fullmatch
_subdomain_match = re.compile(SUBDOMAIN, re.ASCII).fullmatch
_dns_1035_match = re.compile(_DNS_1035, re.ASCII).fullmatch
_qualified_match = re.compile(_QUALIFIED, re.ASCII).fullmatch
_label_value_match = re.compile(_LABEL_VALUE, re.ASCII).fullmatch
_key_match = re.compile(_KEY, re.ASCII).fullmatch
_header_match = re.compile(_HEADER, re.ASCII).fullmatch
_percent_match = re.compile(_PERCENT, re.ASCII).fullmatch
_environment_match = re.compile(r"[ -<>-~]+").fullmatch

NON_NEGATIVE: Final = "must be greater than or equal to 0"
POSITIVE: Final = "must be greater than zero"
EMPTY: Final = "must be non-empty"

ALPHABET: Final = "bcdfghjklmnpqrstvwxz2456789"
"""The letters of generated names: no vowels and no 0, 1, 3, so that no words come out."""
_GENERATED: Final = 5
_LONGEST_BASE: Final = 63 - _GENERATED


def too_long(most: int) -> str:
    return f"must be no more than {most} characters"


def not_between(low: int, high: int) -> str:
    return f"must be between {low} and {high}, inclusive"


def mismatch(rule: str, pattern: str, *examples: str) -> str:
    """What is wrong with a text that does not match `pattern`, with examples of what would."""
    if not examples:
        return f"{rule} (regex used for validation is '{pattern}')"
    shown = " or ".join(f"'{example}', " for example in examples)
    return f"{rule} (e.g. {shown}regex used for validation is '{pattern}')"


def dns_label(text: str) -> list[str]:
    """RFC 1123 label: names of containers, volumes, namespaces, services."""
    problems = [too_long(63)] if len(text) > 63 else []
    if not _label_match(text):
        if _subdomain_match(text):
            problems.append("must not contain dots")
        else:
            problems.append(
                mismatch(
                    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must "
                    "start and end with an alphanumeric character",
                    _LABEL,
                    "my-name",
                    "123-abc",
                )
            )
    return problems


def dns_subdomain(text: str) -> list[str]:
    """RFC 1123 subdomain: names of most objects."""
    problems = [too_long(253)] if len(text) > 253 else []
    if not _subdomain_match(text):
        problems.append(
            mismatch(
                "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and "
                "must start and end with an alphanumeric character",
                SUBDOMAIN,
                "example.com",
            )
        )
    return problems


def dns_1035_label(text: str) -> list[str]:
    """RFC 1035 label."""
    problems = [too_long(63)] if len(text) > 63 else []
    if not _dns_1035_match(text):
        problems.append(
            mismatch(
                "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
                "alphabetic character, and end with an alphanumeric character",
                _DNS_1035,
                "my-name",
                "abc-123",
            )
        )
    return problems


def path_segment(text: str) -> list[str]:
    """Names that only have to fit into a URL (RBAC)."""
    if text in (".", ".."):
        return [f"may not be '{text}'"]
    return [f"may not contain '{character}'" for character in "/%" if character in text]


def qualified_name(text: str) -> list[str]:
    """`[prefix/]name`: keys of labels and annotations, resource names, condition types."""
    prefix, slash, name = text.rpartition("/")
    problems: list[str] = []
    if "/" in prefix:
        return [
            "a qualified name "
            + _qualified_mismatch()
            + " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        ]
    if slash:
        if not prefix:
            problems.append(f"prefix part {EMPTY}")
        else:
            problems += [f"prefix part {problem}" for problem in dns_subdomain(prefix)]
    if not name:
        problems.append(f"name part {EMPTY}")
    elif len(name) > 63:
        problems.append(f"name part {too_long(63)}")
    if not _qualified_match(name):
        problems.append("name part " + _qualified_mismatch())
    return problems


def _qualified_mismatch() -> str:
    return mismatch(
        "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
        "character",
        _QUALIFIED,
        "MyName",
        "my.name",
        "123-abc",
    )


def label_value(text: str) -> list[str]:
    problems = [too_long(63)] if len(text) > 63 else []
    if not _label_value_match(text):
        problems.append(
            mismatch(
                "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and "
                "must start and end with an alphanumeric character",
                _LABEL_VALUE,
                "MyValue",
                "my_value",
                "12345",
            )
        )
    return problems


def port_name(text: str) -> list[str]:
    """IANA service name: names of container ports."""
    problems: list[str] = []
    if len(text) > 15:
        problems.append(too_long(15))
    if not re.fullmatch("[-a-z0-9]+", text, re.ASCII):
        problems.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search("[a-z]", text):
        problems.append("must contain at least one letter (a-z)")
    if "--" in text:
        problems.append("must not contain consecutive hyphens")
    if text.startswith("-") or text.endswith("-"):
        problems.append("must not begin or end with a hyphen")
    return problems


def port_number(port: int) -> list[str]:
    return [] if 1 <= port <= 65535 else [not_between(1, 65535)]


def environment_name(text: str) -> list[str]:
    """Name of an environment variable."""
    if not text:
        return ["environment variable name " + EMPTY]
    if not _environment_match(text):
        return [
            "a valid environment variable name must consist only of printable ASCII characters other than '='"
        ]
    return []


def data_key(text: str) -> list[str]:
    """Key of a ConfigMap or Secret, which becomes a file name."""
    problems = [too_long(253)] if len(text) > 253 else []
    if not _key_match(text):
        problems.append(
            mismatch(
                "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
                _KEY,
                "key.name",
                "KEY_NAME",
                "key-name",
            )
        )
    if text == ".":
        problems.append("must not be '.'")
    elif text == "..":
        problems.append("must not be '..'")
    elif text.startswith(".."):
        problems.append("must not start with '..'")
    return problems


def http_header_name(text: str) -> list[str]:
    if _header_match(text):
        return []
    return [
        mismatch(
            "a valid HTTP header must consist of alphanumeric characters or '-'", _HEADER, "X-Header-Name"
        )
    ]


def percent(text: str) -> list[str]:
    if _percent_match(text):
        return []
    return [
        mismatch(
            "a valid percent string must be a numeric string followed by an ending '%'", _PERCENT, "1%", "93%"
        )
    ]


def ip_address(text: str) -> list[str]:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]
    return []


def prefix_of_name(text: str) -> str:
    """`generateName` as it has to be checked: with its trailing dash replaced by a letter."""
    return text[:-1] + "a" if len(text) > 1 and text.endswith("-") else text


def random_suffix(length: int = _GENERATED) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def generate_name(base: str) -> str:
    """A name from `metadata.generateName`: the base, cut to 58 characters, and five random letters."""
    return base[:_LONGEST_BASE] + random_suffix()


def safe_encode(text: str) -> str:
    """Spell any text in the letters of generated names, as Kubernetes does with hashes in names."""
    return "".join(ALPHABET[ord(character) % len(ALPHABET)] for character in text)


def fnv32a(data: bytes) -> int:
    """The 32-bit FNV-1a hash."""
    value = 0x811C9DC5
    for byte in data:
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value


def hash_name(data: Any, collision_count: int | None = None) -> str:
    """A short name for a value (`pod-template-hash`): equal for equal JSON, whatever the order of its keys."""
    encoded = msgspec.json.encode(data, order="deterministic")
    if collision_count is not None:
        encoded += collision_count.to_bytes(8, "little")
    return safe_encode(str(fnv32a(encoded)))
