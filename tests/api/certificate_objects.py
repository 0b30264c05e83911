"""Requests for certificates, as tests of certificates and of all kinds need them."""

from __future__ import annotations

import base64

CLIENT = "kubernetes.io/kube-apiserver-client"


def pem(common_name="alice", *organizations, dns=()):
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    names = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, each) for each in organizations]
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([*names, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    )
    if dns:
        alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in dns])
        builder = builder.add_extension(alternatives, critical=False)
    request = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM)


def csr(name="alice", request=None, **spec):
    given = base64.b64encode(request or pem()).decode()
    return {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": name},
        "spec": {"request": given, "signerName": CLIENT, "usages": ["client auth"], **spec},
    }
