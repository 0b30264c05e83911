"""The data plane, each figure beside a named peer in the same run, rounds alternating.

Pods are network namespaces on an engine's bridge, under the rules that ktui makes: for the kernel the same as
containers. All of it is in a network namespace of its own, so that rules of engines beside it cost nothing here.
Connections use cubic: a congestion control that estimates the path (bbr) would be measured instead of it.
Ratios are medians of pairs, taken in turns. Needs root and Debian's nginx-light, wrk, iperf3, dnsperf, dnsmasq-base.

    .venv/bin/python benchmarks/network.py [--rounds 3] [--seconds 3]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "network"))

from pod_network import Pod, PodNetwork

from ktui.engine.network.nft import nft
from ktui.engine.network.proxy.rules import base_rules, service_rules
from ktui.engine.network.ruleset import creation, difference, merge
from ktui.engine.network.services import Endpoint
from ktui.kube.resource import ObjectKey

NODE_PORT = 30999
SERVICES, ENDPOINTS = 1000, 10
OWN_NETWORK = "KTUI_BENCHMARK_HAS_OWN_NETWORK"

BACKEND = """
worker_processes 1; pid {folder}/backend.pid; error_log stderr crit; daemon off;
events {{ worker_connections 2048; }}
http {{ access_log off; keepalive_requests 10000000;
  server {{ listen 0.0.0.0:8080; location / {{ return 200 "hello from a backend\\n"; }} }} }}
"""
PROXY = """
worker_processes {workers}; pid {folder}/proxy.pid; error_log stderr crit; daemon off;
events {{ worker_connections 2048; }}
http {{ access_log off; keepalive_requests 10000000;
  upstream backend {{ server {backend}:8080; keepalive 64; keepalive_requests 10000000; }}
  server {{ listen 127.0.0.1:18081; location / {{ proxy_pass http://backend; proxy_http_version 1.1;
    proxy_set_header Connection ""; proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr; }} }} }}
"""


def inside(pod: Pod | None, *command: str) -> list[str]:
    return [*(("nsenter", f"--net=/run/netns/{pod.name}") if pod else ()), *command]


def output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def start(stack: ExitStack, *command: str, errors: int | None = None) -> None:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)

    def end() -> None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
            return
        process.kill()
        process.wait()

    stack.callback(end)


def until_listens(address: str, port: int) -> None:
    """Wait for a server that was started a moment ago."""
    end = time.monotonic() + 30
    while True:
        try:
            socket.create_connection((address, port), 1).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)


def rounds(count: int, ways: dict[str, Callable[[], float]]) -> dict[str, list[float]]:
    """What each way reached, measured in turns."""
    seen: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(count):
        for name, measure in ways.items():
            seen[name].append(measure())
    return seen


def table(title: str, unit: str, found: dict[str, list[float]], peer: str, note: str = "") -> None:
    print(f"\n### {title}\n\n| way | {unit} | of {peer} |\n|:--|--:|--:|")
    for name, values in found.items():
        ratio = statistics.median(mine / its for mine, its in zip(values, found[peer], strict=True))
        print(f"| {name} | {statistics.median(values):,.2f} | {ratio:.2f}× |")
    if note:
        print(f"\n{note}")


def wrk(
    url: str, seconds: int, source: Pod | None, *headers: str, connections: int = 32
) -> tuple[float, float]:
    """Requests per second, and the 99th percentile in ms."""
    named = [word for header in headers for word in ("-H", header)]
    command = ("wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", *named, url)
    text = output(*inside(source, *command))
    assert "Non-2xx" not in text, text
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    slow = re.search(r"99%\s+([\d.]+)(us|ms|s)", text)
    assert rate and slow, text
    return float(rate[1]), float(slow[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[slow[2]]


def throughput(network: PodNetwork, client: Pod, server: Pod, options: argparse.Namespace) -> None:
    def gbits(address: str, port: int) -> float:
        text = output(
            *inside(client, "iperf3", "-c", address, "-p", str(port), "-t", "1", "-C", "cubic", "-J")
        )
        found = re.findall(r'"sum_received":\s*{[^}]*"bits_per_second":\s*([\d.e+]+)', text)
        return float(found[0]) / 1e9

    gateway = network.settings.gateway
    ways = {
        "pod to pod": lambda: gbits(server.address, 5201),
        "ClusterIP": lambda: gbits(network.vip(20), 80),
        "NodePort": lambda: gbits(gateway, NODE_PORT),
    }
    found = rounds(options.rounds * options.seconds, ways)
    table("Throughput of one TCP connection between pods (iperf3)", "Gbit/s", found, "pod to pod")

    def connections(address: str, port: int) -> Callable[[], float]:
        # From a pod of its own: the kernel has to find other ports for a client whose connections to the very
        # same pod, made directly, have only just ended.
        source = network.pod()
        return lambda: wrk(f"http://{address}:{port}/", options.seconds, source, "Connection: close")[0]

    ways = {
        "pod to pod": connections(server.address, 8080),
        "ClusterIP": connections(network.vip(10), 80),
        "NodePort": connections(gateway, NODE_PORT + 1),
    }
    title = "A new connection for each request (wrk, nginx)"
    table(title, "requests/s", rounds(options.rounds, ways), "pod to pod")


def ingress(
    network: PodNetwork, server: Pod, options: argparse.Namespace, stack: ExitStack, folder: Path
) -> None:
    (folder / "proxy.conf").write_text(PROXY.format(folder=folder, backend=server.address, workers="auto"))
    start(stack, "nginx", "-c", str(folder / "proxy.conf"))
    start(stack, sys.executable, __file__, "--serve-ingress", server.address)
    for port in (18081, 18082):
        until_listens("127.0.0.1", port)
    slow: dict[str, list[float]] = {"nginx": [], "ktui ingress": []}

    def measure(name: str, port: int) -> float:
        rate, p99 = wrk(f"http://127.0.0.1:{port}/", options.seconds, None)
        slow[name].append(p99)
        return rate

    ways = {"nginx": lambda: measure("nginx", 18081), "ktui ingress": lambda: measure("ktui ingress", 18082)}
    found = rounds(options.rounds, ways)
    note = ", ".join(f"p99 of {name} {statistics.median(values):.1f} ms" for name, values in slow.items())
    table("Ingress, 32 kept connections, one backend (wrk, nginx)", "requests/s", found, "nginx", note)


async def serve_ingress(backend: str) -> None:
    from ktui.engine.network.ingress.balancer import Target
    from ktui.engine.network.ingress.ports import bound
    from ktui.engine.network.ingress.proxy import IngressProxy
    from ktui.engine.network.ingress.routes import Router

    class One:
        def targets(self, _: object) -> tuple[Target, ...]:
            return (Target(backend, 8080),)

        def has_service(self, _: object) -> bool:
            return True

    proxy = IngressProxy(One())  # type: ignore[arg-type] - what the proxy asks of a balancer
    path = {
        "path": "/",
        "pathType": "Prefix",
        "backend": {"service": {"name": "web", "port": {"number": 80}}},
    }
    metadata = {"name": "web", "namespace": "default"}
    proxy.router = Router([{"metadata": metadata, "spec": {"rules": [{"http": {"paths": [path]}}]}}])
    await proxy.listen(bound([18082]), bound([18083]))
    await proxy.run()


async def updates(network: PodNetwork, options: argparse.Namespace) -> None:
    """One endpoint of one Service among many leaves and comes back."""
    settings = network.settings
    one = network.port()
    pods = settings.pod_cidr.rpartition(".")[0]
    ports = [
        replace(
            one,
            service=ObjectKey("default", f"s{number}"),
            cluster_ips=(f"10.97.{number // 250}.{number % 250 + 1}",),
            endpoints=tuple(Endpoint(f"{pods}.{n}", 1000 + number, "this") for n in range(2, 2 + ENDPOINTS)),
        )
        for number in range(SERVICES)
    ]
    pieces = {port.service: service_rules(port, settings) for port in ports}
    rules = merge(pieces.values())
    began = time.perf_counter()
    await nft(creation(settings.table, base_rules(settings), rules))
    whole = (time.perf_counter() - began) * 1000
    times: list[float] = []
    for turn in range(options.rounds * 10):
        port = ports[(turn * 37) % SERVICES]
        for each in (replace(port, endpoints=port.endpoints[1:]), port):
            began = time.perf_counter()
            pieces[port.service] = service_rules(each, settings)
            new = merge(pieces.values())
            await nft(difference(settings.table, rules, new))
            rules = new
            times.append((time.perf_counter() - began) * 1000)
    times.sort()
    print(f"\n### Rules for {SERVICES:,} Services × {ENDPOINTS} endpoints\n")
    print("| what | ms |\n|:--|--:|")
    print(f"| the whole table, made anew | {whole:.0f} |")
    print(f"| one endpoint, median | {statistics.median(times):.1f} |")
    print(f"| one endpoint, slowest of {len(times)} | {times[-1]:.1f} (to reach: 50) |")


def names(options: argparse.Namespace, stack: ExitStack, folder: Path) -> None:
    start(stack, sys.executable, __file__, "--serve-dns")
    hosts = "".join(
        f"10.96.{n // 250}.{n % 250 + 1} s{n}.default.svc.cluster.local\n" for n in range(SERVICES)
    )
    (folder / "hosts").write_text(hosts)
    words = (
        "--no-daemon",
        "--no-resolv",
        "--no-hosts",
        "--listen-address=127.0.0.1",
        "--port=15354",
        "--bind-interfaces",
    )
    start(stack, "dnsmasq", *words, f"--addn-hosts={folder / 'hosts'}", errors=subprocess.DEVNULL)
    queries = folder / "queries"
    queries.write_text("".join(f"s{n}.default.svc.cluster.local A\n" for n in range(SERVICES)))
    for port in (15353, 15354):
        until_listens("127.0.0.1", port)
    slow: dict[str, list[float]] = {"dnsmasq": [], "ktui DNS": []}

    def measure(name: str, port: int) -> float:
        words = (
            "-s",
            "127.0.0.1",
            "-p",
            str(port),
            "-d",
            str(queries),
            "-l",
            str(options.seconds),
            "-c",
            "8",
        )
        text = output("dnsperf", *words)
        rate = re.search(r"Queries per second:\s+([\d.]+)", text)
        late = re.search(r"Average Latency \(s\):\s+([\d.]+)", text)
        lost = re.search(r"Queries lost:\s+(\d+)", text)
        assert rate and late and lost and lost[1] == "0", text
        slow[name].append(float(late[1]) * 1000)
        return float(rate[1])

    ways = {"dnsmasq": lambda: measure("dnsmasq", 15354), "ktui DNS": lambda: measure("ktui DNS", 15353)}
    found = rounds(options.rounds, ways)
    note = ", ".join(f"mean under full load of {n} {statistics.median(v):.2f} ms" for n, v in slow.items())
    table(f"DNS, names of {SERVICES:,} Services (dnsperf)", "queries/s", found, "dnsmasq", note)


async def serve_dns() -> None:
    from ktui.client.informer import Informers
    from ktui.engine.api.local import LocalClient
    from ktui.engine.api.registry import default_registry
    from ktui.engine.api.server import ApiServer
    from ktui.engine.network.dns.server import DnsServer
    from ktui.engine.network.dns.upstream import Server, Upstream
    from ktui.engine.network.dns.zone import Zone
    from ktui.engine.network.services import ServiceView
    from ktui.engine.network.settings import NetworkSettings
    from ktui.engine.store import open_store
    from ktui.kube.clock import RealClock
    from ktui.kube.kinds import SERVICES as KIND

    server = ApiServer(open_store(None), default_registry(), service_range="10.96.0.0/16")
    await server.start()
    client = LocalClient(server, "system:bench")
    for number in range(SERVICES):
        spec = {"ports": [{"port": 80}], "clusterIP": f"10.96.{number // 250 + 1}.{number % 250 + 1}"}
        metadata = {"name": f"s{number}", "namespace": "default"}
        await client.create(
            KIND, {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}, "default"
        )
    informers = Informers(client)
    settings = NetworkSettings(
        engine="bench",
        node="this",
        host_address="127.0.0.1",
        service_cidr="10.96.0.0/16",
        pod_cidr="10.200.0.0/24",
    )
    zone = Zone(ServiceView(informers), informers, settings)
    async with asyncio.TaskGroup() as group:
        group.create_task(informers.run())
        await zone.wait_synced()
        names_ = DnsServer(zone, Upstream(RealClock(), Server(("127.0.0.1", 15353))))
        await names_.start("127.0.0.1", 15353)


async def main(options: argparse.Namespace) -> None:
    for tool in ("nginx", "wrk", "iperf3", "dnsperf", "dnsmasq"):
        if shutil.which(tool) is None:
            sys.exit(f"{tool} is not installed: make bench")
    print(
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; {options.rounds} rounds of {options.seconds} s, medians"
    )
    network = PodNetwork()
    with tempfile.TemporaryDirectory() as made, ExitStack() as stack:
        folder = Path(made)
        try:
            await network.start()
            client, server = network.pod(), network.pod()
            (folder / "backend.conf").write_text(BACKEND.format(folder=folder))
            start(stack, *inside(server, "nginx", "-c", str(folder / "backend.conf")))
            start(stack, *inside(server, "iperf3", "-s"))
            bulk = replace(
                network.port(server, name="bulk", vip=20), endpoints=(Endpoint(server.address, 5201),)
            )
            await network.apply(
                replace(bulk, node_port=NODE_PORT), network.port(server, node_port=NODE_PORT + 1)
            )
            for port in (8080, 5201):
                until_listens(server.address, port)
            throughput(network, client, server, options)
            ingress(network, server, options, stack, folder)
            names(options, stack, folder)
            await updates(network, options)
        finally:
            await network.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--serve-ingress", metavar="BACKEND", help=argparse.SUPPRESS)
    parser.add_argument("--serve-dns", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve_ingress:
        import uvloop

        uvloop.run(serve_ingress(asked.serve_ingress))
    elif asked.serve_dns:
        asyncio.run(serve_dns())
    elif OWN_NETWORK in os.environ:
        output("ip", "link", "set", "lo", "up")
        asyncio.run(main(asked))
    else:
        os.environ[OWN_NETWORK] = "yes"
        os.execvp("unshare", ("unshare", "--net", sys.executable, *sys.argv))
