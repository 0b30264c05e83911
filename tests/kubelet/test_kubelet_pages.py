"""The kubelet's own pages: health, pods, figures, logs."""

import json

import pytest
from kubelet_world import pod, world  # noqa: F401

from ktui.engine.kubelet.readings import machine_reading
from ktui.kube.errors import StatusError


async def body(world, path, **query):  # noqa: F811 - a fixture of that name
    page = await world.kubelet.agent.page(path, query)
    if page.stream is None:
        return page.body.decode()
    async with page.stream as chunks:
        return b"".join([chunk async for chunk in chunks]).decode()


async def test_health_pods_and_configuration(world):  # noqa: F811 - a fixture of that name
    await world.create(pod("web"))
    await world.running()
    for path in ("/healthz", "/healthz/ping", "/healthz/syncloop"):
        assert await body(world, path) == "ok"
    for path in ("/pods", "/pods/", "/runningpods/"):
        listed = json.loads(await body(world, path))
        assert listed["kind"] == "PodList"
        assert [item["metadata"]["name"] for item in listed["items"]] == ["web"]
        assert listed["items"][0]["status"]["phase"] == "Running"
    assert json.loads(await body(world, "/configz"))["kubeletconfig"]["kind"] == "KubeletConfiguration"


async def test_what_pods_and_the_node_use(world):  # noqa: F811 - a fixture of that name
    await world.create(pod("web"))
    stored = await world.running()
    await body(world, "/stats/summary")
    await world.clock.advance(10)
    summary = json.loads(await body(world, "/stats/summary"))
    assert summary["node"]["nodeName"] == "node-1"
    assert summary["node"]["memory"]["workingSetBytes"] > 0
    (found,) = summary["pods"]
    assert found["podRef"] == {"name": "web", "namespace": "default", "uid": stored["metadata"]["uid"]}
    (container,) = found["containers"]
    assert container["name"] == "main"
    assert container["startTime"]
    assert container["cpu"]["usageNanoCores"] > 0
    assert found["memory"]["workingSetBytes"] == container["memory"]["workingSetBytes"] > 0


async def test_figures_for_prometheus(world):  # noqa: F811 - a fixture of that name
    await world.create(pod("web"))
    await world.running()
    text = await body(world, "/metrics/resource")
    assert '\ncontainer_memory_working_set_bytes{container="main",namespace="default",pod="web"} ' in text
    assert "# TYPE node_cpu_usage_seconds_total counter\nnode_cpu_usage_seconds_total " in text
    assert 'pod_cpu_usage_seconds_total{namespace="default",pod="web"} ' in text
    assert text.endswith("resource_scrape_error 0\n")
    assert 'kubelet_running_containers{container_state="running"} 1\n' in await body(world, "/metrics")
    assert "container_cpu_usage_seconds_total{" in await body(world, "/metrics/cadvisor")


async def test_logs_of_containers_and_of_ktui(world):  # noqa: F811 - a fixture of that name
    await world.create(pod("web"))
    await world.running()
    assert "sim:" in await body(world, "/containerLogs/default/web/main")
    assert await body(world, "/containerLogs/default/web/main", tailLines="0") == ""
    (world.data_dir / "ktui.log").write_text("a line\n")
    assert '<a href="ktui.log">ktui.log</a>' in await body(world, "/logs/")
    assert await body(world, "/logs/ktui.log") == "a line\n"


@pytest.mark.parametrize(
    ("path", "query", "code"),
    [
        ("/", {}, 404),
        ("/nonsense", {}, 404),
        ("/logs/..", {}, 404),
        ("/logs/kubeconfig", {}, 404),
        ("/logs/../kubeconfig", {}, 404),
        ("/containerLogs/default/nope/main", {}, 404),
        ("/containerLogs/default/web/main", {"tailLines": "x"}, 400),
        ("/run/default/web/main", {}, 404),
    ],
)
async def test_what_there_is_not(world, path, query, code):  # noqa: F811 - a fixture of that name
    (world.data_dir / "kubeconfig").write_text("secret")
    if code == 400:
        await world.create(pod("web"))
        await world.running()
    with pytest.raises(StatusError) as error:
        await body(world, path, **query)
    assert error.value.code == code


def test_the_machines_counters(tmp_path):
    (tmp_path / "proc/net").mkdir(parents=True)
    (tmp_path / "proc/stat").write_text("cpu  10 1 20 900 50 2 3 4 0 0\ncpu0 1 1 1 1\nbtime 1700000000\n")
    (tmp_path / "proc/meminfo").write_text("MemTotal: 100 kB\nMemAvailable: 40 kB\n")
    (tmp_path / "proc/net/dev").write_text("a\nb\n    lo: 5 0 0 0 0 0 0 0 5\n  eth0: 7 0 0 0 0 0 0 0 9 0\n")
    found = machine_reading(tmp_path)
    assert found.cpu_nanoseconds == 40 * 10_000_000
    assert (found.memory_total, found.memory_available) == (102400, 40960)
    assert (found.network_rx_bytes, found.network_tx_bytes) == (7, 9)
    assert found.booted.year == 2023
