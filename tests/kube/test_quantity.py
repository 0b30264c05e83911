"""Quantities: read, printed, compared and rounded as Kubernetes does."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ktui.kube.quantity import (
    Format,
    Quantity,
    QuantityError,
    bytes_of,
    canonical,
    cpu_millis,
    parse_quantity,
)


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("0", "0"),
        ("0n", "0"),
        ("-0Ki", "0"),
        ("1", "1"),
        ("0.5", "500m"),
        (".5", "500m"),
        ("1.", "1"),
        ("+1.5", "1500m"),
        ("-1.5", "-1500m"),
        ("100m", "100m"),
        ("1000m", "1"),
        ("1000", "1k"),
        ("1500", "1500"),
        ("1024", "1024"),
        ("1Ki", "1Ki"),
        ("1024Ki", "1Mi"),
        ("1.5Gi", "1536Mi"),
        ("0.5Mi", "512Ki"),
        ("512Mi", "512Mi"),
        ("0.5Ki", "512"),
        ("0.001Ki", "1024m"),
        ("1000Ki", "1000Ki"),
        ("1e3", "1e3"),
        ("1E3", "1e3"),
        ("12e-1", "1200e-3"),
        ("1e18", "1e18"),
        ("1E", "1E"),
        ("100n", "100n"),
        ("0.1n", "1n"),
        ("1.1n", "2n"),
        ("-1.1n", "-2n"),
        ("9223372036854775808", "9223372036854775807"),
        ("10E", "9223372036854775807"),
        ("1e200", "9223372036854775807"),
        ("16Ei", "9223372036854775807"),
    ],
)
def test_prints_the_canonical_form(text: str, printed: str) -> None:
    assert canonical(text) == printed
    assert canonical(printed) == printed


@pytest.mark.parametrize(
    "text",
    ["", " 1", "1 ", "1.1.M", "1+1.0M", "0.1mi", "aoeu", "1i", "-3.01i", "-3.01e-", "1e-", "Ki", ".", "-"],
)
def test_refuses_what_is_no_quantity(text: str) -> None:
    with pytest.raises(QuantityError):
        parse_quantity(text)


def test_numbers_of_json_are_quantities_too() -> None:
    assert canonical(1) == "1"
    assert canonical(0.25) == "250m"


def test_amounts_round_away_from_zero() -> None:
    assert cpu_millis("1u") == 1
    assert cpu_millis("1500m") == 1500
    assert cpu_millis(2) == 2000
    assert bytes_of("1.5Ki") == 1536
    assert bytes_of("100m") == 1
    assert bytes_of(None) == cpu_millis(None) == 0
    assert parse_quantity("-1500m").value == -2


def test_arithmetic_keeps_the_first_format_that_is_not_zero() -> None:
    assert str(parse_quantity("1Gi") + parse_quantity("1Gi")) == "2Gi"
    assert str(Quantity(0) + parse_quantity("1Gi")) == "1Gi"
    assert str(parse_quantity("1") - parse_quantity("250m")) == "750m"
    assert str(Quantity.of(1 << 30, Format.BINARY_SI)) == "1Gi"
    assert str(Quantity.from_millis(1500)) == "1500m"


def test_compares_by_value_whatever_the_suffix() -> None:
    assert parse_quantity("1024") == parse_quantity("1Ki")
    assert hash(parse_quantity("1024")) == hash(parse_quantity("1Ki"))
    assert parse_quantity("1M") < parse_quantity("1Mi") <= parse_quantity("1Mi")


@settings(deadline=None, max_examples=200)
@given(
    st.integers(-(10**12), 10**12),
    st.sampled_from(["n", "u", "m", "", "k", "M", "Ki", "Mi", "Gi", "e3", "e-2", "E6"]),
)
def test_printing_loses_nothing(amount: int, suffix: str) -> None:
    quantity = parse_quantity(f"{amount}{suffix}")
    again = parse_quantity(str(quantity))
    assert again == quantity
    assert str(again) == str(quantity)


@settings(deadline=None, max_examples=100)
@given(st.decimals(-(10**9), 10**9, places=9))
def test_decimals_are_exact(amount: Decimal) -> None:
    assert parse_quantity(f"{amount:f}").decimal == amount
