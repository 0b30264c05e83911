"""The API over HTTPS as clients meet it: requests a second, latencies, and the server's own time and memory.

A fresh `ktui serve --runtime sim` in its own process and on a real disk is asked over TLS with a client
certificate, on keep-alive connections, by a client in this process that does next to nothing itself. Each
figure is the median of several short rounds.

    .venv/bin/python benchmarks/api.py [--seconds 1] [--rounds 5] [--pods 10000] [--watchers 1000]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from api_core import pod
from api_wire import Connection, Server, request

PODS = "/api/v1/namespaces/default/pods"
MAPS = "/api/v1/namespaces/default/configmaps"
MERGE = "application/merge-patch+json"
TICKS = os.sysconf("SC_CLK_TCK")


class Process:
    """The server under test."""

    def __init__(self, folder: Path) -> None:
        command = [str(Path(sys.executable).with_name("ktui")), "serve", "--runtime", "sim"]
        command += ["--data-dir", str(folder), "--listen", "127.0.0.1:0"]
        # As installed: with compiled modules, whatever this shell says of them.
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment["PYTHONPYCACHEPREFIX"] = str(folder.parent / "bytecode")
        start = time.perf_counter()
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
        assert self._process.stdout is not None
        line = self._process.stdout.readline().decode()
        self.ready_after = time.perf_counter() - start
        if not line.startswith("ktui ready"):
            raise SystemExit(f"the server did not start: {line}")

    @property
    def cpu(self) -> float:
        """Seconds of processor time so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    @property
    def memory(self) -> int:
        """Resident bytes."""
        return int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]) * os.sysconf(
            "SC_PAGE_SIZE"
        )

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(20)


def unscheduled(name: str) -> bytes:
    """A pod that stays what it is: nobody schedules or runs it."""
    obj = pod(name)
    del obj["spec"]["nodeName"]
    obj["spec"]["schedulerName"] = "nobody"
    return json.dumps(obj).encode()


class Bench:
    """One server and what is asked of it."""

    def __init__(self, process: Process, server: Server, seconds: float, rounds: int) -> None:
        self.process = process
        self.server = server
        self._seconds = seconds
        self._rounds = rounds
        self.created = 0

    async def rate(self, title: str, connections: int, send: Callable[[Connection], Awaitable[int]]) -> None:
        """Ask on so many connections, each waiting for its answer, and print a row."""
        open_ = [await self.server.connect() for _ in range(connections)]
        rows: list[tuple[float, float, float, float]] = []
        for _ in range(self._rounds):
            latencies: list[float] = []
            end = time.perf_counter() + self._seconds
            cpu, start = self.process.cpu, time.perf_counter()
            await asyncio.gather(*(_ask(title, connection, send, end, latencies) for connection in open_))
            taken = time.perf_counter() - start
            latencies.sort()
            count = len(latencies)
            rows.append(
                (
                    count / taken,
                    latencies[count // 2] * 1e3,
                    latencies[int(count * 0.99)] * 1e3,
                    (self.process.cpu - cpu) / count * 1e6,
                )
            )
        rate, half, most, cpu = (statistics.median(column) for column in zip(*rows, strict=True))
        best = max(row[0] for row in rows)
        print(
            f"| {title} | {connections} | {rate:,.0f} | {best:,.0f} | {half:.2f} | {most:.2f} | {cpu:.0f} |",
            flush=True,
        )
        for connection in open_:
            connection.close()

    async def create(self, connection: Connection) -> int:
        self.created += 1
        name = f"web-{self.created:06d}"
        return (await connection.call(request("POST", PODS, unscheduled(name))))[0]

    async def get(self, connection: Connection) -> int:
        return (await connection.call(_GET))[0]

    async def patch(self, connection: Connection) -> int:
        self.created += 1
        path = f"{PODS}/web-{self.created % 200 + 1:06d}"
        body = b'{"metadata":{"labels":{"round":"%d"}}}' % self.created
        return (await connection.call(request("PATCH", path, body, MERGE)))[0]

    async def fill(self, count: int) -> int:
        """Pods until there are `count`; how many there are then: fast rounds may have made more."""
        open_ = [await self.server.connect() for _ in range(16)]
        have = len(json.loads((await open_[0].call(request("GET", PODS)))[1])["items"])
        todo = iter(range(count - have))

        async def work(connection: Connection) -> None:
            for _ in todo:
                await self.create(connection)

        await asyncio.gather(*(work(connection) for connection in open_))
        for connection in open_:
            connection.close()
        return max(have, count)

    async def list_all(self, title: str, path: str) -> None:
        taken: list[float] = []
        size = 0
        cpu = self.process.cpu
        with self.server.reader() as fetch:
            for _ in range(self._rounds):
                start = time.perf_counter()
                size = fetch(request("GET", path))
                taken.append(time.perf_counter() - start)
        spent = (self.process.cpu - cpu) / self._rounds
        print(
            f"- {title}: {size / 1e6:.1f} MB, median {statistics.median(taken) * 1e3:.0f} ms, "
            f"best {min(taken) * 1e3:.0f} ms, {spent * 1e3:.0f} ms of the server's CPU",
            flush=True,
        )

    async def seen_after(self, writes: int, watchers: int) -> None:
        """From sending a write to having its event on each watch, one write every 5 ms."""
        seen: list[float] = []
        sent: dict[bytes, float] = {}

        def on_chunk(chunk: bytes) -> None:
            now = time.perf_counter()
            for part in chunk.split(b'"round":"r')[1:]:
                key = part[: part.index(b'"')]
                if key in sent:
                    seen.append(now - sent[key])

        open_ = await self._watch(MAPS, watchers, lambda: on_chunk)
        writer = await self.server.connect()
        await writer.call(request("POST", MAPS, b'{"metadata":{"name":"seen"}}'))
        for number in range(writes):
            key = b"%d-" % number
            body = b'{"data":{"round":"r%s"}}' % key
            sent[key] = time.perf_counter()
            await writer.call(request("PATCH", f"{MAPS}/seen", body, MERGE))
            await asyncio.sleep(0.005)
        for connection in [*open_, writer]:
            connection.close()
        seen.sort()
        print(
            f"- a write seen by {watchers} watchers: p50 {seen[len(seen) // 2] * 1e3:.1f} ms, "
            f"p99 {seen[int(len(seen) * 0.99)] * 1e3:.1f} ms ({len(seen):,} events)"
        )

    async def fan_out(self, watchers: int, events: int) -> None:
        """Many watchers of many changes, as fast as it goes; the client's own reading is part of the time."""
        count = 0
        wanted = watchers * events
        done = asyncio.Event()

        def counting() -> Callable[[bytes], None]:
            def on_chunk(chunk: bytes) -> None:
                nonlocal count
                count += chunk.count(b'{"type":"M')
                if count >= wanted:
                    done.set()

            return on_chunk

        start = time.perf_counter()
        writer = await self.server.connect()
        await writer.call(request("POST", MAPS, b'{"metadata":{"name":"fan"}}'))
        open_ = await self._watch(MAPS, watchers, counting)
        print(
            f"- {watchers:,} watchers opened in {time.perf_counter() - start:.1f} s; "
            f"{self.process.memory / 1e6:.0f} MB"
        )
        cpu, start = self.process.cpu, time.perf_counter()
        for number in range(events):
            body = b'{"data":{"round":"%d"}}' % number
            await writer.call(request("PATCH", f"{MAPS}/fan", body, MERGE))
        await asyncio.wait_for(done.wait(), 300)
        taken = time.perf_counter() - start
        spent = self.process.cpu - cpu
        print(
            f"- {watchers:,} watchers × {events:,} events: {taken:.1f} s, {wanted / taken:,.0f} events/s, "
            f"{spent / wanted * 1e6:.1f} µs of the server's CPU an event; {self.process.memory / 1e6:.0f} MB"
        )
        for connection in [*open_, writer]:
            connection.close()

    async def _watch(
        self, path: str, watchers: int, callback: Callable[[], Callable[[bytes], None]]
    ) -> list[Connection]:
        reader = await self.server.connect()
        _, body = await reader.call(request("GET", path))
        reader.close()
        version = json.loads(body)["metadata"]["resourceVersion"]
        open_: list[Connection] = []
        for _ in range(watchers):
            connection = await self.server.connect()
            answered = asyncio.Event()

            def first(chunk: bytes, answered: asyncio.Event = answered) -> None:
                answered.set()

            connection.stream(request("GET", f"{path}?watch=1&resourceVersion={version}"), first)
            await answered.wait()
            connection.on_chunk = callback()
            open_.append(connection)
        return open_


async def _ask(
    title: str,
    connection: Connection,
    send: Callable[[Connection], Awaitable[int]],
    end: float,
    latencies: list[float],
) -> None:
    while (start := time.perf_counter()) < end:
        code = await send(connection)
        if code >= 300:
            raise SystemExit(f"{title}: {code}")
        latencies.append(time.perf_counter() - start)


_GET = request("GET", f"{PODS}/web-000001")


def kubectl(kubeconfig: Path) -> None:
    """What asking the server costs beside starting kubectl."""
    if shutil.which("kubectl") is None:
        print("- kubectl: not installed")
        return
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}
    medians: list[float] = []
    for arguments in (["version", "--client"], ["get", "pods"]):
        taken: list[float] = []
        for _ in range(9):
            start = time.perf_counter()
            subprocess.run(["kubectl", *arguments], env=environment, check=True, capture_output=True)
            taken.append(time.perf_counter() - start)
        medians.append(statistics.median(taken) * 1e3)
    print(f"- kubectl version --client: {medians[0]:.0f} ms; kubectl get pods: {medians[1]:.0f} ms")


async def run(process: Process, folder: Path, options: argparse.Namespace) -> None:
    bench = Bench(process, Server(folder / "kubeconfig"), options.seconds, options.rounds)
    print(f"- ready after {process.ready_after:.2f} s, {process.memory / 1e6:.0f} MB")
    kubectl(folder / "kubeconfig")
    print()
    print("| request | connections | a second, median | best | p50 ms | p99 ms | server's CPU µs |")
    print("|:--|--:|--:|--:|--:|--:|--:|")
    await bench.fill(200)
    for connections in (1, 16):
        await bench.rate("create a pod", connections, bench.create)
        await bench.rate("GET a pod", connections, bench.get)
        await bench.rate("patch a label", connections, bench.patch)
    print()
    await bench.seen_after(300, 1)
    await bench.seen_after(300, 20)
    pods = await bench.fill(options.pods)
    await bench.list_all(f"LIST of {pods:,} pods", PODS)
    await bench.list_all("the same by label", f"{PODS}?labelSelector=app%3Dweb")
    print(f"- with them: {process.memory / 1e6:.0f} MB")
    if options.watchers:
        await bench.fan_out(options.watchers, 1000)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=1.0, help="of each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pods", type=int, default=10_000, help="how many to list")
    parser.add_argument("--watchers", type=int, default=1000, help="of a thousand events; 0: none")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="ktui-bench-"))
    gc.disable()
    try:
        Process(folder / "first").stop()
        process = Process(folder / "data")
        try:
            asyncio.run(run(process, folder / "data", options))
        finally:
            process.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
