"""Aggregated API servers: reached through their Service, believed by the front proxy's certificate, part of discovery."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from http_wire import Wire, served_over_tls
from webhook_server import certificate

from ktui.client.base import ListOptions
from ktui.engine.api.aggregation.authentication import publish
from ktui.engine.api.aggregation.priorities import in_order
from ktui.engine.api.local import LocalClient
from ktui.engine.api.pki.folder import Pki
from ktui.kube.clock import RealClock
from ktui.kube.errors import StatusError
from ktui.kube.kinds import API_SERVICES, CONFIG_MAPS, ENDPOINT_SLICES, NAMESPACES, SERVICES
from ktui.kube.resource import Object, Resource

PATH = "/apis/things.test/v1"
THING = {"apiVersion": "things.test/v1", "kind": "Thing", "metadata": {"name": "a"}}
SCHEMA = {"type": "object", "properties": {"metadata": {"type": "object"}}}
DOCUMENTS: dict[str, Any] = {
    PATH: {
        "kind": "APIResourceList",
        "groupVersion": "things.test/v1",
        "resources": [
            {
                "name": "things",
                "singularName": "thing",
                "namespaced": True,
                "kind": "Thing",
                "verbs": ["get"],
            },
            {
                "name": "things/status",
                "singularName": "",
                "namespaced": True,
                "kind": "Thing",
                "verbs": ["get"],
            },
        ],
    },
    "/openapi/v2": {
        "paths": {f"{PATH}/things": {"get": {"schema": {"$ref": "#/definitions/test.Thing"}}}, "/x": {}},
        "definitions": {"test.Thing": SCHEMA, "test.Other": SCHEMA},
    },
    "/openapi/v3": {"paths": {PATH[1:]: {"serverRelativeURL": f"/openapi/v3{PATH}?hash=ABC"}}},
    f"/openapi/v3{PATH}": {"openapi": "3.0.0"},
    f"{PATH}/namespaces/default/things": {"kind": "ThingList", "items": [THING]},
}


class Remote:
    """An API server that says who asked it."""

    def __init__(self) -> None:
        self.port = 0
        self.asked: list[web.Request] = []
        self.is_well = True
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)

    async def _answer(self, request: web.Request) -> web.Response:
        self.asked.append(request)
        if not self.is_well:
            return web.json_response({}, status=500)
        if request.path.endswith("/away"):
            return web.Response(status=302, headers={"Location": "https://elsewhere.test/"})
        if request.method == "POST":
            return web.json_response(json.loads(await request.read()), status=201)
        found = DOCUMENTS.get(request.path)
        return web.json_response(found) if found else web.json_response({"code": 404}, status=404)

    async def start(self, folder: Path, clients: bytes) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        for name, content in zip(("crt", "key"), certificate(), strict=True):
            (folder / f"tls.{name}").write_bytes(content)
        context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
        context.load_verify_locations(cadata=clients.decode())
        context.verify_mode = ssl.CERT_REQUIRED
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=context).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def dial(self, namespace: str, name: str, port: int) -> tuple[object, object]:
        assert (namespace, name, port) == ("tools", "hook", 443)
        return await asyncio.open_connection("127.0.0.1", self.port)


@pytest.fixture
async def wire(tmp_path: Path) -> AsyncIterator[Wire]:
    async with served_over_tls(tmp_path) as wire:
        pki = Pki(tmp_path / "pki")
        pki.prepare_front_proxy(RealClock().now())
        await publish(wire.server, pki)
        yield wire


@pytest.fixture
async def remote(wire: Wire, tmp_path: Path) -> AsyncIterator[Remote]:
    remote = Remote()
    await remote.start(tmp_path, Pki(tmp_path / "pki").front_proxy_authority)
    wire.server.aggregator.reaching.dial = remote.dial
    yield remote
    await remote.stop()


def _api_service(**spec: Any) -> Object:
    return {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": "v1.things.test"},
        "spec": {
            "group": "things.test",
            "version": "v1",
            "groupPriorityMinimum": 2000,
            "versionPriority": 10,
            "service": {"namespace": "tools", "name": "hook"},
            "caBundle": base64.b64encode(certificate()[0]).decode(),
            **spec,
        },
    }


async def _condition(client: LocalClient) -> tuple[str, str, str]:
    found = (await client.get(API_SERVICES, "v1.things.test"))["status"]["conditions"][0]
    return found["status"], found["reason"], found["message"]


async def _listed(client: LocalClient, name: str) -> Sequence[Object]:
    return (
        await client.list(API_SERVICES, options=ListOptions(field_selector=f"metadata.name={name}"))
    ).items


async def _with_endpoints(client: LocalClient) -> None:
    await client.create(NAMESPACES, {"metadata": {"name": "tools"}})
    await client.create(SERVICES, {"metadata": {"name": "hook"}, "spec": {"ports": [{"port": 443}]}}, "tools")
    endpoints = {
        "metadata": {"name": "hook-1", "labels": {"kubernetes.io/service-name": "hook"}},
        "addressType": "IPv4",
        "ports": [{"name": "", "port": 8443}],
        "endpoints": [{"addresses": ["10.0.0.9"], "conditions": {"ready": True}}],
    }
    await client.create(ENDPOINT_SLICES, endpoints, "tools")


@pytest.fixture
async def client(wire: Wire) -> LocalClient:
    return LocalClient(wire.server, "alice")


@pytest.fixture
async def served(wire: Wire, remote: Remote, client: LocalClient) -> Remote:
    await _with_endpoints(client)
    await client.create(API_SERVICES, _api_service())
    assert await wire.server.aggregator.check()
    remote.asked.clear()
    return remote


async def test_requests_are_handed_on_with_the_name_of_who_asks(wire: Wire, served: Remote):
    bob = wire.context("bob", "system:masters")
    headers = {"X-Remote-User": "root", "X-Remote-Group": "kings"}
    path = f"{PATH}/namespaces/default/things"
    code, listed = await wire.call("GET", f"{path}?limit=5", tls=bob, headers=headers)
    assert (code, listed["items"]) == (200, [THING])
    code, made = await wire.call("POST", path, tls=bob, json=THING)
    assert (code, made) == (201, THING)
    asked = served.asked[0]
    assert asked.query_string == "limit=5"
    assert asked.headers.getall("X-Remote-User") == ["bob"]
    assert asked.headers.getall("X-Remote-Group") == ["system:masters", "system:authenticated"]
    assert "Authorization" not in asked.headers


async def test_our_own_parts_read_what_it_serves(wire: Wire, served: Remote):
    aggregator = wire.server.aggregator
    assert aggregator.versions("things.test") == ["v1"]
    assert aggregator.versions("apps") == []
    found = await aggregator.read(f"{PATH}/namespaces/default/things?labelSelector=a%3Db")
    assert found["items"] == [THING]
    assert served.asked[-1].query["labelSelector"] == "a=b"
    with pytest.raises(StatusError) as caught:
        await aggregator.read(f"{PATH}/nothing")
    assert caught.value.code == 404
    served.is_well = False
    assert not await aggregator.check()
    with pytest.raises(StatusError) as caught:
        await aggregator.read(f"{PATH}/namespaces/default/things")
    assert caught.value.code == 503


async def test_who_may_not_is_not_handed_on(wire: Wire, served: Remote):
    path = f"{PATH}/namespaces/default/things"
    code, refused = await wire.call("GET", path, tls=wire.context("bob"))
    assert (code, served.asked) == (403, [])
    assert 'cannot list resource "things" in API group "things.test"' in refused["message"]
    code, refused = await wire.call("GET", f"{path}/away")
    assert (code, "attempted to redirect" in refused["message"]) == (502, True)


async def test_discovery_and_openapi_tell_of_it(wire: Wire, served: Remote):
    _, groups = await wire.call("GET", "/apis")
    names = [group["name"] for group in groups["groups"]]
    assert names[0] == "apiregistration.k8s.io"
    assert names.index("storagemigration.k8s.io") < names.index("things.test") < names.index("ktui.dev")
    _, told = await wire.call(
        "GET", "/apis", accept="application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    )
    item = next(each for each in told["items"] if each["metadata"]["name"] == "things.test")["versions"][0]
    assert (item["freshness"], item["resources"][0]["resource"]) == ("Current", "things")
    assert item["resources"][0]["subresources"][0]["subresource"] == "status"
    _, group = await wire.call("GET", "/apis/things.test")
    assert group["preferredVersion"]["groupVersion"] == "things.test/v1"
    assert (await wire.call("GET", PATH))[1] == DOCUMENTS[PATH]
    _, version_2 = await wire.call("GET", "/openapi/v2")
    assert "test.Thing" in version_2["definitions"] and "test.Other" not in version_2["definitions"]
    assert f"{PATH}/things" in version_2["paths"] and "/x" not in version_2["paths"]
    _, index = await wire.call("GET", "/openapi/v3")
    assert index["paths"][PATH[1:]]["serverRelativeURL"] == f"/openapi/v3{PATH}?hash=ABC"
    assert (await wire.call("GET", f"/openapi/v3{PATH}"))[1] == {"openapi": "3.0.0"}


async def test_what_is_amiss_is_told_until_it_is_well(wire: Wire, remote: Remote, client: LocalClient):
    aggregator = wire.server.aggregator
    await client.create(API_SERVICES, _api_service())
    assert not await aggregator.check()
    missing = 'service/hook in "tools" is not present'
    assert await _condition(client) == ("False", "ServiceNotFound", missing)
    code, refused = await wire.call("GET", f"{PATH}/things")
    assert (code, refused["reason"], refused["message"]) == (503, "ServiceUnavailable", "service unavailable")
    await _with_endpoints(client)
    remote.is_well = False
    assert not await aggregator.check()
    status, reason, message = await _condition(client)
    assert (status, reason, message.endswith(f"{PATH}: bad status: 500")) == (
        "False",
        "FailedDiscoveryCheck",
        True,
    )
    remote.is_well = True
    assert await aggregator.check()
    assert await _condition(client) == ("True", "Passed", "all checks passed")
    await client.patch(ENDPOINT_SLICES, "hook-1", {"endpoints": []}, "tools")
    assert not await aggregator.check()
    assert (await _condition(client))[1] == "MissingEndpoints"
    _, groups = await wire.call("GET", "/apis")
    assert "things.test" not in [group["name"] for group in groups["groups"]]


async def test_a_server_has_to_prove_who_it_is(wire: Wire, remote: Remote, client: LocalClient):
    await _with_endpoints(client)
    await client.create(API_SERVICES, _api_service(caBundle=None))
    assert not await wire.server.aggregator.check()
    assert "certificate verify failed" in (await _condition(client))[2]
    await client.patch(API_SERVICES, "v1.things.test", {"spec": {"insecureSkipTLSVerify": True}})
    assert await wire.server.aggregator.check()


async def test_a_service_may_stand_for_what_is_outside_of_the_cluster(
    wire: Wire, client: LocalClient, monkeypatch: pytest.MonkeyPatch
):
    """An ExternalName, and endpoints that are no pods; a pod that isn't there is no endpoint."""
    dialled: list[tuple[str, int]] = []

    async def dial(host: str, port: int) -> tuple[object, object]:
        dialled.append((host, port))
        return object(), object()

    monkeypatch.setattr(asyncio, "open_connection", dial)
    await _with_endpoints(client)
    named = {"metadata": {"name": "far"}, "spec": {"type": "ExternalName", "externalName": "far.test"}}
    await client.create(SERVICES, named, "tools")
    await wire.server.proxies.dial_service("tools", "hook", 443)
    await wire.server.proxies.dial_service("tools", "far", 8443)
    assert dialled == [("10.0.0.9", 8443), ("far.test", 8443)]
    pod = {"addresses": ["10.0.0.9"], "targetRef": {"kind": "Pod", "name": "gone", "namespace": "tools"}}
    await client.patch(ENDPOINT_SLICES, "hook-1", {"endpoints": [pod]}, "tools")
    with pytest.raises(StatusError, match="no endpoints available for service"):
        await wire.server.proxies.dial_service("tools", "hook", 443)


async def test_every_version_served_here_has_an_apiservice(wire: Wire, client: LocalClient):
    running = asyncio.create_task(wire.server.run())
    try:
        async with asyncio.timeout(20):
            while len(found := (await client.list(API_SERVICES)).items) < 10:
                await asyncio.sleep(0.02)
            uid = (await client.get(API_SERVICES, "v1.apps"))["metadata"]["uid"]
            await client.delete(API_SERVICES, "v1.apps")
            while not [each for each in await _listed(client, "v1.apps") if each["metadata"]["uid"] != uid]:
                await asyncio.sleep(0.02)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    apps = next(each for each in found if each["metadata"]["name"] == "v1.apps")
    assert apps["spec"] == {
        "group": "apps",
        "version": "v1",
        "groupPriorityMinimum": 17800,
        "versionPriority": 15,
    }
    assert apps["metadata"]["labels"] == {"kube-aggregator.kubernetes.io/automanaged": "onstart"}
    assert apps["status"]["conditions"][0]["reason"] == "Local"
    _, table = await wire.call(
        "GET",
        "/apis/apiregistration.k8s.io/v1/apiservices/v1.apps",
        accept="application/json;as=Table;v=v1;g=meta.k8s.io",
    )
    assert table["rows"][0]["cells"][:3] == ["v1.apps", "Local", "True"]


async def test_servers_learn_whom_to_believe(wire: Wire, client: LocalClient):
    config = await client.get(CONFIG_MAPS, "extension-apiserver-authentication", "kube-system")
    pki = Pki(wire.data_dir / "pki")
    assert config["data"]["client-ca-file"] == pki.authority.decode()
    assert config["data"]["requestheader-client-ca-file"] == pki.front_proxy_authority.decode()
    assert config["data"]["requestheader-allowed-names"] == '["front-proxy-client"]'


@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        ({"version": "V1"}, {"metadata.name", "spec.version"}),
        (
            {"groupPriorityMinimum": 0, "versionPriority": 1001},
            {"spec.groupPriorityMinimum", "spec.versionPriority"},
        ),
        ({"service": None}, {"spec.caBundle"}),
        ({"service": {"port": 70000}}, {"spec.service.name", "spec.service.namespace", "spec.service.port"}),
        ({"insecureSkipTLSVerify": True}, {"spec.insecureSkipTLSVerify"}),
    ],
)
async def test_an_apiservice_has_to_make_sense(client: LocalClient, spec: Object, fields: set[str]):
    with pytest.raises(Exception, match="is invalid") as refused:
        await client.create(API_SERVICES, _api_service(**spec))
    assert {cause.field for cause in refused.value.causes} == fields


def test_newer_and_more_mature_versions_come_first():
    versions = ("v1alpha1", "v2beta1", "v1", "odd", "v2")
    resources = [Resource("x.test", version, "xs", "X", True) for version in versions]
    ordered = [each.version for each in in_order(resources, {("x.test", "v1alpha1"): (5, 500)})]
    assert ordered == ["v1alpha1", "v2", "v1", "v2beta1", "odd"]
