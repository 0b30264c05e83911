"""Certificates on the wire: whose are believed, for how long; the server's own are renewed while it runs."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from http_wire import Wire, served_over_tls

from ktui.engine.api.authn.certificates import CertificateError, ClientCertificates
from ktui.engine.api.pki.folder import Pki
from ktui.engine.api.pki.issuing import Pair, client_pair, expires, server_pair
from ktui.kube.clock import FakeClock, RealClock

MASTERS = ("system:masters",)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
async def wire(tmp_path: Path) -> AsyncIterator[Wire]:
    async with served_over_tls(tmp_path) as wire:
        yield wire


def showing(wire: Wire, pair: Pair) -> ssl.SSLContext:
    """TLS as a client that shows this certificate."""
    context = wire.context()
    path = wire.data_dir / "shown.pem"
    path.write_bytes(pair.certificate + pair.key)
    context.load_cert_chain(path)
    return context


def authority(folder: Path) -> Pair:
    return Pair((folder / "ca.crt").read_bytes(), (folder / "ca.key").read_bytes())


def stranger(folder: Path) -> Pair:
    other = Pki(folder)
    other.prepare(["localhost"], RealClock().now())
    return other.issue("admin", MASTERS, RealClock().now())


async def test_a_certificate_of_another_authority_is_unauthorized_everywhere(wire: Wire, tmp_path: Path):
    tls = showing(wire, stranger(tmp_path / "other"))
    for path in ("/api/v1/pods", "/healthz", "/version"):
        code, answer = await wire.call("GET", path, tls=tls)
        assert (code, answer["reason"], answer["message"]) == (401, "Unauthorized", "Unauthorized")


async def test_a_certificate_that_has_ended_is_unauthorized(wire: Wire):
    ours = authority(wire.data_dir / "pki")
    before = RealClock().now() - timedelta(days=2)
    tls = showing(wire, client_pair(ours, "admin", MASTERS, before, timedelta(days=1)))
    code, answer = await wire.call("GET", "/api/v1/pods", tls=tls)
    assert (code, answer["message"]) == (401, "Unauthorized")


async def test_a_servers_certificate_is_no_clients(wire: Wire):
    ours = authority(wire.data_dir / "pki")
    tls = showing(wire, server_pair(ours, ["localhost"], RealClock().now()))
    assert (await wire.call("GET", "/version", tls=tls))[0] == 401


async def test_a_token_counts_where_a_certificate_does_not(wire: Wire, tmp_path: Path):
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "bot"}}
    await wire.call("POST", "/api/v1/namespaces/default/serviceaccounts", json=account)
    path = "/api/v1/namespaces/default/serviceaccounts/bot/token"
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": []}}
    _, answer = await wire.call("POST", path, json=request)
    tls = showing(wire, stranger(tmp_path / "other"))
    bearer = {"Authorization": f"Bearer {answer['status']['token']}"}
    code, _ = await wire.call("GET", "/apis", tls=tls, headers=bearer)
    assert code == 200
    code, _ = await wire.call("GET", "/apis", tls=tls, headers={"Authorization": "Bearer x"})
    assert code == 401


async def test_the_refusal_is_in_the_audit_log_without_a_name(wire: Wire, tmp_path: Path):
    await wire.call("GET", "/api/v1/pods", tls=showing(wire, stranger(tmp_path / "other")))
    line = (wire.data_dir / "audit.log").read_text().splitlines()[-1]
    assert '"code":401' in line
    assert '"user":{}' in line


def test_whom_a_certificate_names_and_for_how_long(tmp_path: Path):
    pki = Pki(tmp_path)
    pki.prepare(["localhost"], NOW)
    certificates = ClientCertificates()
    pair = pki.issue("alice", ("dev", "ops", "dev"), NOW, timedelta(days=1))
    der = ssl.PEM_cert_to_DER_cert(pair.certificate.decode())
    with pytest.raises(CertificateError, match="unknown authority"):
        certificates.named(der)
    certificates.trust(pki.authority)
    named = certificates.named(der)
    assert named is not None
    assert (named.user.name, named.user.groups) == ("alice", ("dev", "ops", "system:authenticated"))
    named.check(NOW + timedelta(hours=23))
    with pytest.raises(CertificateError, match="has expired"):
        named.check(NOW + timedelta(hours=25))
    with pytest.raises(CertificateError, match="not yet valid"):
        named.check(NOW - timedelta(hours=1))
    with pytest.raises(CertificateError):
        certificates.named(der[:-1] + bytes([der[-1] ^ 1]))
    with pytest.raises(CertificateError):
        certificates.named(b"nonsense")


async def test_the_servers_certificate_is_renewed_while_it_runs(tmp_path: Path):
    """Started almost a year ago as its clock tells; now comes the month before the end."""
    clock = FakeClock(RealClock().now() - timedelta(days=340))
    async with served_over_tls(tmp_path, clock=clock) as wire:
        running = asyncio.create_task(wire.secure.run())
        try:
            async with asyncio.timeout(30):
                before = await certificate_of(wire)
                kubeconfig = (tmp_path / "kubeconfig").read_bytes()
                kept = wire.context("alice", *MASTERS)
                for days in (336, 1, 1):
                    while not clock.sleepers:
                        await asyncio.sleep(0.01)
                    await clock.advance(days * 24 * 3600)
                while await certificate_of(wire) == before:
                    await asyncio.sleep(0.05)
                while (tmp_path / "kubeconfig").read_bytes() == kubeconfig:
                    await asyncio.sleep(0.05)
                after = await certificate_of(wire)
                assert expires(after) > expires(before) + timedelta(days=300)
                assert (await wire.call("GET", "/api/v1/pods", tls=kept))[0] == 200
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def certificate_of(wire: Wire) -> bytes:
    """What a new connection is shown."""
    host, port = wire.secure.url.removeprefix("https://").split(":")
    _, writer = await asyncio.open_connection(host, int(port), ssl=wire.context())
    der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return ssl.DER_cert_to_PEM_cert(der).encode()
