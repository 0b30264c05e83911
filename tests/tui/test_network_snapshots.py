"""How services, the tree around one and the forward's dialog look, as SVG."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from test_network_views import endpoints, ingress, service
from textual.pilot import Pilot
from textual.widgets import Footer
from tui_cluster import TuiCluster, screen_text, until

from ktui.app import DARK, AppSettings, KtuiApp
from ktui.kube.clock import FakeClock
from ktui.kube.kinds import ENDPOINT_SLICES, INGRESSES
from ktui.screens.cluster_bar import ClusterBar
from ktui.screens.session import Connection
from ktui.widgets import flashes

START = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


def network_app() -> KtuiApp:
    """An app whose cluster has a Service before two pods, one of them crashing, and an Ingress."""
    clock = FakeClock(START)

    async def connect() -> Connection:
        cluster = await TuiCluster.open(clock)
        await cluster.node()
        await cluster.pod("web-0", labels={"app": "web"})
        await cluster.pod("web-1", labels={"app": "web"}, waiting="CrashLoopBackOff", restarts=4)
        await service(cluster, clusterIP="10.96.0.20")
        await service(cluster, "typo", clusterIP="10.96.0.21")
        await endpoints(cluster, name="typo")
        made = await endpoints(cluster, True, False)
        linked = [
            {**each, "targetRef": {"kind": "Pod", "name": f"web-{index}", "namespace": "default"}}
            for index, each in enumerate(made["endpoints"])
        ]
        await cluster.client.update(ENDPOINT_SLICES, {**made, "endpoints": linked})
        await cluster.client.create(INGRESSES, ingress(), "default")
        await clock.advance(3600)
        return Connection(client=cluster.client, context="shop", runtime="podman", manifests="./manifests")

    settings = AppSettings(theme=DARK.name, command="svc")
    return KtuiApp(connect, settings, now=lambda: clock.now().timestamp())


@pytest.mark.parametrize(
    ("keys", "shows"),
    [((), "1/2"), (("down", "t"), "CrashLoopBackOff"), (("down", "F"), "Forward to service/web")],
    ids=["services", "tree", "forward"],
)
def test_screen(
    snap_compare: Any, monkeypatch: pytest.MonkeyPatch, keys: tuple[str, ...], shows: str
) -> None:
    # However slow the machine is: what has changed stays bright.
    monkeypatch.setattr(flashes, "BRIGHT_SECONDS", 3600.0)
    monkeypatch.setattr(flashes, "FADED_SECONDS", 3600.0)
    app = network_app()

    async def reach(pilot: Pilot[Any]) -> None:
        await until(pilot, lambda: app.session.connection is not None and app.browser.model.link == "live")
        await until(pilot, lambda: app.browser.query_one(ClusterBar).status.nodes is not None)
        await until(pilot, lambda: "1/2" in screen_text(app))
        # The footer lists the actions there are; a new one should not change every picture.
        app.browser.query_one(Footer).display = False
        await pilot.press(*keys)
        await until(pilot, lambda: shows in screen_text(app))
        await pilot.pause()
        app.screen.query("Input").set(disabled=True)  # a cursor that blinks is in no picture

    assert snap_compare(app, terminal_size=(100, 26), run_before=reach)
