"""Certificate requests and PEM text read into plain values, for those who check, describe and sign them.

`cryptography` is imported when something is read, not before: commands that read none start without it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

_BLOCK: Final = re.compile(
    rb"-----BEGIN ([A-Z0-9 ]+)-----\s*?\n(.*?)\n?-----END \1-----", re.DOTALL | re.ASCII
)
_HEADER: Final = re.compile(rb"^[\w-]+:", re.MULTILINE)
_SUBJECT: Final = {
    "2.5.4.10": "organizations",
    "2.5.4.11": "organizational_units",
    "2.5.4.6": "countries",
    "2.5.4.7": "localities",
    "2.5.4.8": "provinces",
    "2.5.4.9": "street_addresses",
    "2.5.4.17": "postal_codes",
}
_COMMON_NAME, _SERIAL_NUMBER = "2.5.4.3", "2.5.4.5"


class PemError(ValueError):
    """The text holds not what it should; the message says what is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRequest:
    """What a PKCS#10 request asks a certificate for."""

    common_name: str = ""
    serial_number: str = ""
    organizations: tuple[str, ...] = ()
    organizational_units: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    localities: tuple[str, ...] = ()
    provinces: tuple[str, ...] = ()
    street_addresses: tuple[str, ...] = ()
    postal_codes: tuple[str, ...] = ()
    dns_names: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    ips: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()


class PemBlock(NamedTuple):
    """One block of a PEM text."""

    kind: str
    """What its first line says it is: CERTIFICATE."""
    has_headers: bool
    text: bytes
    """The whole block."""


def blocks(data: bytes) -> list[PemBlock]:
    """The PEM blocks in `data`; what is between them is skipped."""
    return [
        PemBlock(match[1].decode(), _HEADER.search(match[2]) is not None, match[0])
        for match in _BLOCK.finditer(data)
    ]


def pem_blocks(data: bytes) -> list[str]:
    """The kinds of the PEM blocks in `data`; raises PemError for a certificate that can't be read."""
    found = blocks(data)
    for block in found:
        if block.has_headers:
            raise PemError("no PEM block headers are permitted")
        if block.kind == "CERTIFICATE":
            _read_certificate(block.text)
    return [block.kind for block in found]


def _read_certificate(block: bytes) -> None:
    from cryptography import x509

    try:
        x509.load_pem_x509_certificate(block)
    except ValueError as error:
        raise PemError(f"x509: {error}") from None


def expires(pem: bytes) -> datetime:
    """When the certificate in a PEM text ends (UTC); raises PemError."""
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificate(pem).not_valid_after_utc
    except ValueError as error:
        raise PemError(f"x509: {error}") from None


def read_request(pem: bytes) -> CertificateRequest:
    """The request in a PEM text, signed by the key it names; raises PemError."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm

    match = _BLOCK.search(pem)
    if match is None or match[1] != b"CERTIFICATE REQUEST":
        raise PemError("PEM block type must be CERTIFICATE REQUEST")
    try:
        request = x509.load_pem_x509_csr(match[0])
        is_signed = request.is_signature_valid
        subject = [(attribute.oid.dotted_string, str(attribute.value)) for attribute in request.subject]
        names = _alternative_names(request)
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension) as error:
        raise PemError(f"x509: the certificate request can't be read: {error}") from None
    if not is_signed:
        raise PemError("x509: the request's signature does not fit its key")
    fields: dict[str, tuple[str, ...]] = {
        name: tuple(value for found, value in subject if found == oid) for oid, name in _SUBJECT.items()
    }
    return CertificateRequest(
        common_name=next((value for oid, value in reversed(subject) if oid == _COMMON_NAME), ""),
        serial_number=next((value for oid, value in reversed(subject) if oid == _SERIAL_NUMBER), ""),
        **fields,
        **names,
    )


def _alternative_names(request: object) -> dict[str, tuple[str, ...]]:
    from cryptography import x509

    assert isinstance(request, x509.CertificateSigningRequest)
    try:
        found = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return {}
    return {
        "dns_names": tuple(found.get_values_for_type(x509.DNSName)),
        "emails": tuple(found.get_values_for_type(x509.RFC822Name)),
        "uris": tuple(found.get_values_for_type(x509.UniformResourceIdentifier)),
        "ips": tuple(str(address) for address in found.get_values_for_type(x509.IPAddress)),
    }
