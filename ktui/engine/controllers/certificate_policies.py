"""Which requests Kubernetes' own signers take, and how far a request has come: pure functions.

A `Refusal` says why a signer will never sign a request; its text becomes the condition Failed.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Final

from lightkube.models.certificates_v1 import CertificateSigningRequest, CertificateSigningRequestCondition

from ktui.kube.x509 import CertificateRequest, read_request

API_CLIENT: Final = "kubernetes.io/kube-apiserver-client"
KUBELET_CLIENT: Final = "kubernetes.io/kube-apiserver-client-kubelet"
KUBELET_SERVING: Final = "kubernetes.io/kubelet-serving"
_NODES, _NODE = "system:nodes", "system:node:"


class Refusal(ValueError):  # noqa: N818 - a verdict, not a failure
    """The signer does not sign that."""


def asked_for(request: CertificateSigningRequest) -> CertificateRequest:
    """What is in the request; the API has checked that it can be read."""
    return read_request(base64.b64decode(request.spec.request))


def check(signer: str, asked: CertificateRequest, usages: Sequence[str]) -> bool:
    """Whether this is one of ours to sign; raises Refusal when it is and must not be signed."""
    if signer == API_CLIENT:
        _check_api_client(usages)
    elif signer == KUBELET_CLIENT:
        check_kubelet_client(asked, usages)
    elif signer == KUBELET_SERVING:
        _check_kubelet_serving(asked, usages)
    else:
        return False
    return True


def _check_api_client(usages: Sequence[str]) -> None:
    for usage in usages:
        if usage not in ("digital signature", "key encipherment", "client auth"):
            raise Refusal(f"invalid usage for client certificate: {usage}")
    if "client auth" not in usages:
        raise Refusal("missing required usage for client certificate: client auth")


def check_kubelet_client(asked: CertificateRequest, usages: Sequence[str]) -> None:
    """Raise Refusal unless it is a kubelet's certificate for the API server."""
    _check_node(asked)
    for kind, found in (
        ("DNS", asked.dns_names),
        ("Email", asked.emails),
        ("IP", asked.ips),
        ("URI", asked.uris),
    ):
        if found:
            raise Refusal(f"{kind} subjectAltNames are not allowed")
    _check_node_name(asked)
    _check_usages(usages, "client auth")


def _check_kubelet_serving(asked: CertificateRequest, usages: Sequence[str]) -> None:
    _check_node(asked)
    if not (asked.dns_names or asked.ips):
        raise Refusal("DNS or IP subjectAltName is required")
    if asked.emails:
        raise Refusal("Email subjectAltNames are not allowed")
    if asked.uris:
        raise Refusal("URI subjectAltNames are not allowed")
    _check_node_name(asked)
    _check_usages(usages, "server auth")


def _check_node(asked: CertificateRequest) -> None:
    if asked.organizations != (_NODES,):
        raise Refusal(f"subject organization is not {_NODES}")


def _check_node_name(asked: CertificateRequest) -> None:
    if not asked.common_name.startswith(_NODE):
        raise Refusal(f"subject common name does not begin with {_NODE}")


def _check_usages(usages: Sequence[str], purpose: str) -> None:
    wanted = {"digital signature", "key encipherment", purpose}
    if set(usages) not in (wanted, wanted - {"key encipherment"}):
        raise Refusal(f"usages did not match [{' '.join(sorted(wanted))}]")


def condition(request: CertificateSigningRequest, kind: str) -> CertificateSigningRequestCondition | None:
    """The condition of a type."""
    return next((each for each in conditions(request) if each.type == kind), None)


def conditions(request: CertificateSigningRequest) -> Sequence[CertificateSigningRequestCondition]:
    if request.status is None:
        return ()
    return request.status.conditions or ()


def certificate_of(request: CertificateSigningRequest) -> str:
    """What was issued (base64 of PEM); empty if nothing was yet."""
    return (request.status.certificate or "") if request.status is not None else ""
