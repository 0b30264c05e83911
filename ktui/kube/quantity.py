"""Kubernetes quantities (`500m`, `1Gi`, `2e3`): exact numbers that print as kube-apiserver prints them.

A quantity is kept as an integer of nanos, the finest Kubernetes knows, and the family of suffixes it was
written with, because `1Gi` stays binary and `1G` decimal when sums are printed. What cannot be represented is
rounded away from zero or capped at 2^63-1, as apimachinery `resource.Quantity` does.
"""

from __future__ import annotations

import re
from decimal import Decimal
from enum import Enum
from functools import lru_cache, total_ordering
from typing import Final, TypeAlias

QuantityLike: TypeAlias = "str | int | float | Quantity"
"""What may stand where JSON has a quantity."""

_NANO: Final = 10**9
_LARGEST: Final = (2**63 - 1) * _NANO
_PATTERN: Final = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?([eEinumkKMGTP]*)([+-]?[0-9]*)", re.ASCII)
_DECIMAL: Final = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY: Final = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL_SUFFIX: Final = {exponent: suffix for suffix, exponent in _DECIMAL.items()}
_BINARY_SUFFIX: Final = {0: "", **{exponent: suffix for suffix, exponent in _BINARY.items()}}

WRONG_FORMAT: Final = (
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
)
WRONG_NUMBER: Final = "unable to parse numeric part of quantity"
WRONG_SUFFIX: Final = "unable to parse quantity's suffix"


class QuantityError(ValueError):
    """A text that is no quantity; the message is kube-apiserver's."""


class Format(Enum):
    """The family of suffixes a quantity is written with."""

    BINARY_SI = "BinarySI"
    DECIMAL_SI = "DecimalSI"
    DECIMAL_EXPONENT = "DecimalExponent"


@total_ordering
class Quantity:
    """An exact amount. Compares, hashes and adds by value; `str()` gives the canonical form."""

    __slots__ = ("format", "nanos")

    def __init__(self, nanos: int, format: Format = Format.DECIMAL_SI) -> None:  # noqa: A002 - Kubernetes' name for it
        self.nanos: Final = nanos
        self.format: Final = format

    @classmethod
    def of(cls, amount: int, format: Format = Format.DECIMAL_SI) -> Quantity:  # noqa: A002 - Kubernetes' name for it
        """A whole amount: `Quantity.of(1 << 30, Format.BINARY_SI)` is `1Gi`."""
        return cls(amount * _NANO, format)

    @classmethod
    def from_millis(cls, millis: int) -> Quantity:
        """Thousandths: `Quantity.from_millis(1500)` is `1500m`."""
        return cls(millis * 10**6)

    @property
    def value(self) -> int:
        """The amount as a whole number, rounded away from zero (Go's `Value()`)."""
        return _divide_up(self.nanos, _NANO)

    @property
    def millis(self) -> int:
        """Thousandths, rounded away from zero (Go's `MilliValue()`)."""
        return _divide_up(self.nanos, 10**6)

    @property
    def decimal(self) -> Decimal:
        """The exact amount."""
        return Decimal(self.nanos).scaleb(-9)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Quantity) and self.nanos == other.nanos

    def __lt__(self, other: Quantity) -> bool:
        return self.nanos < other.nanos

    def __hash__(self) -> int:
        return hash(self.nanos)

    def __bool__(self) -> bool:
        return self.nanos != 0

    def __neg__(self) -> Quantity:
        return Quantity(-self.nanos, self.format)

    def __add__(self, other: Quantity) -> Quantity:
        return Quantity(self.nanos + other.nanos, self.format if self.nanos else other.format)

    def __sub__(self, other: Quantity) -> Quantity:
        return Quantity(self.nanos - other.nanos, self.format if self.nanos else other.format)

    def __str__(self) -> str:
        if self.format is Format.BINARY_SI and abs(self.nanos) >= 1024 * _NANO:
            return _binary(self.value)
        return _decimal(self.nanos, exponent_form=self.format is Format.DECIMAL_EXPONENT)

    def __repr__(self) -> str:
        return f"Quantity({str(self)!r})"


def parse_quantity(text: QuantityLike) -> Quantity:
    """Read a quantity; JSON numbers are allowed where Kubernetes allows them. Raises QuantityError."""
    if isinstance(text, Quantity):
        return text
    return _parse(text if isinstance(text, str) else repr(text))


def canonical(text: QuantityLike) -> str:
    """The form in which the API stores and prints a quantity: `0.5` is `500m`, `1024Mi` is `1Gi`."""
    return _canonical(text) if isinstance(text, str) else str(parse_quantity(text))


def cpu_millis(text: QuantityLike | None) -> int:
    """CPU as thousandths of a core, rounded up; 0 for none."""
    return 0 if text is None else parse_quantity(text).millis


def bytes_of(text: QuantityLike | None) -> int:
    """Memory or storage in bytes, rounded up; 0 for none."""
    return 0 if text is None else parse_quantity(text).value


@lru_cache(maxsize=4096)
def _canonical(text: str) -> str:
    return str(_parse(text))


@lru_cache(maxsize=4096)
def _parse(text: str) -> Quantity:
    match = _PATTERN.fullmatch(text)
    if not text or match is None:
        raise QuantityError(WRONG_FORMAT)
    sign, whole, fraction, letters, exponent_digits = match.groups()
    fraction = fraction or ""
    suffix = letters + exponent_digits
    if suffix in _BINARY:
        form, power, binary = Format.BINARY_SI, 0, _BINARY[suffix]
    elif suffix in _DECIMAL:
        form, power, binary = Format.DECIMAL_SI, _DECIMAL[suffix], 0
    elif letters in ("e", "E") and exponent_digits.lstrip("+-"):
        form, power, binary = Format.DECIMAL_EXPONENT, int(exponent_digits), 0
    else:
        raise QuantityError(WRONG_SUFFIX)
    if not whole + fraction:
        raise QuantityError(WRONG_NUMBER)
    nanos = _scaled(int(whole + fraction), power - len(fraction) + 9, binary)
    if form is Format.BINARY_SI and 0 < nanos < _NANO:
        form = Format.DECIMAL_SI
    return Quantity(-nanos if sign == "-" else nanos, form)


def _scaled(digits: int, power: int, binary: int) -> int:
    """digits · 10^power · 2^binary, rounded up and capped."""
    if digits == 0:
        return 0
    if power > 40:
        return _LARGEST
    if power < -4000:
        return 1
    amount = digits << binary
    amount = amount * 10**power if power >= 0 else -(-amount // 10**-power)
    return min(amount, _LARGEST)


def _divide_up(amount: int, by: int) -> int:
    return -(-amount // by) if amount >= 0 else amount // by


def _binary(amount: int) -> str:
    shift = 0
    while shift < 60 and amount % 1024 == 0:
        amount //= 1024
        shift += 10
    return f"{amount}{_BINARY_SUFFIX[shift]}"


def _decimal(nanos: int, *, exponent_form: bool) -> str:
    if nanos == 0:
        return "0"
    exponent = -9
    while exponent < 18 and nanos % 1000 == 0:
        nanos //= 1000
        exponent += 3
    if exponent_form:
        return f"{nanos}e{exponent}" if exponent else str(nanos)
    return f"{nanos}{_DECIMAL_SUFFIX[exponent]}"
