"""What actions do to the cluster: delete and kill, scale, restart, image, rollouts, nodes."""

from __future__ import annotations

from test_browser import browsing
from tui_cluster import TuiCluster, until

from ktui.client.base import ListOptions
from ktui.kube.errors import StatusError
from ktui.kube.kinds import DEPLOYMENTS, NODES, PODS, REPLICA_SETS
from ktui.kube.resource import Object
from ktui.screens.actions.nodes import drainable
from ktui.screens.actions.workloads import check_replicas
from ktui.screens.cluster_status import summarize
from ktui.screens.containers import container_rows
from ktui.screens.impact import owned


async def gone(cluster: TuiCluster, name: str) -> bool:
    try:
        pod = await cluster.client.get(PODS, name, "default")
    except StatusError as error:
        return error.is_not_found
    return bool(pod["metadata"].get("deletionTimestamp"))


async def test_delete_asks_with_the_impact_and_does_nothing_on_no(cluster: TuiCluster) -> None:
    await cluster.deployment("web", replicas=3)
    async with browsing(cluster, command="deploy") as browser:
        await browser.shows("web")
        await browser.pilot.press("ctrl+d")
        await browser.says("Delete deployment/web?")
        await browser.says("With it go 1 replicaset, 3 pods.")
        await browser.pilot.press("enter")
        await until(browser.pilot, lambda: browser.app.screen is browser.screen)
        assert (await cluster.client.get(DEPLOYMENTS, "web", "default"))["metadata"]["name"] == "web"
        await browser.pilot.press("ctrl+d")
        await browser.says("Delete deployment/web?")
        await browser.pilot.press("y")
        await browser.shows()


async def test_marked_pods_are_deleted_together(cluster: TuiCluster) -> None:
    for name in ("a", "b", "c"):
        await cluster.pod(name)
    async with browsing(cluster) as browser:
        await browser.shows("a", "b", "c")
        await browser.pilot.press("space", "space", "ctrl+d")
        await browser.says("Delete 2 pods?")
        await browser.says("Nothing brings back a, b.")
        await browser.pilot.press("y")
        await browser.says("Deleted 2 pods")
        assert [await gone(cluster, name) for name in ("a", "b", "c")] == [True, True, False]
        assert not browser.screen.model.table.marks


async def test_kill_takes_no_grace_period(cluster: TuiCluster) -> None:
    await cluster.deployment("web", replicas=1)
    async with browsing(cluster) as browser:
        await browser.shows("web-0")
        await browser.pilot.press("ctrl+k")
        await browser.says("Kill pod/web-0?")
        await browser.says("ReplicaSet web-hash1 will make new ones.")
        await browser.pilot.press("y")
        await browser.shows()


async def test_a_refused_action_is_a_notice(cluster: TuiCluster) -> None:
    await cluster.pod("web")
    async with browsing(cluster) as browser:
        await browser.shows("web")
        await browser.pilot.press("i")
        await browser.says("Image of main")
        await browser.pilot.press("backspace", "enter")
        await until(
            browser.pilot, lambda: browser.app.screen is browser.screen or "image reference" in browser.text
        )


async def test_scale(cluster: TuiCluster) -> None:
    await cluster.deployment("web")
    async with browsing(cluster, command="deploy") as browser:
        await browser.shows("web")
        await browser.pilot.press("s")
        await browser.says("Scale deployment/web to")
        await browser.pilot.press("end", "backspace", "x", "enter")
        await browser.says("a whole number, 0 or more")
        await browser.pilot.press("backspace", "5", "enter")
        await browser.says("Scaled deployment/web to 5")
        assert (await cluster.client.get(DEPLOYMENTS, "web", "default"))["spec"]["replicas"] == 5
        await browser.pilot.press("s")
        await browser.says("It has 5 now.")
        await browser.pilot.press("end", "backspace", "0", "enter")
        await browser.says("Scale deployment/web to 0?")
        await browser.pilot.press("n")
        assert (await cluster.client.get(DEPLOYMENTS, "web", "default"))["spec"]["replicas"] == 5


async def test_restart_annotates_the_template(cluster: TuiCluster) -> None:
    await cluster.deployment("web")
    async with browsing(cluster, command="deploy") as browser:
        await browser.shows("web")
        await browser.pilot.press("r")
        await browser.says("Restart deployment/web?")
        await browser.pilot.press("y")
        await browser.says("Restarting deployment/web")
        deployment = await cluster.client.get(DEPLOYMENTS, "web", "default")
        template = deployment["spec"]["template"]
        assert "kubectl.kubernetes.io/restartedAt" in template["metadata"]["annotations"]
        assert template["spec"]["containers"][0]["image"] == "shop:1"


async def test_set_image(cluster: TuiCluster) -> None:
    await cluster.deployment("web")
    async with browsing(cluster, command="deploy") as browser:
        await browser.shows("web")
        await browser.pilot.press("i")
        await browser.says("Image of main")
        await browser.pilot.press("end", "backspace", "2", "enter")
        await browser.says("main now runs shop:2")
        deployment = await cluster.client.get(DEPLOYMENTS, "web", "default")
        assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == "shop:2"


async def second_revision(cluster: TuiCluster) -> None:
    deployment = await cluster.deployment("web", replicas=1)
    change: Object = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "shop:2"}]}}}}
    await cluster.client.patch(DEPLOYMENTS, "web", change, "default")
    await cluster.revision(deployment, 2, "shop:2", 1)


async def test_rollouts_show_the_difference_and_go_back(cluster: TuiCluster) -> None:
    await second_revision(cluster)
    async with browsing(cluster, size=(110, 34), command="deploy") as browser:
        await browser.shows("web")
        await browser.pilot.press("h")
        await browser.says("Rollouts of deployment/web")
        await browser.says("(current)")
        await browser.says("What the present revision changed")
        await browser.pilot.press("down")
        await browser.says("What going back to revision 1 (u) changes")
        assert "-  - image: shop:2" in browser.text
        assert "+  - image: shop:1" in browser.text
        await browser.pilot.press("u")
        await browser.says("Go back to revision 1 of deployment/web?")
        await browser.pilot.press("y")
        await browser.says("goes back to revision 1")
        template = (await cluster.client.get(DEPLOYMENTS, "web", "default"))["spec"]["template"]
        assert template["spec"]["containers"][0]["image"] == "shop:1"
        assert "pod-template-hash" not in template["metadata"]["labels"]
        await browser.pilot.press("escape")
        await browser.shows("web")


async def test_undo_from_the_list(cluster: TuiCluster) -> None:
    await second_revision(cluster)
    async with browsing(cluster, command="deploy") as browser:
        await browser.shows("web")
        await browser.pilot.press("U")
        await browser.says("Undo the last rollout of deployment/web?")
        await browser.pilot.press("y")
        await browser.says("goes back to revision 1")
        sets = (await cluster.client.list(REPLICA_SETS, "default")).items
        assert len(sets) == 2


async def test_pause_and_status(cluster: TuiCluster) -> None:
    await cluster.deployment("web")
    async with browsing(cluster, command="deploy") as browser:
        await browser.shows("web")
        await browser.pilot.press("P")
        await browser.says("Paused deployment/web")
        assert (await cluster.client.get(DEPLOYMENTS, "web", "default"))["spec"]["paused"]
        browser.screen.command("rollout")
        await browser.says("Waiting for deployment spec update to be")


async def test_cordon_and_drain(cluster: TuiCluster) -> None:
    await cluster.node()
    await cluster.deployment("web", replicas=1)
    await cluster.pod("bare")
    async with browsing(cluster, command="nodes") as browser:
        await browser.shows("node-1")
        await browser.pilot.press("c")
        await browser.says("Ready,SchedulingDisabled")
        await browser.pilot.press("u")
        await browser.says("Uncordoned node-1")
        assert not (await cluster.client.get(NODES, "node-1"))["spec"].get("unschedulable")
        await browser.pilot.press("r")
        await browser.says("2 of its 2 pods are evicted")
        await browser.says("Nothing brings back: bare.")
        await browser.pilot.press("y")
        await browser.says("Drained node-1: 2 pods evicted")
        assert await gone(cluster, "web-0")
        assert (await cluster.client.get(NODES, "node-1"))["spec"]["unschedulable"]


async def test_deleting_a_namespace_counts_what_is_in_it(cluster: TuiCluster) -> None:
    await cluster.deployment("web", replicas=2)
    async with browsing(cluster, command="ns") as browser:
        await until(browser.pilot, lambda: "default" in browser.names())
        await browser.pilot.press("ctrl+d")
        await browser.says("Delete namespace/default?")
        await browser.says("2 pods")
        await browser.pilot.press("n")


def test_what_a_drain_evicts() -> None:
    def pod(
        name: str, *, kind: str = "", phase: str = "Running", mirror: bool = False, empty: bool = False
    ) -> Object:
        owners = [{"kind": kind, "controller": True}] if kind else []
        annotations = {"kubernetes.io/config.mirror": "x"} if mirror else {}
        volumes = [{"name": "v", "emptyDir": {}}] if empty else []
        metadata = {"name": name, "namespace": "d", "ownerReferences": owners, "annotations": annotations}
        return {"metadata": metadata, "spec": {"volumes": volumes}, "status": {"phase": phase}}

    evict, bare, local = drainable(
        [
            pod("owned", kind="ReplicaSet", empty=True),
            pod("daemon", kind="DaemonSet"),
            pod("static", mirror=True),
            pod("bare"),
            pod("done", phase="Succeeded"),
        ]
    )
    assert [key.name for key in evict] == ["owned", "bare", "done"]
    assert bare == ["bare"]
    assert local == ["owned"]


def test_ownership_is_followed_through_any_number_of_owners() -> None:
    def meta(uid: str, owner: str = "") -> Object:
        return {"uid": uid, "ownerReferences": [{"uid": owner}] if owner else []}

    objects = {
        "pods": [meta("p1", "rs1"), meta("p2", "rs1"), meta("p3", "other")],
        "replicasets": [meta("rs1", "d"), meta("rs2")],
    }
    assert dict(owned(["d"], objects)) == {"replicasets": 1, "pods": 2}


def test_replicas_are_whole_numbers() -> None:
    assert [bool(check_replicas(text)) for text in ("0", " 3 ", "-1", "x", "", "1000000")] == [
        False, False, True, True, True, True,
    ]  # fmt: skip


def test_containers_of_a_pod_as_rows() -> None:
    pod = {
        "metadata": {"name": "web", "namespace": "default", "uid": "u"},
        "spec": {
            "initContainers": [
                {"name": "init", "image": "i"},
                {"name": "side", "image": "s", "restartPolicy": "Always"},
            ],
            "containers": [
                {
                    "name": "main",
                    "image": "m:1",
                    "ports": [{"containerPort": 80}],
                    "livenessProbe": {},
                    "readinessProbe": {"httpGet": {"port": 80}},
                    "resources": {"requests": {"cpu": "100m"}},
                }
            ],
        },
        "status": {
            "initContainerStatuses": [
                {"name": "init", "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}},
                {"name": "side", "ready": True, "state": {"running": {"startedAt": "2026-03-01T11:00:00Z"}}},
            ],
            "containerStatuses": [
                {
                    "name": "main",
                    "restartCount": 3,
                    "state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
                    "lastState": {"terminated": {"finishedAt": "2026-03-01T11:59:00Z"}},
                }
            ],
        },
    }
    rows = [row["cells"] for row in container_rows(pod, now=1_772_366_400.0)]
    assert [row[:5] for row in rows] == [
        ["init", "init", "false", "Completed", "0"],
        ["side", "sidecar", "true", "Running", "0"],
        ["main", "container", "false", "OOMKilled (137)", "3 (60s ago)"],
    ]
    assert rows[2][5:9] == ["m:1", "80/TCP", "ready", "100m/-"]


def test_the_header_sums_up_what_the_cluster_tells() -> None:
    node = {
        "status": {
            "conditions": [{"type": "Ready", "status": "True"}],
            "allocatable": {"cpu": "2", "memory": "4Gi"},
        }
    }
    usage = {"usage": {"cpu": "500m", "memory": "1Gi"}}
    status = summarize([node, {}], [{"metadata": {"name": "default"}}], [usage], 7)
    assert (status.nodes, status.ready, status.pods) == (2, 1, 7)
    assert (status.cpu_percent, status.memory_percent) == (25, 25)
    assert status.namespaces == ("default",)
    assert summarize(None, None, None, None).nodes is None


async def test_lists_page_through_more_rows_than_one_page(cluster: TuiCluster) -> None:
    for index in range(12):
        await cluster.pod(f"pod-{index}")
    page = await cluster.client.list(PODS, options=ListOptions(limit=5))
    assert (page.remaining or 0) == 7
