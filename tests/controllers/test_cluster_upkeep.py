"""What keeps the cluster's own objects: storage versions migrated, requests of pods cleaned up, trust published."""

from __future__ import annotations

import asyncio
import base64

import pytest
from controllers_world import World

from ktui.engine.api.pki.issuing import new_authority
from ktui.engine.controllers.podcertificatecleaner import PodCertificateCleaner
from ktui.engine.controllers.runtime import ControllerRunner
from ktui.engine.controllers.storageversionmigrator import StorageVersionMigrator
from ktui.engine.controllers.trustbundles import SIGNER, TrustBundlePublisher
from ktui.engine.store.base import Key
from ktui.kube.kinds import CLUSTER_TRUST_BUNDLES as BUNDLES
from ktui.kube.kinds import CUSTOM_RESOURCE_DEFINITIONS as CRDS
from ktui.kube.kinds import POD_CERTIFICATE_REQUESTS as REQUESTS
from ktui.kube.kinds import STORAGE_VERSION_MIGRATIONS as MIGRATIONS
from ktui.kube.resource import Resource


@pytest.fixture
async def world():
    world = World()
    authority = new_authority(world.clock.now()).certificate
    world.authority = authority.decode() if isinstance(authority, bytes) else authority
    world.controllers = [
        StorageVersionMigrator(world.client, world.clock),
        PodCertificateCleaner(world.client, world.clock),
        TrustBundlePublisher(world.client, world.authority),
    ]
    world.runner = ControllerRunner(world.controllers, world.informers, world.clock)
    await world.start()
    yield world
    await world.stop()


def version(name, *, storage):
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {"name": name, "served": True, "storage": storage, "schema": schema}


async def test_a_kind_is_written_anew_in_the_version_it_is_stored_in(world):
    serving = asyncio.create_task(world.server.run())
    try:
        names = {"plural": "widgets", "kind": "Widget"}
        spec = {"group": "example.com", "scope": "Namespaced", "names": names}
        both = [version("v1", storage=True), version("v2", storage=False)]
        definition = {"metadata": {"name": "widgets.example.com"}, "spec": {**spec, "versions": both}}
        await world.client.create(CRDS, definition)
        await world.settle()
        widgets = Resource("example.com", "v1", "widgets", "Widget", True)
        for name in ("a", "b"):
            widget = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": name}, "x": 1}
            await world.client.create(widgets, widget, "default")
        moved = [version("v1", storage=False), version("v2", storage=True)]
        await world.client.patch(CRDS, "widgets.example.com", {"spec": {"versions": moved}})
        await world.settle()
        stored = Key(widgets.key, "default", "a")
        assert b"example.com/v1" in world.store.get(stored).data
        wanted = {"resource": {"group": "example.com", "resource": "widgets"}}
        await world.client.create(MIGRATIONS, {"metadata": {"name": "m"}, "spec": wanted})
        await world.settle()
        found = await world.client.get(MIGRATIONS, "m")
        held = {each["type"]: each["message"] for each in found["status"]["conditions"]}
        assert held == {
            "Running": "The migration is running, 2 objects verified migrated",
            "Succeeded": "Migration completed",
        }
        assert b"example.com/v2" in world.store.get(stored).data
        kept = await world.client.get(CRDS, "widgets.example.com")
        assert kept["status"]["storedVersions"] == ["v2"]
        revision = world.store.revision
        await world.client.patch(widgets, "a", {"x": 1}, "default")
        assert world.store.revision == revision
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


async def test_what_there_is_no_kind_of_is_not_migrated(world):
    spec = {"resource": {"resource": "foo"}}
    await world.client.create(MIGRATIONS, {"metadata": {"name": "m"}, "spec": spec})
    await world.settle()
    assert "status" not in await world.client.get(MIGRATIONS, "m")
    await world.advance(66, step=6)
    (condition,) = (await world.client.get(MIGRATIONS, "m"))["status"]["conditions"]
    assert (condition["type"], condition["message"]) == (
        "Failed",
        "migration encountered unhandled error: resource does not exist in discovery",
    )


async def test_requests_of_pods_are_gone_after_half_an_hour(world):
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    stub = x509.CertificateSigningRequestBuilder(x509.Name([])).sign(key, hashes.SHA256())
    names = {f"{of}Name": "x" for of in ("pod", "serviceAccount", "node")}
    uids = {f"{of}UID": "u" for of in ("pod", "serviceAccount", "node")}
    encoded = base64.b64encode(stub.public_bytes(serialization.Encoding.DER)).decode()
    spec = {"signerName": "a.b/c", **names, **uids, "stubPKCS10Request": encoded}
    await world.client.create(REQUESTS, {"metadata": {"name": "r"}, "spec": spec}, "default")
    await world.advance(1790, step=1790)
    assert await world.exists(REQUESTS, "r")
    await world.advance(20, step=20)
    assert not await world.exists(REQUESTS, "r")


async def test_the_authority_of_the_api_server_can_be_mounted(world):
    async def bundles():
        found = (await world.client.list(BUNDLES)).items
        return {bundle["metadata"]["name"]: bundle["spec"] for bundle in found}

    ((name, spec),) = (await bundles()).items()
    assert name.startswith("kubernetes.io:kube-apiserver-serving:") and spec["trustBundle"] == world.authority
    older = {"signerName": SIGNER, "trustBundle": world.authority}
    await world.client.create(BUNDLES, {"metadata": {"name": f"{name}0"}, "spec": older})
    await world.client.delete(BUNDLES, name)
    await world.settle()
    assert await bundles() == {name: spec}
