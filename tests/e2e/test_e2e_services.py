"""Services, names, Ingresses and policies on real containers."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import dns.message
import pytest
from cluster import JSON, Cluster, container, deployment, is_ready, pod

from ktui.engine.network.keeper import NETWORK_FOLDER
from ktui.engine.network.launch import read_launch, running_agent

pytestmark = pytest.mark.podman

PODS = "/api/v1/namespaces/default/pods"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
SERVICES = "/api/v1/namespaces/default/services"
SERVE = "trap 'exit 0' TERM; hostname > /tmp/index.html; httpd -f -p 8080 -h /tmp & wait"


def server(*, version: str = "1") -> JSON:
    """Serves its own name, and ends at once when it is asked to."""
    return {
        "name": "main",
        "image": f"localhost/ktui-sample:{version}",
        "command": ["sh", "-c", SERVE],
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"tcpSocket": {"port": "http"}, "periodSeconds": 1},
    }


def service(name: str, **spec: object) -> JSON:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": "http"}], **spec},
    }


def ready_pods(cluster: Cluster, name: str, count: int) -> list[JSON]:
    def check(items: list[JSON]) -> bool:
        mine = [item for item in items if item["metadata"].get("labels", {}).get("app") == name]
        return len(mine) == count and all(map(is_ready, mine))

    return cluster.until_all(PODS, check, 60)


@pytest.fixture(autouse=True)
def runs(cluster: Cluster) -> None:
    """A test that failed while it had killed the engine is not to take the others along."""
    if cluster.process is None:
        cluster.start()


@pytest.fixture(scope="module")
def web(cluster: Cluster) -> JSON:
    """The Service `web` before two pods, and a pod `client` to ask from."""
    cluster.write("web.yaml", deployment("web", 2, server()), service("web", type="NodePort"))
    cluster.write("client.yaml", pod("client", container()))
    ready_pods(cluster, "web", 2)
    cluster.ready("client")
    return cluster.call("GET", f"{SERVICES}/web")


def fetch(address: str, port: int, host: str = "") -> str:
    connection = http.client.HTTPConnection(address, port, timeout=5)
    try:
        connection.request("GET", "/", headers={"Host": host} if host else {})
        response = connection.getresponse()
        text = response.read().decode().strip()
        assert response.status == 200, f"{response.status} {text}"
        return text
    finally:
        connection.close()


def until(check: Callable[[], bool], seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end
        time.sleep(0.05)


def serves(address: str, port: int, host: str = "") -> bool:
    try:
        return bool(fetch(address, port, host))
    except (OSError, AssertionError):
        return False


def test_a_pod_reaches_its_peers_by_one_name(cluster: Cluster, web: JSON) -> None:
    cluster.until_says("web-", "exec", "client", "--", "wget", "-qO-", "http://web/")
    answers = cluster.run(
        "exec",
        "client",
        "--",
        "sh",
        "-c",
        "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do wget -qO- http://web.default/; done",
    )
    assert len(set(answers.out.split())) == 2
    full = cluster.run("exec", "client", "--", "nslookup", "web.default.svc.cluster.local")
    assert web["spec"]["clusterIP"] in full.out


def test_the_host_reaches_address_and_node_port(cluster: Cluster, web: JSON) -> None:
    until(lambda: serves(web["spec"]["clusterIP"], 80))
    assert fetch("127.0.0.1", web["spec"]["ports"][0]["nodePort"]).startswith("web-")


def address_of_ingress(cluster: Cluster) -> tuple[str, int]:
    """Where the Ingress `shop` to the Service `web` answers, for the host shop.test."""
    path = {
        "path": "/",
        "pathType": "Prefix",
        "backend": {"service": {"name": "web", "port": {"number": 80}}},
    }
    ingress = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "shop", "namespace": "default"},
        "spec": {"rules": [{"host": "shop.test", "http": {"paths": [path]}}]},
    }
    cluster.write("ingress.yaml", ingress)
    found = cluster.until_all(
        "/apis/networking.k8s.io/v1/namespaces/default/ingresses",
        lambda items: any((i.get("status") or {}).get("loadBalancer") for i in items),
    )
    assert found[0]["spec"]["ingressClassName"] == "ktui"
    where = found[0]["status"]["loadBalancer"]["ingress"][0]
    until(lambda: serves("127.0.0.1", where["ports"][0]["port"], "shop.test"))
    return where["ip"], where["ports"][0]["port"]


def test_an_ingress_leads_to_the_service_and_says_where(cluster: Cluster, web: JSON) -> None:
    assert fetch(*address_of_ingress(cluster), "shop.test").startswith("web-")


def test_a_policy_shuts_pods_out(cluster: Cluster, web: JSON) -> None:
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "nobody", "namespace": "default"},
        "spec": {"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Ingress"]},
    }
    file = cluster.write("policy.yaml", policy)
    ask = ("exec", "client", "--", "sh", "-c", "timeout 1 wget -qO- http://web/ || echo shut out")
    cluster.until_says("shut out", *ask)
    assert serves(web["spec"]["clusterIP"], 80), "the node reaches its pods"
    file.unlink()
    cluster.until_says("web-", *ask)


class Traffic(threading.Thread):
    """Asks a Service again and again: each time on a new connection, or for a host on one that is kept."""

    def __init__(self, address: str, port: int, host: str = "") -> None:
        super().__init__(daemon=True)
        self.asked = 0
        self.failed: list[str] = []
        self._address, self._port, self._host = address, port, host
        self._over = threading.Event()

    def run(self) -> None:
        kept = http.client.HTTPConnection(self._address, self._port, timeout=5)
        while not self._over.wait(0.002):
            self.asked += 1
            try:
                if self._host:
                    kept.request("GET", "/", headers={"Host": self._host})
                    response = kept.getresponse()
                    assert response.read(), f"{response.status} without a body"
                    assert response.status == 200, response.status
                else:
                    fetch(self._address, self._port)
            except (OSError, AssertionError, http.client.HTTPException) as error:
                self.failed.append(repr(error))

    def end(self) -> None:
        self._over.set()
        self.join(10)


@contextmanager
def traffic(address: str, port: int, host: str = "") -> Iterator[Traffic]:
    asking = Traffic(address, port, host)
    asking.start()
    try:
        yield asking
    finally:
        asking.end()


def test_a_rolling_update_loses_no_request(cluster: Cluster, web: JSON) -> None:
    """By none of the three ways in, though the servers end as soon as they are asked to."""
    ways = (
        (web["spec"]["clusterIP"], 80),
        ("127.0.0.1", web["spec"]["ports"][0]["nodePort"]),
        (*address_of_ingress(cluster), "shop.test"),
    )
    with ExitStack() as stack:
        asking = [stack.enter_context(traffic(*way)) for way in ways]
        cluster.write("web.yaml", deployment("web", 2, server(version="2")), service("web", type="NodePort"))

        def updated(items: list[JSON]) -> bool:
            mine = [item for item in items if item["metadata"].get("labels", {}).get("app") == "web"]
            images = {item["spec"]["containers"][0]["image"] for item in mine}
            return len(mine) == 2 and images == {"localhost/ktui-sample:2"} and all(map(is_ready, mine))

        cluster.until_all(PODS, updated, 60)
    for each in asking:
        assert each.asked > 50
        assert each.failed == []


def agent(cluster: Cluster) -> int:
    """The process of the cluster's network agent."""
    return running_agent(cluster.data_dir.absolute() / NETWORK_FOLDER)


def test_traffic_flows_while_ktui_is_killed_and_comes_back(cluster: Cluster, web: JSON) -> None:
    until(lambda: serves(web["spec"]["clusterIP"], 80))
    where = address_of_ingress(cluster)
    taken_over = agent(cluster)
    with traffic(web["spec"]["clusterIP"], 80) as asking, traffic(*where, "shop.test") as kept:
        cluster.kill()
        before = asking.asked
        answers = [
            subprocess.run(
                ["podman", "exec", c, "nslookup", "web.default.svc.cluster.local"],
                capture_output=True,
                check=False,
            )
            for c in cluster.containers_of("client")
        ]
        assert any(web["spec"]["clusterIP"].encode() in answer.stdout for answer in answers), answers
        cluster.start()
        cluster.until_says("web-", "exec", "client", "--", "wget", "-qO-", "http://web/")
        until(lambda: agent(cluster) not in (taken_over, 0))
        until(lambda: not Path("/proc", str(taken_over)).exists())
        assert asking.asked > before
    assert asking.failed == kept.failed == []


def test_names_are_answered_while_the_agent_is_killed_and_comes_back(cluster: Cluster, web: JSON) -> None:
    """No question is lost or refused: the engine answers those that wait in the sockets that it holds. The ingress
    controller goes on until the next agent's has taken over."""
    launch = read_launch(cluster.data_dir.absolute() / NETWORK_FOLDER)
    assert launch is not None
    question = dns.message.make_query("web.default.svc.cluster.local", "A").to_wire()
    until(lambda: agent(cluster) != 0)
    killed = agent(cluster)
    asked = 0
    with traffic(*address_of_ingress(cluster), "shop.test") as kept:
        while agent(cluster) in (killed, 0) or asked < 100:
            if asked == 20:
                os.kill(killed, signal.SIGKILL)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.settimeout(10)
                sock.connect((launch.settings.gateway, 53))
                sock.send(question)
                answer = dns.message.from_wire(sock.recv(4096))
            assert web["spec"]["clusterIP"] in answer.to_text()
            asked += 1
    assert kept.failed == []


GATE = "test.ktui.dev/open"


def open_gate(cluster: Cluster, name: str, *, is_open: bool) -> None:
    """Make a pod ready or not, which its own server does not notice."""
    condition = {"type": GATE, "status": "True" if is_open else "False"}
    found = cluster.call("GET", f"{PODS}/{name}")["status"]["conditions"]
    kept = [each for each in found if each["type"] != GATE]
    cluster.call("PATCH", f"{PODS}/{name}/status", {"status": {"conditions": [*kept, condition]}})


def test_a_pod_that_is_ready_now_and_then_costs_no_request(cluster: Cluster) -> None:
    """It leaves and joins its Service ten times and more under load."""
    names = ("flaps", "steady")
    pods = [pod(name, server(), readinessGates=[{"conditionType": GATE}]) for name in names]
    for each in pods:
        each["metadata"]["labels"] = {"app": "flaps"}
    cluster.write("flaps.yaml", *pods, service("flaps"))
    for name in names:
        cluster.until_pod(name, lambda item: item["status"].get("podIP"))
        open_gate(cluster, name, is_open=True)
    ready_pods(cluster, "flaps", 2)
    address = cluster.call("GET", f"{SERVICES}/flaps")["spec"]["clusterIP"]
    until(lambda: serves(address, 80))
    with traffic(address, 80) as asking:
        flaps, end = 0, time.monotonic() + 60
        while (flaps < 10 or asking.asked < 50) and time.monotonic() < end:
            flaps += 1
            for is_open in (False, True):
                open_gate(cluster, "flaps", is_open=is_open)
                cluster.until_all(SLICES, lambda items, count=1 + is_open: count_of_ready(items) == count)
    assert flaps >= 10
    assert asking.asked >= 50
    assert asking.failed == []


def count_of_ready(slices: list[JSON]) -> int:
    mine = [item for item in slices if item["metadata"]["name"].startswith("flaps-")]
    return sum(each["conditions"]["ready"] for item in mine for each in item["endpoints"] or ())


def test_killing_podmans_service_costs_no_request(cluster: Cluster, web: JSON) -> None:
    until(lambda: serves(web["spec"]["clusterIP"], 80))
    where = address_of_ingress(cluster)
    with traffic(web["spec"]["clusterIP"], 80) as asking, traffic(*where, "shop.test") as kept:
        cluster.kill_podman_service()
        cluster.write("after.yaml", pod("after"))
        cluster.ready("after")
        until(lambda: min(asking.asked, kept.asked) > 50, 60)
    assert asking.failed == kept.failed == []


def test_rules_and_links_go_with_the_engine(cluster: Cluster, web: JSON) -> None:
    engine = cluster.engine_id
    cluster.stop()
    tables = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout
    assert engine not in tables
    cluster.start()
    until(lambda: serves(web["spec"]["clusterIP"], 80))
