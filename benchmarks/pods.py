"""Pods brought up and taken down by ktui, side by side with `podman kube play` on the same YAML and image.

ktui is a whole `ktui serve`: what is timed starts with the file's save and ends when the API shows all pods
Running, or when objects and containers are gone. Rounds alternate between the two, so that both meet the same
machine. At the end 30 pods at rest: the CPU time of ktui and of its Podman service together.

    .venv/bin/python benchmarks/pods.py [--rounds 7] [--rest 30]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import yaml

from ktui.client.base import WatchOptions
from ktui.client.http import HttpClient
from ktui.kube.kinds import PODS

REPOSITORY = Path(__file__).parents[1]
IMAGE = "localhost/ktui-sample:1"
REPLICAS = 10
RESTING_PODS = 30
TARGETS = {"one pod up": 1.5, "one pod down": 0.8, "10 replicas up": 0.8, "10 replicas down": 0.8}
REST_TARGET = 2.0
_SECONDS = 120.0


def pod_spec() -> dict[str, Any]:
    """It ends as soon as it is asked to, so that no grace period is measured."""
    command = ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 3600 & wait $!; done"]
    return {"containers": [{"name": "main", "image": IMAGE, "command": command}]}


def pod(name: str) -> dict[str, Any]:
    metadata = {"name": name, "labels": {"app": name}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod_spec()}


def deployment(name: str, replicas: int) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": pod_spec()},
        },
    }


class Ktui:
    """`ktui serve` on folders of its own, and a client of it."""

    def __init__(self, root: Path) -> None:
        self._data = root / "data"
        self._folder = root / "manifests"
        self._folder.mkdir()
        self._process: subprocess.Popen[bytes] | None = None
        self._client: HttpClient | None = None

    async def start(self) -> None:
        command = [sys.executable, "-m", "ktui", "--data-dir", str(self._data), "serve"]
        process = subprocess.Popen(
            [*command, "--manifests", str(self._folder)], stdout=subprocess.PIPE, cwd=REPOSITORY
        )
        self._process = process
        assert process.stdout is not None
        line = await asyncio.to_thread(process.stdout.readline)
        if not line.startswith(b"ktui ready"):
            raise SystemExit("ktui did not start")
        self._client = HttpClient.over_unix_socket(self._data / "ktui.sock")

    async def up(self, name: str, manifest: dict[str, Any], pods: int) -> float:
        """Seconds from the save until that many pods are Running."""
        running = asyncio.create_task(
            self._until(lambda states: list(states.values()).count("Running") == pods)
        )
        await asyncio.sleep(0.3)  # the watch is open before the clock starts
        new = self._folder / f".{name}.new"
        new.write_text(yaml.safe_dump(manifest))
        began = time.perf_counter()
        new.rename(self._folder / f"{name}.yaml")
        return await running - began

    async def down(self, name: str) -> float:
        """Seconds from the file's end until neither objects nor containers are left."""
        gone = asyncio.create_task(self._until(lambda states: not states))
        await asyncio.sleep(0.3)
        began = time.perf_counter()
        (self._folder / f"{name}.yaml").unlink()
        ended = await gone
        left = self._podman("ps", "--all", "--quiet")
        if left:
            raise SystemExit(f"the objects are gone, but these containers are left: {left}")
        return ended - began

    async def _until(self, check: Callable[[dict[str, str]], bool]) -> float:
        assert self._client is not None
        listed = await self._client.list(PODS)
        states = {item["metadata"]["uid"]: item["status"].get("phase", "") for item in listed.items}
        options = WatchOptions(resource_version=listed.resource_version)
        async with asyncio.timeout(_SECONDS), self._client.watch(PODS, options=options) as batches:
            async for batch in batches:
                for event in batch:
                    if event.type == "BOOKMARK":
                        continue
                    item = event.object
                    uid = item["metadata"]["uid"]
                    if event.type == "DELETED":
                        states.pop(uid, None)
                    else:
                        states[uid] = item["status"].get("phase", "")
                if check(states):
                    return time.perf_counter()
        raise SystemExit("the watch ended")

    def cpu_seconds(self) -> float:
        """Of ktui and its children (containers and their conmons are children of nobody here)."""
        assert self._process is not None
        return sum(map(_cpu_seconds, _family(self._process.pid)))

    async def close(self) -> None:
        """End it and take its containers and network away."""
        if self._client is not None:
            await self._client.close()
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(30)
        _run(sys.executable, "-m", "ktui", "down", "--data-dir", str(self._data))

    @property
    def _engine(self) -> str:
        return msgspec.json.decode((self._data / "podman" / "podman.json").read_bytes())["engine"]

    def _podman(self, *words: str) -> list[str]:
        return _run("podman", *words, "--filter", f"label=dev.ktui.engine={self._engine}").split()


class KubePlay:
    """`podman kube play` and `kube down`, with the containers.conf that ktui found to work."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._environment = {
            **os.environ,
            "CONTAINERS_CONF": str(root / "data" / "podman" / "containers.conf"),
        }

    def up(self, name: str, manifest: dict[str, Any]) -> float:
        (self._root / f"{name}.yaml").write_text(yaml.safe_dump(manifest))
        return self._timed("play", name)

    def down(self, name: str) -> float:
        return self._timed("down", name)

    def clear(self) -> None:
        """Take away what an unfinished round left."""
        for file in self._root.glob("*.yaml"):
            with suppress(SystemExit):
                self.down(file.stem)

    def _timed(self, verb: str, name: str) -> float:
        began = time.perf_counter()
        _run("podman", "kube", verb, str(self._root / f"{name}.yaml"), env=self._environment)
        return time.perf_counter() - began


def _run(*words: str, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=env, cwd=REPOSITORY)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}: {done.stderr}")
    return done.stdout


def _family(pid: int) -> list[int]:
    found = [pid]
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += _family(int(child))
    return found


def _cpu_seconds(pid: int) -> float:
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


@dataclass
class Times:
    """Seconds of each round."""

    ktui: list[float] = field(default_factory=list)
    kube_play: list[float] = field(default_factory=list)

    def row(self, what: str) -> str:
        ours, theirs = statistics.median(self.ktui), statistics.median(self.kube_play)
        ratio, target = ours / theirs, TARGETS[what]
        verdict = "yes" if ratio <= target else "**no**"
        spread = f"{min(self.ktui):.3f}–{max(self.ktui):.3f}"
        others = f"{min(self.kube_play):.3f}–{max(self.kube_play):.3f}"
        return f"| {what} | {ours:.3f} | {spread} | {theirs:.3f} | {others} | {ratio:.2f}× | ≤ {target}× | {verdict} |"


async def rounds(ktui: Ktui, play: KubePlay, count: int) -> dict[str, Times]:
    times = {what: Times() for what in TARGETS}
    shapes: Sequence[tuple[str, str, dict[str, Any], int]] = (
        ("one pod", "bench-one", pod("bench-one"), 1),
        (f"{REPLICAS} replicas", "bench-ten", deployment("bench-ten", REPLICAS), REPLICAS),
    )
    for number in range(count + 1):
        for what, name, manifest, pods in shapes:
            ours = await ktui.up(name, manifest, pods), await ktui.down(name)
            theirs = (
                await asyncio.to_thread(play.up, name, manifest),
                await asyncio.to_thread(play.down, name),
            )
            if number == 0:
                continue  # the first warms both up
            for direction, our, their in zip(("up", "down"), ours, theirs, strict=True):
                times[f"{what} {direction}"].ktui.append(our)
                times[f"{what} {direction}"].kube_play.append(their)
    return times


async def at_rest(ktui: Ktui, seconds: float) -> float:
    """Percent of a core that 30 pods at rest cost."""
    await ktui.up("resting", deployment("resting", RESTING_PODS), RESTING_PODS)
    await asyncio.sleep(5)
    before, began = ktui.cpu_seconds(), time.perf_counter()
    await asyncio.sleep(seconds)
    used = (ktui.cpu_seconds() - before) / (time.perf_counter() - began) * 100
    await ktui.down("resting")
    return used


async def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--rest", type=float, default=30, metavar="SECONDS", help="0: leave it out")
    options = parser.parse_args()
    _run(str(REPOSITORY / "scripts" / "sample-image.sh"))
    root = Path(tempfile.mkdtemp(prefix="ktui-bench-"))
    ktui = Ktui(root)
    try:
        await ktui.start()
        load = os.getloadavg()[0]
        play = KubePlay(root)
        try:
            times = await rounds(ktui, play, options.rounds)
        except BaseException:
            play.clear()
            raise
        cpu = await at_rest(ktui, options.rest) if options.rest else None
    finally:
        await ktui.close()
        shutil.rmtree(root, ignore_errors=True)
    version = _run("podman", "--version").split()[-1]
    print(
        f"{os.cpu_count()} cores, load average {load:.1f} before and {os.getloadavg()[0]:.1f} after, "
        f"Python {platform.python_version()}, Podman {version}, {options.rounds} rounds; seconds\n"
    )
    print("| | ktui, median | min–max | kube play, median | min–max | ktui is | to reach | reached |")
    print("|:--|--:|--:|--:|--:|--:|--:|:--|")
    for what, measured in times.items():
        print(measured.row(what))
    if cpu is not None:
        print(f"\n{RESTING_PODS} pods at rest: {cpu:.2f} % of a core (to reach: < {REST_TARGET:g} %)")


if __name__ == "__main__":
    asyncio.run(main())
