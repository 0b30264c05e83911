"""Certificates as pure values: an authority, and what it signs for servers and clients.

Keys are ECDSA on P-256, quick to make and known to every TLS stack. A `Pair` is a certificate and its key as
PEM. `cryptography` is imported when a certificate is made or read, not before.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
    from cryptography.x509 import Certificate, CertificateBuilder, GeneralName, Name

AUTHORITY_DAYS = 3650
LEAF_DAYS = 365
_SKEW = timedelta(minutes=5)
"""Certificates are valid from a little before now, for clients whose clock is behind."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key, both as PEM."""

    certificate: bytes
    key: bytes


def new_authority(now: datetime, common_name: str = "kubernetes") -> Pair:
    """A self-signed certificate authority for one cluster."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    key = _new_key()
    name = _name(common_name)
    builder = (
        _builder(name, name, key.public_key(), now, timedelta(days=AUTHORITY_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_usage(signs=True, enciphers=False, certifies=True), critical=True)
    )
    return _pair(builder.sign(key, hashes.SHA256()), key)


def server_pair(authority: Pair, names: Sequence[str], now: datetime) -> Pair:
    """A server's certificate for DNS names and IP addresses."""
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    alternatives = x509.SubjectAlternativeName([_general_name(name) for name in names])
    key = _new_key()
    builder = _leaf(authority, _name("kube-apiserver"), key, now, timedelta(days=LEAF_DAYS))
    builder = builder.add_extension(alternatives, critical=False).add_extension(
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
    )
    return _signed(authority, builder, key)


def client_pair(
    authority: Pair, user: str, groups: Sequence[str], now: datetime, lifetime: timedelta | None = None
) -> Pair:
    """A client's certificate: the common name is the user, organizations are its groups.

    Raises ValueError for a name that does not fit into a certificate.
    """
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    key = _new_key()
    builder = _leaf(authority, _name(user, groups), key, now, lifetime or timedelta(days=LEAF_DAYS))
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    return _signed(authority, builder, key)


def sign_request(
    authority: Pair, request: bytes, usages: Sequence[str], now: datetime, lifetime: timedelta | None = None
) -> bytes:
    """The certificate (PEM) somebody asked for; whether they may have it has been decided.

    `usages` are Kubernetes' names. It lasts `lifetime`, but no longer than a year and than its authority.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.x509.oid import ExtendedKeyUsageOID

    asked = x509.load_pem_x509_csr(request)
    longest = timedelta(days=LEAF_DAYS)
    builder = _signed_leaf(
        authority, asked.subject, asked.public_key(), now, min(lifetime or longest, longest)
    )
    signs, enciphers = "digital signature" in usages, "key encipherment" in usages
    if signs or enciphers:
        # Without the extension the key may be used for everything; with an empty one for nothing.
        usage = _usage(signs=signs, enciphers=enciphers, certifies=False)
        builder = builder.add_extension(usage, critical=True)
    purposes = {
        "client auth": ExtendedKeyUsageOID.CLIENT_AUTH,
        "server auth": ExtendedKeyUsageOID.SERVER_AUTH,
    }
    extended = [oid for usage, oid in purposes.items() if usage in usages]
    builder = builder.add_extension(x509.ExtendedKeyUsage(extended), critical=False)
    try:
        found = asked.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        pass
    else:
        builder = builder.add_extension(found.value, critical=found.critical)
    certificate = builder.sign(_load_key(authority.key), hashes.SHA256())
    return certificate.public_bytes(serialization.Encoding.PEM)


def expires(certificate: bytes) -> datetime:
    """When a certificate ends (UTC); raises ValueError when it is none."""
    return _load(certificate).not_valid_after_utc


def names_of(certificate: bytes) -> frozenset[str]:
    """The DNS names and addresses a server's certificate is for."""
    from cryptography import x509

    try:
        found = _load(certificate).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return frozenset()
    return frozenset(
        (*found.get_values_for_type(x509.DNSName), *map(str, found.get_values_for_type(x509.IPAddress)))
    )


def belongs(pair: Pair, authority: bytes) -> bool:
    """Whether the key is the certificate's and the authority signed it; ValueError when they can't be read."""
    from cryptography.exceptions import InvalidSignature

    certificate, signer = _load(pair.certificate), _load(authority)
    if certificate.public_key() != _load_key(pair.key).public_key():
        return False
    try:
        certificate.verify_directly_issued_by(signer)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _load(certificate: bytes) -> Certificate:
    from cryptography import x509

    return x509.load_pem_x509_certificate(certificate)


def _load_key(key: bytes) -> EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    loaded = load_pem_private_key(key, None)
    if not isinstance(loaded, EllipticCurvePrivateKey):
        raise ValueError("the key is not an ECDSA key")
    return loaded


def _new_key() -> EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1())


def _name(common: str, organizations: Sequence[str] = ()) -> Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in organizations]
    return x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _general_name(name: str) -> GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _builder(
    subject: Name, issuer: Name, key: CertificatePublicKeyTypes, now: datetime, lifetime: timedelta
) -> CertificateBuilder:
    from cryptography import x509

    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + lifetime)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _leaf(
    authority: Pair, subject: Name, key: EllipticCurvePrivateKey, now: datetime, lifetime: timedelta
) -> CertificateBuilder:
    builder = _signed_leaf(authority, subject, key.public_key(), now, lifetime)
    return builder.add_extension(_usage(signs=True, enciphers=False, certifies=False), critical=True)


def _signed_leaf(
    authority: Pair, subject: Name, key: CertificatePublicKeyTypes, now: datetime, lifetime: timedelta
) -> CertificateBuilder:
    """A leaf that still lacks its usages."""
    from cryptography import x509

    signer = _load(authority.certificate)
    lifetime = min(lifetime, signer.not_valid_after_utc - now)
    return (
        _builder(subject, signer.subject, key, now, lifetime)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(_load_key(authority.key).public_key()),
            critical=False,
        )
    )


def _usage(*, signs: bool, enciphers: bool, certifies: bool):
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=signs,
        content_commitment=False,
        key_encipherment=enciphers,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certifies,
        crl_sign=certifies,
        encipher_only=False,
        decipher_only=False,
    )


def _signed(authority: Pair, builder: CertificateBuilder, key: EllipticCurvePrivateKey) -> Pair:
    from cryptography.hazmat.primitives import hashes

    return _pair(builder.sign(_load_key(authority.key), hashes.SHA256()), key)


def _pair(certificate: Certificate, key: EllipticCurvePrivateKey) -> Pair:
    from cryptography.hazmat.primitives import serialization

    return Pair(
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )
