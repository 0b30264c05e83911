"""Certificate requests: signed when approved and sound, approved for kubelets that may, cleaned away in time."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from controllers_world import World
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ktui.engine.api.local import LocalClient
from ktui.engine.api.pki.issuing import new_authority, sign_request
from ktui.engine.controllers.all import default_controllers
from ktui.engine.controllers.runtime import ControllerRunner
from ktui.kube.kinds import CERTIFICATE_SIGNING_REQUESTS as CSR

CLIENT = "kubernetes.io/kube-apiserver-client"
KUBELET = f"{CLIENT}-kubelet"
SERVING = "kubernetes.io/kubelet-serving"
NODE = ["digital signature", "client auth"]


@pytest.fixture
async def world():
    world = World()
    authority = new_authority(world.clock.now())
    world.authority = authority

    async def sign(request, usages, lifetime):
        return sign_request(authority, request, usages, world.clock.now(), lifetime)

    made = default_controllers(world.client, world.recorder, world.clock, sign=sign)
    world.controllers = [each for each in made if each.name.startswith("certificatesigningrequest-")]
    assert len(world.controllers) == 3
    world.runner = ControllerRunner(world.controllers, world.informers, world.clock)
    await world.start()
    yield world
    await world.stop()


def pem(common_name, *organizations, dns=(), emails=()):
    names = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, each) for each in organizations]
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([*names, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    )
    alternatives = [*map(x509.DNSName, dns), *map(x509.RFC822Name, emails)]
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    request = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM)


async def ask(world, request, signer=CLIENT, usages=("client auth",), user="", **spec):
    body = {
        "metadata": {"name": "r"},
        "spec": {
            "request": base64.b64encode(request).decode(),
            "signerName": signer,
            "usages": list(usages),
            **spec,
        },
    }
    client = LocalClient(world.server, user) if user else world.client
    made = await client.create(CSR, body)
    await world.settle()
    return made


async def decide(world, kind="Approved"):
    found = await world.client.get(CSR, "r")
    condition = {"type": kind, "status": "True", "reason": "Test", "message": "because"}
    await world.client.update(CSR, {**found, "status": {"conditions": [condition]}}, subresource="approval")
    await world.settle()
    return (await world.client.get(CSR, "r"))["status"]


def issued(status):
    return x509.load_pem_x509_certificate(base64.b64decode(status["certificate"]))


async def test_an_approved_request_gets_a_certificate_for_what_it_asked(world):
    await ask(
        world, pem("alice", "dev", dns=["alice.example.com"]), usages=["client auth", "key encipherment"]
    )
    assert "status" not in await world.client.get(CSR, "r")
    certificate = issued(await decide(world))
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(world.authority.certificate))
    assert certificate.subject.rfc4514_string() == "CN=alice,O=dev"
    extensions = certificate.extensions
    purposes = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    usage = extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.key_encipherment, usage.digital_signature, usage.key_cert_sign) == (True, False, False)
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["alice.example.com"]
    lasts = certificate.not_valid_after_utc - world.clock.now().replace(microsecond=0)
    assert lasts == timedelta(days=365)


async def test_a_certificate_lasts_as_long_as_was_asked_and_never_longer_than_a_year(world):
    await ask(world, pem("alice"), expirationSeconds=3600)
    certificate = issued(await decide(world))
    assert certificate.not_valid_after_utc - world.clock.now().replace(microsecond=0) == timedelta(hours=1)


async def test_a_denied_request_gets_nothing(world):
    await ask(world, pem("alice"))
    assert "certificate" not in await decide(world, "Denied")


@pytest.mark.parametrize(
    ("request_", "signer", "usages", "why"),
    [
        (pem("a"), CLIENT, ["server auth"], "invalid usage for client certificate: server auth"),
        (
            pem("a"),
            CLIENT,
            ["key encipherment"],
            "missing required usage for client certificate: client auth",
        ),
        (pem("system:node:a"), KUBELET, NODE, "subject organization is not system:nodes"),
        (pem("a", "system:nodes"), KUBELET, NODE, "subject common name does not begin with system:node:"),
        (
            pem("system:node:a", "system:nodes", dns=["a"]),
            KUBELET,
            NODE,
            "DNS subjectAltNames are not allowed",
        ),
        (
            pem("system:node:a", "system:nodes"),
            KUBELET,
            ["client auth"],
            "usages did not match [client auth digital signature key encipherment]",
        ),
        (
            pem("system:node:a", "system:nodes"),
            SERVING,
            ["digital signature", "server auth"],
            "DNS or IP subjectAltName is required",
        ),
        (
            pem("system:node:a", "system:nodes", dns=["a"], emails=["a@example.com"]),
            SERVING,
            ["digital signature", "server auth"],
            "Email subjectAltNames are not allowed",
        ),
    ],
)
async def test_a_signer_refuses_what_it_does_not_sign(world, request_, signer, usages, why):
    await ask(world, request_, signer, usages)
    status = await decide(world)
    assert "certificate" not in status
    failed = status["conditions"][-1]
    assert (failed["type"], failed["reason"], failed["message"]) == ("Failed", "SignerValidationFailure", why)


async def test_a_kubelets_serving_certificate_is_signed(world):
    request = pem("system:node:a", "system:nodes", dns=["a"])
    await ask(world, request, SERVING, ["digital signature", "server auth"])
    assert issued(await decide(world)).subject.rfc4514_string() == "CN=system:node:a,O=system:nodes"


async def test_other_signers_are_left_alone(world):
    await ask(world, pem("alice"), "example.com/signer")
    status = await decide(world)
    assert [each["type"] for each in status["conditions"]] == ["Approved"]
    assert "certificate" not in status


async def test_a_kubelet_that_may_is_approved_and_signed_by_itself(world):
    await ask(world, pem("system:node:a", "system:nodes"), KUBELET, NODE, user="system:node:a")
    status = (await world.client.get(CSR, "r"))["status"]
    (approved,) = status["conditions"]
    assert (approved["reason"], approved["message"]) == (
        "AutoApproved",
        "Auto approving self kubelet client certificate after SubjectAccessReview.",
    )
    assert issued(status)


async def test_a_client_that_is_no_kubelet_waits_for_a_person(world):
    await ask(world, pem("alice"), KUBELET, NODE)
    assert "status" not in await world.client.get(CSR, "r")


@pytest.mark.parametrize("kind", ["Approved", "Denied"])
async def test_a_request_that_is_done_with_goes_after_an_hour(world, kind):
    await ask(world, pem("alice"))
    await decide(world, kind)
    await world.advance(3590, step=600)
    assert await world.exists(CSR, "r", "")
    await world.advance(20, step=20)
    assert not await world.exists(CSR, "r", "")


async def test_a_request_nobody_decides_on_goes_after_a_day(world):
    await ask(world, pem("alice"))
    await world.advance(23 * 3600, step=40000)
    assert await world.exists(CSR, "r", "")
    await world.advance(3601, step=600)
    assert not await world.exists(CSR, "r", "")


async def test_a_request_goes_when_its_certificate_has_ended(world):
    await ask(world, pem("alice"), expirationSeconds=600)
    await decide(world)
    await world.advance(601, step=300)
    assert not await world.exists(CSR, "r", "")
