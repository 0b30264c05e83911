"""CertificateSigningRequests: who asked, what may be asked, who may approve and sign, what never changes."""

from __future__ import annotations

import base64

import pytest
from certificate_objects import CLIENT, csr, pem
from kind_cases import kind
from rbac_world import Cluster, refused, rule

from ktui.engine.api.documents import decode, encode
from ktui.engine.api.table import table
from ktui.kube.kinds import CERTIFICATE_SIGNING_REQUESTS as CSR


def decided(obj, kind="Approved", **fields):
    condition = {"type": kind, "status": "True", "reason": "Test", "message": "because", **fields}
    status = obj.get("status") or {}
    return {**obj, "status": {**status, "conditions": [*(status.get("conditions") or []), condition]}}


@pytest.fixture
async def cluster(store, clock) -> Cluster:
    return await Cluster.start(store, clock)


def errors(obj):
    return [f"{cause.field}: {cause.message}" for cause in kind("csr").validate_create(obj)]


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ({"usages": []}, "spec.usages: Required value"),
        ({"usages": ["client auth"] * 2}, 'spec.usages[1]: Duplicate value: "client auth"'),
        ({"signerName": ""}, "spec.signerName: Required value"),
        (
            {"signerName": "kubernetes.io/legacy-unknown"},
            'spec.signerName: Invalid value: "kubernetes.io/legacy-unknown": the legacy signerName is not allowed via '
            "this API version",
        ),
        (
            {"signerName": "example.com"},
            'spec.signerName: Invalid value: "example.com": must be a fully qualified domain and path of the form '
            "'example.com/signer-name'",
        ),
        (
            {"signerName": "example/signer"},
            'spec.signerName: Invalid value: "example": should be a domain with at least two segments separated by '
            "dots",
        ),
        (
            {"expirationSeconds": 599},
            "spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 600 seconds (10 minutes)",
        ),
    ],
)
def test_what_a_request_may_not_say(spec, error):
    assert errors(csr(**spec)) == [error]


def test_an_unknown_usage_is_told_what_there_is():
    (error,) = errors(csr(usages=["flying"]))
    assert error.startswith(
        'spec.usages[0]: Unsupported value: "flying": supported values: "any", "cert sign"'
    )


@pytest.mark.parametrize(
    "request_", [b"nonsense", b"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"]
)
def test_a_request_must_be_one(request_):
    (error,) = errors(csr(request=request_))
    assert error.endswith("PEM block type must be CERTIFICATE REQUEST")


def test_a_request_that_was_tampered_with_is_none():
    text = pem()
    at = len(text) // 2
    (error,) = errors(csr(request=text[:at] + (b"B" if text[at : at + 1] != b"B" else b"C") + text[at + 1 :]))
    assert "x509: the" in error


async def test_the_server_says_who_asked(cluster):
    await cluster.role("asks", rule("create", "certificatesigningrequests", CSR.group), namespace="")
    await cluster.bind("asks", "alice", namespace="", kind="ClusterRole")
    alice = cluster.as_user("alice", "dev")
    made = await alice.create(CSR, csr(username="admin", groups=["system:masters"], uid="0"))
    spec = made["spec"]
    assert (spec["username"], spec["groups"]) == ("alice", ["dev", "system:authenticated"])
    assert "uid" not in spec


async def test_nobody_asks_to_be_a_master(cluster):
    error = await refused(cluster.admin.create(CSR, csr(request=pem("eve", "system:masters"))))
    assert error.code == 403
    assert error.message.endswith(f"use of {CLIENT} signer with system:masters group is not allowed")


async def test_what_was_asked_and_its_state_do_not_change_with_the_main_resource(cluster):
    made = await cluster.admin.create(CSR, csr())
    changed = decided({**made, "spec": {**made["spec"], "username": "eve", "usages": ["any"]}})
    changed["metadata"]["labels"] = {"a": "b"}
    updated = await cluster.admin.update(CSR, changed)
    assert updated["spec"] == made["spec"]
    assert "status" not in updated
    assert updated["metadata"]["labels"] == {"a": "b"}


async def test_approving_takes_the_right_on_the_signer(cluster):
    made = await cluster.admin.create(CSR, csr())
    updates = rule("update", "certificatesigningrequests/approval", CSR.group)
    await cluster.role("updates", updates, namespace="")
    await cluster.bind("updates", "bob", namespace="", kind="ClusterRole")
    bob = cluster.as_user("bob")
    error = await refused(bob.update(CSR, decided(made), subresource="approval"))
    assert error.message == (
        'certificatesigningrequests.certificates.k8s.io "alice" is forbidden: user not permitted to approve requests '
        f'with signerName "{CLIENT}"'
    )
    await cluster.role("approves", rule("approve", "signers", CSR.group, ["kubernetes.io/*"]), namespace="")
    await cluster.bind("approves", "bob", namespace="", kind="ClusterRole")
    approved = await bob.update(CSR, decided(made), subresource="approval")
    (condition,) = approved["status"]["conditions"]
    assert condition["lastUpdateTime"] == condition["lastTransitionTime"]


async def test_a_decision_is_final(cluster):
    made = await cluster.admin.create(CSR, csr())
    approved = await cluster.admin.update(CSR, decided(made), subresource="approval")
    error = await refused(cluster.admin.update(CSR, decided(approved, "Denied"), subresource="approval"))
    assert error.causes[0].message == (
        'Invalid value: "Denied": Approved and Denied conditions are mutually exclusive'
    )
    error = await refused(cluster.admin.update(CSR, {**approved, "status": {}}, subresource="approval"))
    assert error.causes[0].message == 'Forbidden: updates may not remove a condition of type "Approved"'


async def test_the_decision_is_not_the_signers(cluster):
    made = await cluster.admin.create(CSR, csr())
    error = await refused(cluster.admin.update(CSR, decided(made), subresource="status"))
    assert error.causes[0].message == 'Forbidden: updates may not add a condition of type "Approved"'


async def test_the_certificate_is_the_signers_and_set_once(cluster):
    made = await cluster.admin.create(CSR, csr())
    garbage = {**made, "status": {"certificate": base64.b64encode(b"x").decode()}}
    approving = await cluster.admin.update(CSR, decided(garbage), subresource="approval")
    assert "certificate" not in approving["status"]
    error = await refused(
        cluster.admin.update(CSR, {**approving, "status": garbage["status"]}, subresource="status")
    )
    assert error.causes[0].field == "status.certificate"
    assert error.causes[0].message.endswith("must contain one or more CERTIFICATE PEM blocks")
    issued = {**approving, "status": {"certificate": base64.b64encode(_certificate()).decode()}}
    signed = await cluster.admin.update(CSR, issued, subresource="status")
    assert [each["type"] for each in signed["status"]["conditions"]] == ["Approved"]
    other = {
        **signed,
        "status": {**signed["status"], "certificate": base64.b64encode(_certificate()).decode()},
    }
    error = await refused(cluster.admin.update(CSR, other, subresource="status"))
    assert error.causes[0].message == "Forbidden: updates may not modify existing certificate content"


def _certificate():
    from ktui.engine.api.pki.issuing import new_authority
    from ktui.kube.clock import RealClock

    return new_authority(RealClock().now()).certificate


async def test_signing_takes_the_right_on_the_signer(cluster):
    made = await cluster.admin.create(CSR, csr())
    await cluster.role("writes", rule("update", "certificatesigningrequests/status", CSR.group), namespace="")
    await cluster.bind("writes", "bob", namespace="", kind="ClusterRole")
    failed = decided(made, "Failed")
    error = await refused(cluster.as_user("bob").update(CSR, failed, subresource="status"))
    assert error.message.endswith(f'user not permitted to sign requests with signerName "{CLIENT}"')


async def test_requests_are_listed_with_their_state_and_found_by_signer(cluster):
    made = await cluster.admin.create(CSR, csr(expirationSeconds=3600))
    declaration = kind("csr")
    now = cluster.server.clock.now()

    def row(obj):
        cells = decode(table(declaration, [encode(obj)], now).rows[0])["cells"]
        return dict(zip((column.name for column in declaration.columns), cells, strict=True))

    assert row(made)["Condition"] == "Pending"
    assert row(made)["RequestedDuration"] == "60m"
    assert row(decided(made))["Condition"] == "Approved"
    assert row(decided(decided(made), "Failed"))["Condition"] == "Approved,Failed"
    issued = {**made, "status": {**decided(made)["status"], "certificate": "x"}}
    assert row(issued)["Condition"] == "Approved,Issued"
    assert declaration.selectable_fields["spec.signerName"](made) == CLIENT


async def test_the_approval_can_be_read(cluster):
    await cluster.admin.create(CSR, csr())
    assert (await cluster.admin.get(CSR, "alice", subresource="approval"))["metadata"]["name"] == "alice"
