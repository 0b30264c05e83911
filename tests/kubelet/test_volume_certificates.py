"""Projected certificates: trust bundles as they are, and a pod's own from a signer, renewed in time."""

import base64
import datetime as dt
import re
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from kubelet_world import container, pod, waiting, world  # noqa: F401
from lightkube.models.core_v1 import Container, Pod, PodSpec, ResourceRequirements

from ktui.engine.kubelet.resources import container_resources
from ktui.engine.kubelet.volumes.pod_certificates import _key_and_proof
from ktui.kube.clock import rfc3339
from ktui.kube.errors import StatusError
from ktui.kube.kinds import CLUSTER_TRUST_BUNDLES, POD_CERTIFICATE_REQUESTS

SIGNER = "example.com/workloads"
MOUNTS = [{"name": "tls", "mountPath": "/tls"}]


def certificate(public_key, signing_key, since, until, *, is_authority=False):
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x")])
    builder = x509.CertificateBuilder(
        name,
        name,
        public_key,
        x509.random_serial_number(),
        since.replace(tzinfo=None),
        until.replace(tzinfo=None),
    )
    if is_authority:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    signed = builder.sign(signing_key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


def authority():
    key = ec.generate_private_key(ec.SECP256R1())
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    return certificate(key.public_key(), key, start, start + timedelta(days=365), is_authority=True)


def projecting(*sources, **spec):
    volume = {"name": "tls", "projected": {"sources": list(sources)}}
    return pod("web", container(volumeMounts=MOUNTS), volumes=[volume], **spec)


async def folder(world):  # noqa: F811 - a fixture of that name
    (record,) = await world.records()
    spec = world.runtime.container_spec(record.containers[0].id)
    return Path(next(mount.source for mount in spec.mounts if mount.target == "/tls"))


async def bundle(world, name, *anchors, **labels):  # noqa: F811 - a fixture of that name
    spec = {"trustBundle": "".join(anchors)}
    if ":" in name:
        spec["signerName"] = SIGNER
    obj = {"metadata": {"name": name, "labels": labels}, "spec": spec}
    await world.client.create(CLUSTER_TRUST_BUNDLES, obj)


async def test_trust_bundles_are_projected_and_follow_their_objects(world):  # noqa: F811 - a fixture of that name
    one, two, three = authority(), authority(), authority()
    await bundle(world, "named", one)
    await bundle(world, "example.com:workloads:a", one, two, use="yes")
    await bundle(world, "example.com:workloads:b", two, use="yes")
    await bundle(world, "example.com:workloads:c", three, use="no")
    await world.create(
        projecting(
            {"clusterTrustBundle": {"name": "named", "path": "named.pem"}},
            {
                "clusterTrustBundle": {
                    "signerName": SIGNER,
                    "labelSelector": {"matchLabels": {"use": "yes"}},
                    "path": "signer.pem",
                }
            },
            {"clusterTrustBundle": {"name": "none", "path": "none.pem", "optional": True}},
            {"clusterTrustBundle": {"signerName": SIGNER, "path": "nothing.pem", "optional": True}},
        )
    )
    await world.running()
    tls = await folder(world)
    assert (tls / "named.pem").read_text() == one
    assert (tls / "signer.pem").read_text() == one + two
    assert (tls / "none.pem").read_text() == (tls / "nothing.pem").read_text() == ""
    await world.client.patch(CLUSTER_TRUST_BUNDLES, "named", {"spec": {"trustBundle": three}})
    await world.happens(lambda: (tls / "named.pem").read_text() == three)


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (
            {"name": "missing"},
            'while getting ClusterTrustBundle: clustertrustbundles.certificates.k8s.io "missing" not found',
        ),
        (
            {"signerName": SIGNER, "labelSelector": {}},
            "combination of signerName and labelSelector matched zero ClusterTrustBundles",
        ),
    ],
)
async def test_a_pod_waits_for_what_it_trusts(world, source, why):  # noqa: F811 - a fixture of that name
    await world.create(projecting({"clusterTrustBundle": {**source, "path": "x.pem"}}))
    await world.until(lambda p: waiting(p).get("reason") == "ContainerCreating")
    while not (told := await world.events("FailedMount")):
        await world.settle()
    assert told[0][1] == f'MountVolume.SetUp failed for volume "tls" : {why}'
    anchor = authority()
    await bundle(world, "missing" if "name" in source else "example.com:workloads:a", anchor)
    await world.running()
    assert ((await folder(world)) / "x.pem").read_text() == anchor


async def request(world, known=()):  # noqa: F811 - a fixture of that name
    """The PodCertificateRequest that is there beside those `known`."""
    for _ in range(1000):
        found = (await world.client.list(POD_CERTIFICATE_REQUESTS, "default")).items
        if new := [each for each in found if each["metadata"]["name"] not in known]:
            return new[0]
        await world.clock.advance(0.1)
        await world.settle()
    raise AssertionError("nobody asked")


async def answer(world, asked, kind="Issued", **more):  # noqa: F811 - a fixture of that name
    now = world.clock.now()
    condition = {
        "type": kind,
        "status": "True",
        "reason": kind,
        "message": "so it is",
        "lastTransitionTime": rfc3339(now),
    }
    body = {"status": {"conditions": [condition], **more}}
    name = asked["metadata"]["name"]
    await world.client.patch(POD_CERTIFICATE_REQUESTS, name, body, "default", subresource="status")


async def issue(world, asked):  # noqa: F811 - a fixture of that name
    """A chain good for an hour, to be renewed after ten minutes."""
    since = world.clock.now().replace(microsecond=0)
    until = since + timedelta(hours=1)
    proof = x509.load_der_x509_csr(base64.b64decode(asked["spec"]["stubPKCS10Request"]))
    chain = certificate(proof.public_key(), ec.generate_private_key(ec.SECP256R1()), since, until)
    times = {"notBefore": since, "beginRefreshAt": since + timedelta(minutes=10), "notAfter": until}
    told = {name: rfc3339(time) for name, time in times.items()}
    await answer(world, asked, certificateChain=f"of mine:\n{chain}", **told)
    return chain


WANTED = {
    "signerName": SIGNER,
    "keyType": "ECDSAP256",
    "credentialBundlePath": "both.pem",
    "keyPath": "key.pem",
    "certificateChainPath": "chain.pem",
    "maxExpirationSeconds": 3600,
    "userAnnotations": {"example.com/path": "/x"},
}


async def test_a_pods_certificate_is_asked_for_mounted_and_renewed(world):  # noqa: F811 - a fixture of that name
    created = await world.create(projecting({"podCertificate": WANTED}))
    asked = await request(world)
    spec = asked["spec"]
    assert (spec["signerName"], spec["podName"], spec["nodeName"]) == (SIGNER, "web", "node-1")
    assert (spec["podUID"], spec["serviceAccountName"]) == (created["metadata"]["uid"], "default")
    assert (spec["maxExpirationSeconds"], spec["unverifiedUserAnnotations"]) == (
        3600,
        {"example.com/path": "/x"},
    )
    assert asked["metadata"]["ownerReferences"][0]["name"] == "web"
    chain = await issue(world, asked)
    await world.running()
    tls = await folder(world)
    assert (tls / "chain.pem").read_text() == chain
    key = (tls / "key.pem").read_bytes()
    assert (tls / "both.pem").read_bytes() == key + chain.encode()
    private = serialization.load_pem_private_key(key, None)
    assert private.public_key() == x509.load_pem_x509_certificate(chain.encode()).public_key()
    await world.clock.advance(601)
    again = await request(world, {asked["metadata"]["name"]})
    assert (tls / "chain.pem").read_text() == chain, "the old one is good until there is another"
    await world.clock.advance(600)
    # Whoever looks only now whether it is time does so again a little later.
    while ("CertificateOverdueForRefresh", "PodCertificate refresh overdue") not in await world.events():
        await world.clock.advance(1)
        await world.settle()
    renewed = await issue(world, again)
    await world.happens(lambda: (tls / "chain.pem").read_text() == renewed)
    assert (tls / "key.pem").read_bytes() != key


async def test_a_request_that_somebody_deletes_is_made_anew(world):  # noqa: F811 - a fixture of that name
    await world.create(projecting({"podCertificate": WANTED}))
    name = (await request(world))["metadata"]["name"]
    await world.client.delete(POD_CERTIFICATE_REQUESTS, name, "default")
    await issue(world, await request(world, {name}))
    await world.running()


async def test_a_signer_that_denies_is_quoted(world):  # noqa: F811 - a fixture of that name
    await world.create(projecting({"podCertificate": WANTED}))
    asked = await request(world)
    await answer(world, asked, "Denied")
    name = asked["metadata"]["name"]
    while not (told := await world.events("Denied")):
        await world.settle()
    assert told == [
        ("Denied", f'PodCertificateRequest default/{name} was denied, reason="Denied", message="so it is"')
    ]
    assert (await world.get())["status"]["phase"] == "Pending"


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"maxExpirationSeconds": 3599}, "if provided, maxExpirationSeconds must be >= 3600"),
        ({"maxExpirationSeconds": 7862401}, "if provided, maxExpirationSeconds must be <= 7862400"),
        (
            {"maxExpirationSeconds": 86401, "signerName": "kubernetes.io/x"},
            "if provided, maxExpirationSeconds must be <= 86400",
        ),
        ({"signerName": "x"}, "must be a fully qualified domain and path of the form"),
        ({"userAnnotations": {"plain": "x"}}, "must be a domain-prefixed key"),
    ],
)
async def test_what_a_pod_may_not_ask_for(world, changed, why):  # noqa: F811 - a fixture of that name
    with pytest.raises(StatusError, match=re.escape(why)) as refused:
        await world.create(projecting({"podCertificate": {**WANTED, **changed}}))
    assert refused.value.code == 422
    assert "spec.volumes[0].projected.sources[0].podCertificate." in refused.value.message


@pytest.mark.parametrize("kind", ["ECDSAP384", "ECDSAP521", "ED25519"])
def test_every_kind_of_key_proves_itself(kind):
    key, proof = _key_and_proof(kind)
    request = x509.load_der_x509_csr(proof)
    assert request.is_signature_valid
    assert serialization.load_pem_private_key(key, None).public_key() == request.public_key()


def test_a_container_without_limits_has_its_pods():
    spec = PodSpec(containers=[], resources=ResourceRequirements(limits={"cpu": "200m", "memory": "64Mi"}))
    alone = container_resources(Pod(spec=spec), Container(name="c"), 1 << 30)
    assert (alone.cpu_quota, alone.memory_limit) == (20_000, 64 << 20)
    own = Container(name="c", resources=ResourceRequirements(limits={"memory": "32Mi"}))
    limited = container_resources(Pod(spec=spec), own, 1 << 30)
    assert (limited.cpu_quota, limited.memory_limit) == (20_000, 32 << 20)
