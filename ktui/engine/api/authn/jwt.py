"""Signed tokens: JSON Web Tokens with RS256, and the key they are signed with.

The key is one file of the cluster; a server without a data folder has one in memory. A token is only ever
believed after its signature; what its claims mean is not this module's matter.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from ktui.engine.api.pki.folder import PkiError, write_private

_BITS: Final = 2048
_LONGEST: Final = 64 * 1024
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class TokenError(Exception):
    """The token can't be believed; the message says why."""


class SigningKey:
    """Signs and verifies tokens."""

    def __init__(self, private: rsa.RSAPrivateKey) -> None:
        self._private = private
        self._public = private.public_key()

    @classmethod
    def in_folder(cls, folder: Path) -> SigningKey:
        """The key of a cluster, made at first use. Touches files and may take a moment: call it off the loop."""
        path = folder / "sa.key"
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            private = _new_key()
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_private(path, _as_pem(private))
            return cls(private)
        try:
            # Our own file: whether its numbers are prime was known when they were chosen, and asking takes 30 ms.
            private = serialization.load_pem_private_key(
                data, password=None, unsafe_skip_rsa_key_validation=True
            )
        except ValueError as error:
            raise PkiError(_unusable(path, str(error))) from error
        if not isinstance(private, rsa.RSAPrivateKey):
            raise PkiError(_unusable(path, "it is no RSA key"))
        return cls(private)

    @cached_property
    def id(self) -> str:
        """The key's name in a token's header, as kube-apiserver computes it."""
        public = self._public.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return _encoded(hashlib.sha256(public).digest())

    def sign(self, claims: dict[str, Any]) -> str:
        """A token with these claims."""
        header = {"alg": "RS256", "kid": self.id}
        signed = f"{_encoded(msgspec.json.encode(header))}.{_encoded(msgspec.json.encode(claims))}"
        signature = self._private.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_encoded(signature)}"

    def claims(self, token: str) -> dict[str, Any]:
        """What a token says, its signature checked. Raises TokenError."""
        signed, _, signature = token.rpartition(".")
        header, _, payload = signed.partition(".")
        if not header or not payload or len(token) > _LONGEST:
            raise TokenError("it is no JSON Web Token")
        try:
            if _decode(_decoded(header)).get("alg") != "RS256":
                raise TokenError("unexpected signature algorithm")
            self._public.verify(_decoded(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
            return _decode(_decoded(payload))
        except InvalidSignature:
            raise TokenError("invalid signature") from None
        except (ValueError, msgspec.MsgspecError):
            raise TokenError("it is no JSON Web Token") from None

    def public_jwk(self) -> dict[str, str]:
        """The public key as a JSON Web Key."""
        numbers = self._public.public_numbers()
        return {
            "use": "sig",
            "kty": "RSA",
            "kid": self.id,
            "alg": "RS256",
            "n": _encoded(numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")),
            "e": _encoded(numbers.e.to_bytes((numbers.e.bit_length() + 7) // 8, "big")),
        }


@cache
def key_in_memory() -> SigningKey:
    """The key of servers without a data folder, one a process."""
    return SigningKey(_new_key())


def _new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=_BITS)


def _as_pem(private: rsa.RSAPrivateKey) -> bytes:
    return private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _unusable(path: Path, why: str) -> str:
    return (
        f"{path} can't be used: {why}; put back a copy, or remove it to get a new key (tokens made before then no "
        "longer work, pods get new ones)"
    )


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    if "=" in text:
        raise ValueError("padded")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error
