"""Certificates in objects: the trust anchors of a bundle, the key of a pod's request, the chain a signer issued.

`cryptography` is imported when something is checked, not before.
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from ktui.engine.api.validation.fields import each_invalid, invalid, required, too_long, unfit
from ktui.engine.api.validation.signers import is_kubernetes_signer
from ktui.kube import names
from ktui.kube.clock import parse_time, rfc3339
from ktui.kube.data import string
from ktui.kube.errors import Cause
from ktui.kube.resource import Object
from ktui.kube.x509 import PemBlock, blocks

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_LARGEST_BUNDLE: Final = 1024 * 1024
_LARGEST_REQUEST: Final = 10 * 1024
_LARGEST_CHAIN: Final = 100 * 1024
_LARGEST_ANNOTATIONS: Final = 256 * 1024
SHORTEST_SECONDS: Final = 60 * 60
_LONGEST_SECONDS: Final = 91 * 24 * 60 * 60
_LONGEST_KUBERNETES_SECONDS: Final = 24 * 60 * 60
_CURVES: Final = {
    "secp224r1": "P-224",
    "secp256r1": "P-256",
    "secp384r1": "P-384",
    "secp521r1": "P-521",
}
_ALLOWED_CURVES: Final = ("P-256", "P-384", "P-521")
_MODULI: Final = (3072, 4096)
_REQUEST: Final = "spec.stubPKCS10Request"
_CHAIN: Final = "status.certificateChain"
_TIMES: Final = {
    "notBefore": "must be present and consistent with the issued certificate",
    "notAfter": "must be present and consistent with the issued certificate",
    "beginRefreshAt": "must be present and in the range [notbefore+10min, notafter-10min]",
}
_SHORTEST: Final = timedelta(hours=1)
_MARGIN: Final = timedelta(minutes=10)
_EMAIL: Final = re.compile(r"[^@\s<>]+@[^@\s<>]+", re.ASCII)


def longest_seconds(signer: str) -> int:
    """How long a pod's certificate of a signer may be good at the most."""
    return _LONGEST_KUBERNETES_SECONDS if is_kubernetes_signer(signer) else _LONGEST_SECONDS


def check_user_annotations(annotations: dict[str, str], path: str) -> list[Cause]:
    """What a pod tells its signer: keys with a domain, as many as annotations may be."""
    causes: list[Cause] = []
    for key in map(str.lower, annotations):
        problems = names.qualified_name(key) if key else []
        if not key:
            causes.append(required(path))
        elif not problems and "/" not in key:
            problems = ['must be a domain-prefixed key (such as "acme.io/foo")']
        causes += each_invalid(path, key, problems)
    size = sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items())
    return causes + ([too_long(path, _LARGEST_ANNOTATIONS)] if size > _LARGEST_ANNOTATIONS else [])


def check_trust_bundle(path: str, text: str) -> list[Cause]:
    """At least one certificate of an authority, none twice, and nothing else."""
    from cryptography.hazmat.primitives.serialization import Encoding

    if len(text.encode()) > _LARGEST_BUNDLE:
        return [too_long(path, _LARGEST_BUNDLE)]
    problems: list[str] = []
    places: dict[bytes, list[int]] = {}
    for index, block in enumerate(blocks(text.encode())):
        certificate = _certificate(block)
        if block.kind != "CERTIFICATE":
            problems.append(f"entry {index} has bad block type: {block.kind}")
        elif block.has_headers:
            problems.append(f"entry {index} has PEM block headers")
        elif certificate is None:
            problems.append(f"entry {index} does not parse as X.509")
        elif not _is_authority(certificate):
            problems.append(f"entry {index} does not have the CA bit set")
        else:
            places.setdefault(certificate.public_bytes(Encoding.DER), []).append(index)
    if not problems and not places:
        problems.append("at least one trust anchor must be provided")
    if not problems:
        problems = [
            f"duplicate trust anchor (indices [{' '.join(map(str, found))}])"
            for found in places.values()
            if len(found) > 1
        ]
    return [invalid(path, "<value omitted>", why) for why in problems]


def check_key(spec: Object) -> list[Cause]:
    """Whoever asks has the key: an empty request is signed with it."""
    encoded = string(spec, "stubPKCS10Request")
    if not encoded:
        why = "exactly one of (stubPKCS10Request) or (pkixPublicKey, proofOfPossession) must be set"
        return [unfit("spec", why)]
    return _stub_request(_bytes(encoded))


def check_chain(spec: Object, status: Object) -> list[Cause]:
    """What a signer issued: PEM certificates, the first for the key asked for, with the times the status says."""
    text = string(status, "certificateChain")
    if len(text.encode()) > _LARGEST_CHAIN:
        return [too_long(_CHAIN, _LARGEST_CHAIN)]
    found = blocks(text.encode())
    if not found:
        return [invalid(_CHAIN, text, "issued certificate chain must contain at least one certificate")]
    if any(block.kind != "CERTIFICATE" for block in found):
        why = "issued certificate chain must consist entirely of CERTIFICATE PEM blocks"
        return [invalid(_CHAIN, text, why)]
    certificates = [_certificate(block) for block in found]
    leaf = certificates[0]
    if leaf is None:
        return [invalid(_CHAIN, text, "leaf certificate does not parse as valid X.509")]
    if causes := _alternative_names(leaf):
        return causes
    if leaf.public_key() != _asked_key(spec):
        why = "leaf certificate was not issued to the requested public key"
        return [invalid(_CHAIN, text, why)]
    if causes := _times(leaf, spec, status):
        return causes
    if None in certificates:
        return [invalid(_CHAIN, text, "intermediate certificate does not parse as valid X.509")]
    return []


def _bytes(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error:
        return b""


def _certificate(block: PemBlock) -> Certificate | None:
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificate(block.text)
    except ValueError:
        return None


def _is_authority(certificate: Certificate) -> bool:
    from cryptography import x509

    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return False


def _stub_request(data: bytes) -> list[Cause]:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm

    if len(data) > _LARGEST_REQUEST:
        return [too_long(_REQUEST, _LARGEST_REQUEST)]
    try:
        request = x509.load_der_x509_csr(data)
        key = request.public_key()
        is_signed = request.is_signature_valid
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return [unfit(_REQUEST, "must be a valid PKCS#10 CSR")]
    if causes := _key_rules(key):
        return causes
    return [] if is_signed else [unfit(_REQUEST, "invalid signature")]


def _key_rules(key: object) -> list[Cause]:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if isinstance(key, ec.EllipticCurvePublicKey):
        curve = _CURVES.get(key.curve.name, key.curve.name)
        why = "elliptic public keys must use curve P256, P384, or P521"
        return [] if curve in _ALLOWED_CURVES else [invalid(_REQUEST, f"curve {curve}", why)]
    if isinstance(key, rsa.RSAPublicKey):
        why = "RSA keys must have modulus size 3072 or 4096"
        return [] if key.key_size in _MODULI else [invalid(_REQUEST, f"{key.key_size}-bit modulus", why)]
    if isinstance(key, ed25519.Ed25519PublicKey):
        return []
    return [unfit(_REQUEST, "unknown public key type; supported types are Ed25519, ECDSA, and RSA")]


def _asked_key(spec: Object) -> Any:
    from cryptography import x509

    return x509.load_der_x509_csr(_bytes(string(spec, "stubPKCS10Request"))).public_key()


def _alternative_names(leaf: Certificate) -> list[Cause]:
    from cryptography import x509

    try:
        found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    except (x509.DuplicateExtension, ValueError):
        return [unfit(_CHAIN, "leaf certificate does not parse as valid X.509")]
    causes: list[Cause] = []
    for name in found.get_values_for_type(x509.DNSName):
        if not name:
            causes.append(invalid(_CHAIN, name, "leaf certificate should not contain empty DNSName"))
        if ".." in name:
            causes.append(invalid(_CHAIN, name, "leaf certificate's DNSName should not contain '..'"))
        if name.startswith(".") or name.endswith("."):
            why = "leaf certificate's DNSName should not start or end with '.'"
            causes.append(invalid(_CHAIN, name, why))
    for email in found.get_values_for_type(x509.RFC822Name):
        if not _EMAIL.fullmatch(email):
            why = "leaf certificate should not contain invalid EmailAddress"
            causes.append(invalid(_CHAIN, email, why))
    return causes


def _times(leaf: Certificate, spec: Object, status: Object) -> list[Cause]:
    missing = [required(f"status.{field}", why) for field, why in _TIMES.items() if not status.get(field)]
    if missing:
        return missing
    start, end, refresh = (parse_time(string(status, field)) for field in _TIMES)
    for field, said, issued in (
        ("NotBefore", start, leaf.not_valid_before_utc),
        ("NotAfter", end, leaf.not_valid_after_utc),
    ):
        if said != issued:
            why = f"must be set to the {field} time encoded in the leaf certificate"
            return [_wrong_time(f"status.{field[0].lower()}{field[1:]}", said, why)]
    lifetime = end - start
    most: int = spec.get("maxExpirationSeconds") or 0
    shown = f"{int(lifetime.total_seconds())}s"
    if lifetime < _SHORTEST:
        return [invalid(_CHAIN, shown, "leaf certificate lifetime must be >= 1 hour")]
    if lifetime > timedelta(seconds=most):
        why = f"leaf certificate lifetime must be <= spec.maxExpirationSeconds ({most})"
        return [invalid(_CHAIN, shown, why)]
    if refresh < start + _MARGIN:
        why = "must be at least 10 minutes after status.notBefore"
        return [_wrong_time("status.beginRefreshAt", refresh, why)]
    if refresh > end - _MARGIN:
        why = "must be at least 10 minutes before status.notAfter"
        return [_wrong_time("status.beginRefreshAt", refresh, why)]
    return []


def _wrong_time(path: str, moment: datetime, why: str) -> Cause:
    return invalid(path, rfc3339(moment), why)
