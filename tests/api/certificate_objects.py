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


def certificate(key=None, *, name="root", authority=True, start=None, hours=1, dns=()):
    """A certificate in PEM, signed by its own key."""
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = key or ec.generate_private_key(ec.SECP256R1())
    start = start or datetime(2026, 1, 1, tzinfo=UTC)
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder(who, who, key.public_key(), 1, start, start + timedelta(hours=hours))
    ).add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    if dns:
        alternatives = x509.SubjectAlternativeName([x509.DNSName(each) for each in dns])
        builder = builder.add_extension(alternatives, critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def pod_request(key=None, **spec):
    """A PodCertificateRequest as a kubelet makes it, for the key's public half."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = key or ec.generate_private_key(ec.SECP256R1())
    stub = x509.CertificateSigningRequestBuilder(x509.Name([])).sign(key, hashes.SHA256())
    return {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "PodCertificateRequest",
        "metadata": {"name": "x", "namespace": "default"},
        "spec": {
            "signerName": "example.com/signer",
            "podName": "web",
            "podUID": "pod-uid",
            "serviceAccountName": "default",
            "serviceAccountUID": "account-uid",
            "nodeName": "n1",
            "nodeUID": "node-uid",
            "maxExpirationSeconds": 86400,
            "stubPKCS10Request": base64.b64encode(stub.public_bytes(serialization.Encoding.DER)).decode(),
            **spec,
        },
    }
