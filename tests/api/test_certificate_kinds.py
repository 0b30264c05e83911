"""ClusterTrustBundles and PodCertificateRequests: what they may hold, who may vouch and sign, what never changes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from certificate_objects import certificate, pod_request
from kind_cases import errors
from rbac_world import Cluster, refused, rule

from ktui.client.base import PatchType
from ktui.kube.clock import rfc3339
from ktui.kube.kinds import CLUSTER_TRUST_BUNDLES as BUNDLES
from ktui.kube.kinds import POD_CERTIFICATE_REQUESTS as REQUESTS

GROUP = "certificates.k8s.io"
ROOT = certificate()


def bundle(text=ROOT, name="x", **spec):
    return {"metadata": {"name": name}, "spec": {"trustBundle": text, **spec}}


@pytest.fixture
async def cluster(store, clock) -> Cluster:
    return await Cluster.start(store, clock)


async def allow(cluster, user, granted):
    name = "-".join([user, *granted["verbs"]])
    await cluster.role(name, granted, namespace="")
    await cluster.bind(name, user, namespace="", kind="ClusterRole")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "at least one trust anchor must be provided"),
        (ROOT + certificate(authority=False), "entry 1 does not have the CA bit set"),
        (ROOT.replace("CERTIFICATE", "KEY"), "entry 0 has bad block type: KEY"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "entry 0 does not parse as X.509"),
        (ROOT.replace("\n", "\nA: b\n\n", 1), "entry 0 has PEM block headers"),
        (ROOT + "comment\n" + ROOT, "duplicate trust anchor (indices [0 1])"),
    ],
)
def test_a_bundle_holds_authorities_only(text, problem):
    assert errors("clustertrustbundles", bundle(text)) == [
        f'spec.trustBundle: Invalid value: "<value omitted>": {problem}'
    ]


def test_a_signers_bundle_is_named_after_it():
    assert not errors("clustertrustbundles", bundle(name="a.b:c:d", signerName="a.b/c"))
    (named,) = errors("clustertrustbundles", bundle(signerName="a.b/c"))
    assert named.endswith("ClusterTrustBundle for signerName a.b/c must be named with prefix a.b:c:")
    (free,) = errors("clustertrustbundles", bundle(name="a:b"))
    assert free.endswith('ClusterTrustBundle without signer name must not have ":" in its name')


async def test_to_vouch_for_a_signer_takes_a_right_on_it(cluster):
    await allow(cluster, "alice", rule("create", "clustertrustbundles", GROUP))
    alice = cluster.as_user("alice")
    made = bundle(name="a.b:c:d", signerName="a.b/c")
    error = await refused(alice.create(BUNDLES, made))
    assert 'user not permitted to attest for signerName "a.b/c"' in error.message
    await alice.create(BUNDLES, bundle())
    await allow(cluster, "alice", rule("attest", "signers", GROUP, ["a.b/*"]))
    assert await alice.create(BUNDLES, made)


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ({"podUID": ""}, 'spec.podUID: Invalid value: "": must not be empty'),
        (
            {"maxExpirationSeconds": 60},
            "spec.maxExpirationSeconds: Invalid value: 60: must be in the range [3600, 7862400]",
        ),
        (
            {"signerName": "kubernetes.io/x", "maxExpirationSeconds": 86401},
            "spec.maxExpirationSeconds: Invalid value: 86401: must be in the range [3600, 86400]",
        ),
        (
            {"stubPKCS10Request": ""},
            "spec: Invalid value: exactly one of (stubPKCS10Request) or (pkixPublicKey, proofOfPossession) must be "
            "set",
        ),
        (
            {"stubPKCS10Request": "AAAA"},
            "spec.stubPKCS10Request: Invalid value: must be a valid PKCS#10 CSR",
        ),
        (
            {"unverifiedUserAnnotations": {"plain": "a"}},
            'spec.unverifiedUserAnnotations: Invalid value: "plain": must be a domain-prefixed key (such as '
            '"acme.io/foo")',
        ),
    ],
)
def test_what_a_pods_request_may_not_say(spec, problem):
    assert errors("podcertificaterequests", pod_request(**spec)) == [problem]


def answered(now, pem, kind="Issued", **status):
    condition = {"type": kind, "status": "True", "reason": "Test", "lastTransitionTime": rfc3339(now)}
    times = {
        "notBefore": rfc3339(now),
        "notAfter": rfc3339(now + timedelta(hours=1)),
        "beginRefreshAt": rfc3339(now + timedelta(minutes=15)),
    }
    issued = {"certificateChain": pem, **times} if kind == "Issued" else {}
    return {"status": {"conditions": [condition], **issued, **status}}


async def test_a_signer_answers_once(cluster, clock):
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    start = clock.now().replace(microsecond=0)
    pem = certificate(key, authority=False, start=start)
    await cluster.admin.create(REQUESTS, pod_request(key))
    await allow(cluster, "signer", rule("patch", "podcertificaterequests/status", GROUP))
    signer = cluster.as_user("signer")

    async def refusal(body, client=cluster.admin):
        error = await refused(client.patch(REQUESTS, "x", body, "default", subresource="status"))
        assert error.code == 422
        return error.message

    good = answered(start, pem)
    why = 'User "signer" is not permitted to "sign" for signer "example.com/signer"'
    assert why in await refusal(good, signer)
    for body, problem in (
        (
            answered(start, certificate(start=start)),
            "leaf certificate was not issued to the requested public key",
        ),
        (answered(start, pem, notAfter="2030-01-01T00:00:00Z"), "must be set to the NotAfter time encoded"),
        (answered(start, pem, beginRefreshAt=rfc3339(start)), "at least 10 minutes after status.notBefore"),
        (answered(start, pem, "Done"), 'supported values: "Denied", "Failed", "Issued"'),
        ({"status": {"certificateChain": pem}}, "status is immutable unless transitioning"),
    ):
        assert problem in await refusal(body)
    await clock.advance(300)
    assert "must be set to within 5 minutes of kube-apiserver's current time" in await refusal(good)
    start = clock.now().replace(microsecond=0)
    good = answered(start, certificate(key, authority=False, start=start))
    await allow(cluster, "signer", rule("sign", "signers", GROUP, ["example.com/signer"]))
    operations = [{"op": "add", "path": f"/status/{name}", "value": v} for name, v in good["status"].items()]
    issued = await signer.patch(
        REQUESTS, "x", operations, "default", subresource="status", patch_type=PatchType.JSON
    )
    assert issued["status"] == good["status"]
    why = "immutable after PodCertificateRequest is issued, denied, or failed"
    assert why in await refusal(answered(start, pem, "Denied"))
