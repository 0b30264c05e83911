"""Kinds of one's own on the screen: their columns, live; scaled, described, and what is said once they are gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from test_browser import browsing
from tui_cluster import TuiCluster, until

from ktui.kube.kinds import CUSTOM_RESOURCE_DEFINITIONS
from ktui.kube.resource import Object, Resource

SHIPS = Resource("sea.example.com", "v1", "ships", "Ship", True, "ship", ("sh",))


def definition() -> Object:
    schema: Object = {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "properties": {"port": {"type": "string"}, "crew": {"type": "integer", "default": 2}},
            },
            "status": {
                "type": "object",
                "properties": {"at": {"type": "string"}, "crew": {"type": "integer"}},
            },
        },
    }
    columns = [
        {"name": "Port", "type": "string", "jsonPath": ".spec.port"},
        {"name": "Crew", "type": "integer", "jsonPath": ".spec.crew"},
        {"name": "At", "type": "string", "jsonPath": ".status.at", "priority": 1},
        {"name": "Built", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]
    version: Object = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {
            "status": {},
            "scale": {"specReplicasPath": ".spec.crew", "statusReplicasPath": ".status.crew"},
        },
        "additionalPrinterColumns": columns,
    }
    return {
        "metadata": {"name": "ships.sea.example.com"},
        "spec": {
            "group": "sea.example.com",
            "scope": "Namespaced",
            "names": {"plural": "ships", "singular": "ship", "kind": "Ship", "shortNames": ["sh"]},
            "versions": [version],
        },
    }


@asynccontextmanager
async def at_sea(cluster: TuiCluster) -> AsyncIterator[None]:
    """The server follows definitions, and there are ships."""
    running = asyncio.create_task(cluster.server.run())
    try:
        await cluster.client.create(CUSTOM_RESOURCE_DEFINITIONS, definition())
        async with asyncio.timeout(10):
            while cluster.server.registry.of(SHIPS) is None:
                await asyncio.sleep(0.01)
        for name, port in (("argo", "Iolcus"), ("beagle", "Plymouth")):
            await cluster.client.create(
                SHIPS, {"metadata": {"name": name}, "spec": {"port": port}}, "default"
            )
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_kind_of_ones_own_has_its_columns_and_is_live(cluster: TuiCluster) -> None:
    async with at_sea(cluster), browsing(cluster, size=(120, 24), command="ship") as browser:
        await browser.shows("argo", "beagle")
        heading = next(line for line in browser.text.splitlines() if "NAME" in line)
        assert heading.replace("↑", "").split() == ["NAME", "PORT", "CREW", "BUILT"]
        assert "Iolcus" in browser.text
        await cluster.client.patch(SHIPS, "argo", {"spec": {"port": "Colchis"}}, "default")
        await browser.says("Colchis")
        await cluster.client.patch(
            SHIPS, "argo", {"status": {"at": "Lemnos"}}, "default", subresource="status"
        )
        await browser.pilot.press("ctrl+w")
        await browser.says("Lemnos")
        assert "AT" in browser.text

        await browser.pilot.press("s")
        await browser.says("Scale ship/argo to")
        await browser.pilot.press("end", "backspace", "5", "0", "enter")
        await browser.says("Scaled ship/argo to 50")
        await until(browser.pilot, lambda: "50" in browser.text)
        assert (await cluster.client.get(SHIPS, "argo", "default"))["spec"]["crew"] == 50
        await browser.pilot.press("d")
        await browser.says("Port:  Colchis")
        await browser.pilot.press("escape", "y")
        await browser.says("kind: Ship")


async def test_a_kind_that_goes_says_so(cluster: TuiCluster) -> None:
    async with at_sea(cluster), browsing(cluster, size=(120, 24), command="sh") as browser:
        await browser.shows("argo", "beagle")
        await cluster.client.delete(CUSTOM_RESOURCE_DEFINITIONS, "ships.sea.example.com")
        await browser.says("the server could not find the requested resource")
        await browser.pilot.press(":", *"pods", "enter")
        await until(browser.pilot, lambda: browser.screen.view.resource.key == "pods")
