"""Services in networks beside the cluster's first one: served, refused where nobody is, and gone with their network."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import pytest
from pod_network import PodNetwork, ask, ip

from ktui.client.informer import Informers
from ktui.engine.api.local import LocalClient
from ktui.engine.api.registry import default_registry
from ktui.engine.api.server import ApiServer
from ktui.engine.network.proxy.networks import ServiceNetworks
from ktui.engine.network.proxy.service_proxy import ServiceProxy
from ktui.engine.network.services import ServiceView
from ktui.engine.store import open_store
from ktui.kube.clock import FakeClock
from ktui.kube.kinds import ENDPOINT_SLICES, SERVICE_CIDRS, SERVICES


def service(address: str) -> dict[str, Any]:
    return {
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"ports": [{"port": 80}], "clusterIP": address},
    }


def slice_to(address: str) -> dict[str, Any]:
    labels = {"kubernetes.io/service-name": "web"}
    return {
        "metadata": {"name": "web-1", "namespace": "default", "labels": labels},
        "addressType": "IPv4",
        "ports": [{"name": "", "port": 8080}],
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
    }


async def test_a_second_network_is_served_as_long_as_it_is_there(
    network: PodNetwork, caplog: pytest.LogCaptureFixture
) -> None:
    settings, pod = network.settings, network.pod()
    await pod.serve(8080)
    more = f"198.18.{secrets.randbelow(256)}"
    store = open_store(None)
    server = ApiServer(store, default_registry(), service_range=settings.service_cidr)
    await server.start()
    client = LocalClient(server, "system:test")
    informers = Informers(client)
    view = ServiceView(informers)
    proxy = ServiceProxy(view, settings, FakeClock(), ServiceNetworks(informers, settings, view.wake))
    tasks = [asyncio.create_task(informers.run()), asyncio.create_task(proxy.run())]

    async def until(condition: str, *, holds: bool = True) -> None:
        while (condition in ip("route")) != holds:
            await asyncio.sleep(0.01)

    async def answer_of(address: str, expected: type[OSError] | None) -> None:
        while True:
            try:
                assert (await ask(address, 80, pod))[0] == pod.address
                found = None
            except OSError as error:
                found = type(error)
            if found == expected:
                return
            await asyncio.sleep(0.01)

    try:
        async with asyncio.timeout(20):
            # What the host reaches by another way stays as it is.
            for name, cidr in (
                ("more", f"{more}.0/25"),
                ("own", settings.pod_cidr),
            ):
                await client.create(SERVICE_CIDRS, {"metadata": {"name": name}, "spec": {"cidrs": [cidr]}})
            ready = {
                "status": {
                    "conditions": [
                        {
                            "type": "Ready",
                            "status": "True",
                            "reason": "",
                            "message": "",
                            "lastTransitionTime": "2026-01-01T00:00:00Z",
                        }
                    ]
                }
            }
            await client.patch(SERVICE_CIDRS, "more", ready, subresource="status")
            await until(f"{more}.0/25 dev {settings.bridge}")
            await answer_of(f"{more}.9", ConnectionRefusedError)
            await client.create(SERVICES, service(f"{more}.9"), "default")
            await client.create(ENDPOINT_SLICES, slice_to(pod.address), "default")
            await answer_of(f"{more}.9", None)
            assert f"{settings.pod_cidr} is not served" in caplog.text
            ip("link", "delete", settings.bridge)
            proxy.table.forget()
            await until(f"{more}.0/25 dev {settings.bridge}")
            await client.delete(SERVICES, "web", "default")
            await client.delete(SERVICE_CIDRS, "more")
            await until(f"{more}.0/25", holds=False)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await store.close()
