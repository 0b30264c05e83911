"""How screens look, as SVG; `pytest --snapshot-update` after a wanted change."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Footer
from tui_cluster import TuiCluster, screen_text, until

from ktui.app import DARK, LIGHT, AppSettings, KtuiApp
from ktui.kube.clock import FakeClock
from ktui.kube.kinds import DEPLOYMENTS
from ktui.kube.resource import Object
from ktui.screens.cluster_bar import ClusterBar
from ktui.screens.session import Connection

START = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


def shop_app(theme: str, command: str, runtime: str = "podman") -> KtuiApp:
    """An app whose cluster is made, filled and aged when it connects; everything at a fixed time."""
    clock = FakeClock(START)

    async def connect() -> Connection:
        cluster = await TuiCluster.open(clock)
        await cluster.node()
        await cluster.deployment("web", replicas=2)
        await clock.advance(3600 * 5)
        deployment = await cluster.client.get(DEPLOYMENTS, "web", "default")
        change: Object = {
            "spec": {"template": {"spec": {"containers": [{"name": "main", "image": "shop:2"}]}}}
        }
        await cluster.client.patch(DEPLOYMENTS, "web", change, "default")
        await cluster.revision(deployment, 2, "shop:2", 2)
        await cluster.pod("queue", phase="Pending")
        await cluster.pod("mailer", waiting="CrashLoopBackOff", restarts=7, containers=("mailer", "sidecar"))
        await cluster.pod("report-29012", phase="Succeeded")
        await clock.advance(95)
        return Connection(client=cluster.client, context="shop", runtime=runtime, manifests="./manifests")

    settings = AppSettings(theme=theme, command=command)
    return KtuiApp(connect, settings, now=lambda: clock.now().timestamp())


@pytest.mark.parametrize(
    ("name", "theme", "command", "size", "keys", "shows"),
    [
        ("pods", DARK.name, "pods", (80, 24), ("down", "space"), "1 marked"),
        ("pods-light", LIGHT.name, "pods -A", (200, 60), ("ctrl+w",), "NODE"),
        ("delete", DARK.name, "deploy", (100, 30), ("ctrl+d",), "With it go"),
        ("rollouts", DARK.name, "deploy", (100, 40), ("h",), "What the present revision changed"),
        ("empty", DARK.name, "cm kube-public", (80, 24), (), "No configmaps"),
    ],
    ids=["pods", "pods-light", "delete", "rollouts", "empty"],
)
def test_screen(
    snap_compare: Any,
    name: str,
    theme: str,
    command: str,
    size: tuple[int, int],
    keys: tuple[str, ...],
    shows: str,
) -> None:
    app = shop_app(theme, command, runtime="sim" if name == "empty" else "podman")

    async def reach(pilot: Pilot[Any]) -> None:
        await until(pilot, lambda: app.session.connection is not None and app.browser.model.link == "live")
        await until(pilot, lambda: app.browser.query_one(ClusterBar).status.nodes is not None)
        # The footer lists the actions there are; a new one should not change every picture.
        app.browser.query_one(Footer).display = False
        await pilot.press(*keys)
        await until(pilot, lambda: shows in screen_text(app))
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=reach)
