"""Views opened from an object: its events, and who uses a ConfigMap or Secret."""

from __future__ import annotations

from test_browser import browsing
from test_document_screens import event_about
from tui_cluster import TuiCluster

from ktui.kube.kinds import CONFIG_MAPS, EVENTS, PODS, SECRETS
from ktui.kube.resource import Object
from ktui.screens.uses import use_rows


def user(name: str) -> Object:
    return {
        "metadata": {"name": name},
        "spec": {
            "volumes": [{"name": "pages", "configMap": {"name": "page"}}],
            "containers": [
                {
                    "name": "main",
                    "image": "shop:1",
                    "env": [{"name": "P", "valueFrom": {"secretKeyRef": {"name": "db", "key": "p"}}}],
                    "envFrom": [{"configMapRef": {"name": "page"}}],
                }
            ],
        },
    }


async def test_the_events_of_one_object(cluster: TuiCluster) -> None:
    pod = await cluster.pod("web")
    await cluster.pod("other")
    await cluster.client.create(EVENTS, event_about(pod, "pulled it", cluster.ago(5)), "default")
    async with browsing(cluster) as browser:
        await browser.shows("other", "web")
        await browser.pilot.press("down", "v")
        await browser.says("pod/web › Events [1]")
        await browser.says("pulled it")


async def test_who_uses_a_config_map(cluster: TuiCluster) -> None:
    await cluster.client.create(CONFIG_MAPS, {"metadata": {"name": "page"}, "data": {}}, "default")
    await cluster.client.create(PODS, user("web"), "default")
    await cluster.pod("other")
    async with browsing(cluster, command="cm") as browser:
        await browser.shows("page")
        await browser.pilot.press("u")
        await browser.shows("web")
        await browser.says("volume pages, all variables of main")


def test_every_way_to_use_a_secret_is_found() -> None:
    account: Object = {"metadata": {"name": "robot"}, "imagePullSecrets": [{"name": "db"}]}
    projected: Object = {
        "metadata": {"name": "p"},
        "spec": {"volumes": [{"name": "v", "projected": {"sources": [{"secret": {"name": "db"}}]}}]},
    }
    rows = use_rows(SECRETS, "db", [user("web"), projected], [account])
    assert [row["cells"][:3] for row in rows] == [
        ["web", "Pod", "variable P of main"],
        ["p", "Pod", "volume v"],
        ["robot", "ServiceAccount", "imagePullSecret"],
    ]
    assert use_rows(SECRETS, "page", [user("web")], [account]) == []
