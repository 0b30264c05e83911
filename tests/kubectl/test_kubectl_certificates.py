"""kubectl on certificates: ask, look, approve or deny, and log in with what was issued."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from kubectl_engine import Kubectl, since

SIGNER = "kubernetes.io/kube-apiserver-client"


def asked(name: str, user: str, **spec: object) -> tuple[str, bytes]:
    """A CertificateSigningRequest as JSON, and the key it is for."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "dev"),
            x509.NameAttribute(NameOID.COMMON_NAME, user),
        ]
    )
    names = x509.SubjectAlternativeName([x509.DNSName("a.example.com"), x509.DNSName("b.example.com")])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    request = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    pem = request.public_bytes(serialization.Encoding.PEM)
    obj = {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": name},
        "spec": {
            "request": base64.b64encode(pem).decode(),
            "signerName": SIGNER,
            "usages": ["client auth"],
            **spec,
        },
    }
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return json.dumps(obj), private


@since(27)
def test_an_approved_certificate_logs_in(kubectl: Kubectl, tmp_path: Path):
    name = f"{kubectl.namespace}-carol"
    obj, key = asked(name, "carol", expirationSeconds=3600)
    assert kubectl.ok("apply", "-f", "-", stdin=obj) == (
        f"certificatesigningrequest.certificates.k8s.io/{name} created\n"
    )
    header, row = kubectl.run("get", "csr", name).rows
    assert header == ["NAME", "AGE", "SIGNERNAME", "REQUESTOR", "REQUESTEDDURATION", "CONDITION"]
    assert row[2:] == [SIGNER, "kubernetes-admin", "60m", "Pending"]
    assert kubectl.ok("certificate", "approve", name) == (
        f"certificatesigningrequest.certificates.k8s.io/{name} approved\n"
    )
    kubectl.ok("wait", "csr", name, "--for=jsonpath={.status.certificate}", "--timeout=20s")
    assert kubectl.run("get", "csr", name).rows[1][5] == "Approved,Issued"

    described = kubectl.ok("describe", "csr", name)
    words = [
        sys.executable,
        "-m",
        "ktui",
        "--data-dir",
        str(kubectl.kubeconfig.parent),
        "describe",
        "csr",
        name,
    ]
    assert subprocess.run(words, capture_output=True, check=True).stdout.decode() == described
    assert "Organization:   dev\n" in described

    kubeconfig = json.loads(kubectl.ok("config", "view", "--raw", "-o", "json"))
    certificate = kubectl.ok("get", "csr", name, "-o", "jsonpath={.status.certificate}")
    user = {"client-certificate-data": certificate, "client-key-data": base64.b64encode(key).decode()}
    kubeconfig["users"] = [{"name": kubeconfig["users"][0]["name"], "user": user}]
    (tmp_path / "carol").write_text(json.dumps(kubeconfig))
    carol = Kubectl(tmp_path / "carol", kubectl.namespace)
    assert [line.split(maxsplit=1) for line in carol.ok("auth", "whoami").splitlines()][1:3] == [
        ["Username", "carol"],
        ["Groups", "[dev system:authenticated]"],
    ]
    assert 'User "carol" cannot list resource "pods"' in carol.fails("get", "pods")


def test_a_denied_request_stays_denied(kubectl: Kubectl):
    name = f"{kubectl.namespace}-dave"
    obj, _ = asked(name, "dave")
    kubectl.ok("apply", "-f", "-", stdin=obj)
    assert kubectl.ok("certificate", "deny", name) == (
        f"certificatesigningrequest.certificates.k8s.io/{name} denied\n"
    )
    assert kubectl.run("get", "csr", name).rows[1][5] == "Denied"
    assert "Denied" in kubectl.fails("certificate", "approve", name)
