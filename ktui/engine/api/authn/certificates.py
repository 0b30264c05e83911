"""Client certificates: verified here, whatever the TLS layer thought of them, and turned into users.

In: the certificate of a connection as DER. Out: whom it names and until when that holds, or a refusal with the
reason. A certificate is good when our own authority signed it directly, its time has come and not gone, and it is
meant for clients.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from ktui.engine.api.authorization import AUTHENTICATED
from ktui.engine.api.request import User

if TYPE_CHECKING:
    from cryptography.x509 import Certificate


class CertificateError(Exception):
    """The certificate says nothing about who it is; the message says why."""


@dataclass(frozen=True, slots=True)
class Named:
    """Whom a certificate names, from when and until when."""

    user: User
    since: datetime
    until: datetime

    def check(self, now: datetime) -> None:
        """Raise CertificateError outside of its time."""
        if now > self.until:
            raise CertificateError(
                f"certificate has expired: it was good until {self.until:%Y-%m-%dT%H:%M:%SZ}"
            )
        if now < self.since:
            raise CertificateError(
                f"certificate is not yet valid: it is from {self.since:%Y-%m-%dT%H:%M:%SZ} on"
            )


class ClientCertificates:
    """Believes certificates of one authority, once it is told of it."""

    def __init__(self) -> None:
        self._authority: Certificate | None = None

    def trust(self, authority: bytes) -> None:
        """From now on believe certificates signed with this one (PEM)."""
        from cryptography import x509

        self._authority = x509.load_pem_x509_certificate(authority)

    def named(self, der: bytes) -> Named | None:
        """Whom a certificate names; None when it names nobody. Raises CertificateError for one not to believe."""
        from cryptography import x509
        from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
        from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

        try:
            certificate = x509.load_der_x509_certificate(der)
            if self._authority is None:
                raise CertificateError("certificate signed by unknown authority")
            certificate.verify_directly_issued_by(self._authority)
            purposes = _purposes(certificate)
            subject = certificate.subject
        except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError) as error:
            raise CertificateError(f"certificate signed by unknown authority {error}".strip()) from None
        wanted = (ExtendedKeyUsageOID.CLIENT_AUTH.dotted_string, "2.5.29.37.0")
        if purposes is not None and not any(purpose in wanted for purpose in purposes):
            raise CertificateError("certificate specifies an incompatible key usage")
        names = [str(each.value) for each in subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        groups = [str(each.value) for each in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
        if not names or not names[-1]:
            return None
        user = User(names[-1], (*dict.fromkeys(groups), AUTHENTICATED))
        return Named(user, certificate.not_valid_before_utc, certificate.not_valid_after_utc)


def _purposes(certificate: Certificate) -> list[str] | None:
    """What a certificate is for; None when it does not say."""
    from cryptography import x509

    try:
        found = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return None
    return [purpose.dotted_string for purpose in found]
