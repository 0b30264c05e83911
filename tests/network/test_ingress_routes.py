"""Which Ingress a request belongs to, by the tables of Kubernetes' documentation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from ktui.engine.api.local import LocalClient
from ktui.engine.api.registry import default_registry
from ktui.engine.api.server import ApiServer
from ktui.engine.network.ingress.certificates import Certificates
from ktui.engine.network.ingress.heads import rewritten
from ktui.engine.network.ingress.keeper import ensure_class
from ktui.engine.network.ingress.part import IngressPart
from ktui.engine.network.ingress.routes import Router
from ktui.engine.network.settings import NetworkSettings
from ktui.engine.store import open_store
from ktui.kube.clock import FakeClock
from ktui.kube.kinds import INGRESS_CLASSES, INGRESSES
from ktui.kube.resource import Object, ObjectKey


def backend(name: str) -> Object:
    return {"service": {"name": name, "port": {"number": 80}}}


def ingress(
    name: str, *rules: tuple[str, str, str], default: str = "", age: int = 0, **annotations: str
) -> Object:
    """Rules are (host, path type and path, service)."""
    by_host: dict[str, list[Object]] = {}
    for host, where, service in rules:
        kind, _, path = where.partition(" ")
        by_host.setdefault(host, []).append({"path": path, "pathType": kind, "backend": backend(service)})
    names = {
        f"nginx.ingress.kubernetes.io/{key.replace('_', '-')}": value for key, value in annotations.items()
    }
    spec: Object = {"rules": [{"host": host, "http": {"paths": paths}} for host, paths in by_host.items()]}
    if default:
        spec["defaultBackend"] = backend(default)
    made = f"2026-01-01T00:00:{age:02}Z"
    metadata = {"name": name, "namespace": "default", "creationTimestamp": made, "annotations": names}
    return {"metadata": metadata, "spec": spec}


def service_for(router: Router, host: str, path: str) -> str:
    route = router.find(host, path)
    return route.backend.service.name if route and route.backend else ""


@pytest.mark.parametrize(
    ("paths", "path", "expected"),
    [
        # https://kubernetes.io/docs/concepts/services-networking/ingress/#examples
        (["Prefix /"], "/any", "Prefix /"),
        (["Exact /foo"], "/foo", "Exact /foo"),
        (["Exact /foo"], "/bar", ""),
        (["Exact /foo"], "/foo/", ""),
        (["Exact /foo/"], "/foo", ""),
        (["Prefix /foo"], "/foo", "Prefix /foo"),
        (["Prefix /foo"], "/foo/", "Prefix /foo"),
        (["Prefix /foo/"], "/foo", "Prefix /foo/"),
        (["Prefix /foo/"], "/foo/", "Prefix /foo/"),
        (["Prefix /aaa/bb"], "/aaa/bbb", ""),
        (["Prefix /aaa/bbb"], "/aaa/bbb", "Prefix /aaa/bbb"),
        (["Prefix /aaa/bbb/"], "/aaa/bbb", "Prefix /aaa/bbb/"),
        (["Prefix /aaa/bbb"], "/aaa/bbb/", "Prefix /aaa/bbb"),
        (["Prefix /aaa/bbb"], "/aaa/bbb/ccc", "Prefix /aaa/bbb"),
        (["Prefix /aaa/bbb"], "/aaa/bbbxyz", ""),
        (["Prefix /", "Prefix /aaa"], "/aaa/ccc", "Prefix /aaa"),
        (["Prefix /", "Prefix /aaa"], "/ccc", "Prefix /"),
        (["Prefix /", "Prefix /aaa", "Prefix /aaa/bbb"], "/aaa/bbb", "Prefix /aaa/bbb"),
        (["Prefix /", "Prefix /aaa", "Prefix /aaa/bbb"], "/aaa/ccc", "Prefix /aaa"),
        (["Prefix /aaa"], "/ccc", ""),
        (["Prefix /foo", "Exact /foo"], "/foo", "Exact /foo"),
        # And case counts, as do slashes.
        (["Prefix /foo"], "/FOO", ""),
        (["Prefix /foo"], "//foo", ""),
    ],
)
def test_paths_match_as_documented(paths: list[str], path: str, expected: str) -> None:
    assert (
        service_for(Router([ingress("i", *(("", each, each) for each in paths))]), "a.test", path) == expected
    )


@pytest.mark.parametrize(
    ("host", "matches"),
    [("bar.foo.com", True), ("baz.bar.foo.com", False), ("foo.com", False), ("xfoo.com", False)],
)
def test_wildcard_hosts_stand_for_one_label(host: str, matches: bool) -> None:
    router = Router([ingress("i", ("*.foo.com", "Prefix /", "web"))])
    assert bool(service_for(router, host, "/")) == matches


def test_the_most_special_host_has_the_request() -> None:
    router = Router(
        [
            ingress("all", ("", "Prefix /", "all"), age=1),
            ingress("wild", ("*.foo.com", "Prefix /", "wild"), age=2),
            ingress("one", ("bar.foo.com", "Prefix /", "one"), age=3),
        ]
    )
    found = [service_for(router, host, "/") for host in ("bar.foo.com", "x.foo.com", "foo.com", "")]
    assert found == ["one", "wild", "all", "all"]


def test_the_older_of_two_has_the_same_rule() -> None:
    rules = [ingress(name, ("a.test", "Prefix /", name), age=age) for name, age in (("new", 2), ("old", 1))]
    assert service_for(Router(rules), "a.test", "/") == "old"


def test_what_no_rule_matches_goes_to_a_default_backend() -> None:
    """https://kubernetes.io/docs/concepts/services-networking/ingress/#default-backend"""
    shop = ingress("shop", ("shop.test", "Prefix /buy", "shop"), default="shop-default", age=1)
    router = Router([shop])
    found = [
        service_for(router, *where) for where in (("shop.test", "/buy"), ("shop.test", "/"), ("b.test", "/"))
    ]
    assert found == ["shop", "shop-default", "shop-default"]
    router = Router([shop, ingress("rest", default="rest", age=2)])
    found = [service_for(router, *where) for where in (("shop.test", "/"), ("b.test", "/"))]
    assert found == ["shop-default", "rest"]


@pytest.mark.parametrize(
    ("target", "path", "asked", "sent"),
    [
        ("/", "/api", "/api/v1?x=1", "/?x=1"),
        ("/$2", "/api(/|$)(.*)", "/api/v1/pods?x=1", "/v1/pods?x=1"),
        ("/$2", "/api(/|$)(.*)", "/api", "/"),
        ("/v2/$1$3", "/api/(.*)", "/API/x", "/v2/x"),
        ("", "/api", "/api/v1", "/api/v1"),
    ],
)
def test_a_rewrite_names_what_the_path_matched(target: str, path: str, asked: str, sent: str) -> None:
    router = Router(
        [
            ingress(
                "i",
                ("", f"ImplementationSpecific {path}", "web"),
                ("", "Prefix /", "rest"),
                rewrite_target=target,
            )
        ]
    )
    route = router.find("", asked.partition("?")[0])
    assert route is not None
    assert (route.backend or route).service.name == "web"  # type: ignore[union-attr] - checked by the line itself
    assert rewritten(route, asked) == sent


def test_a_path_that_is_no_expression_harms_no_other() -> None:
    rules = ("", "ImplementationSpecific /api(", "web"), ("", "Exact /", "rest")
    assert service_for(Router([ingress("i", *rules, use_regex="true")]), "", "/") == "rest"


def test_an_encrypted_key_is_told_and_asks_nobody_for_its_password(caplog: pytest.LogCaptureFixture) -> None:
    import base64

    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        PrivateFormat,
        load_pem_private_key,
    )

    from ktui.engine.network.ingress.self_signed import self_signed

    certificate, key = self_signed("a.test")
    secret = load_pem_private_key(key, None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"word")
    )
    pair = {"tls.crt": certificate, "tls.key": secret}
    certificates = Certificates(lambda _: ObjectKey("default", "tls"))
    data = {name: base64.b64encode(value).decode() for name, value in pair.items()}
    certificates.put(ObjectKey("default", "tls"), {"data": data})
    assert not certificates.has("a.test")
    assert "holds no certificate with its key" in caplog.text


class World:
    """A cluster in memory with the ingress controller."""

    def __init__(self, client: LocalClient, folder: Path) -> None:
        self.client = client
        self.clock = FakeClock()
        settings = NetworkSettings(engine="0a0a0a0a", node="this", host_address="192.0.2.9")
        self.part = IngressPart(client, settings, folder, self.clock)

    async def create(self, class_name: str = "") -> None:
        made = ingress("web", ("a.test", "Prefix /", "web"))
        spec = {**made["spec"], **({"ingressClassName": class_name} if class_name else {})}
        await self.client.create(
            INGRESSES,
            {**made, "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "spec": spec},
            "default",
        )

    async def until(self, check: Callable[[Object], bool]) -> Object:
        async with asyncio.timeout(10):
            while not check(found := await self.client.get(INGRESSES, "web", "default")):
                await asyncio.sleep(0.01)
        return found


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    store = open_store(None)
    server = ApiServer(store, default_registry())
    await server.start()
    made = World(LocalClient(server, "system:test"), tmp_path)
    running = asyncio.create_task(made.part.run())
    yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await store.close()


def addresses(found: Object) -> Any:
    return ((found.get("status") or {}).get("loadBalancer") or {}).get("ingress")


async def test_an_ingress_that_is_not_served_any_more_says_no_address(world: World) -> None:
    await ensure_class(world.client)
    await world.create()
    found = await world.until(lambda found: bool(addresses(found)))
    assert found["spec"]["ingressClassName"] == "ktui"
    assert addresses(found)[0]["ip"] == "192.0.2.9"
    changed = {**found, "spec": {**found["spec"], "ingressClassName": "other"}}
    await world.client.update(INGRESSES, changed)
    await world.until(lambda found: not addresses(found))


async def test_another_controllers_address_is_its_own(world: World) -> None:
    await ensure_class(world.client)
    await world.create("other")
    found = await world.client.get(INGRESSES, "web", "default")
    theirs = {"loadBalancer": {"ingress": [{"ip": "192.0.2.9"}]}}
    await world.client.update(INGRESSES, {**found, "status": theirs}, subresource="status")
    await world.part.serving.wait()
    await asyncio.sleep(0.05)
    assert addresses(await world.client.get(INGRESSES, "web", "default")) == theirs["loadBalancer"]["ingress"]


async def test_rules_are_followed_while_statuses_cannot_be_written(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object, **__: object) -> Object:
        raise ConnectionRefusedError("the API is away")

    await ensure_class(world.client)
    await world.part.serving.wait()
    monkeypatch.setattr(world.client, "patch", refuse)
    await world.create()
    async with asyncio.timeout(10):
        while not world.clock.sleepers:
            await asyncio.sleep(0.01)
        proxy = world.part._proxy  # pyright: ignore[reportPrivateUsage] - the test looks inside
        assert proxy.route("b.test", "/") is None
        found = await world.client.get(INGRESSES, "web", "default")
        rules = [{**rule, "host": "b.test"} for rule in found["spec"]["rules"]]
        await world.client.update(INGRESSES, {**found, "spec": {**found["spec"], "rules": rules}})
        while proxy.route("b.test", "/") is None:
            await asyncio.sleep(0.01)


async def test_the_class_is_made_in_a_cluster_without_one_only(world: World) -> None:
    for _ in range(2):
        await ensure_class(world.client)
    assert len((await world.client.list(INGRESS_CLASSES)).raw) == 1
