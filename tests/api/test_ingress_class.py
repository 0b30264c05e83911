"""An Ingress without a class gets the default one; a class may not contradict the annotation of old."""

from __future__ import annotations

from typing import Any

import pytest

from ktui.engine.api.local import LocalClient
from ktui.engine.api.registry import default_registry
from ktui.engine.api.server import ApiServer
from ktui.engine.store import open_store
from ktui.kube.clock import FakeClock
from ktui.kube.errors import StatusError
from ktui.kube.kinds import INGRESS_CLASSES, INGRESSES
from ktui.kube.resource import Object


@pytest.fixture
async def client(clock: FakeClock):
    store = open_store(None, clock=clock)
    server = ApiServer(store, default_registry(), clock)
    await server.start()
    yield LocalClient(server, "alice")
    await store.close()


def ingress(name: str = "web", annotations: dict[str, str] | None = None, **spec: Any) -> Object:
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    metadata = {"name": name, "namespace": "default", "annotations": annotations or {}}
    return {"metadata": metadata, "spec": {"defaultBackend": backend, **spec}}


def ingress_class(name: str, *, is_default: bool) -> Object:
    mark = {"ingressclass.kubernetes.io/is-default-class": str(is_default).lower()}
    return {"metadata": {"name": name, "annotations": mark}, "spec": {"controller": "ktui.dev/ingress"}}


async def test_the_newest_default_class_is_given(client: LocalClient, clock: FakeClock):
    assert "ingressClassName" not in (await client.create(INGRESSES, ingress("none")))["spec"]
    for name, is_default in (("old", True), ("new", True), ("other", False)):
        await client.create(INGRESS_CLASSES, ingress_class(name, is_default=is_default))
        await clock.advance(5)
    assert (await client.create(INGRESSES, ingress("given")))["spec"]["ingressClassName"] == "new"
    asked = await client.create(INGRESSES, ingress("asked", ingressClassName="other"))
    assert asked["spec"]["ingressClassName"] == "other"


async def test_the_annotation_of_old_names_a_class_too(client: LocalClient):
    await client.create(INGRESS_CLASSES, ingress_class("ktui", is_default=True))
    old = {"kubernetes.io/ingress.class": "nginx"}
    assert "ingressClassName" not in (await client.create(INGRESSES, ingress("old", old)))["spec"]
    with pytest.raises(StatusError) as refused:
        await client.create(INGRESSES, ingress("both", old, ingressClassName="ktui"))
    assert str(refused.value) == (
        'Ingress.networking.k8s.io "both" is invalid: annotations.kubernetes.io/ingress.class: Invalid value: "nginx": '
        "must match `ingressClassName` when both are specified"
    )
