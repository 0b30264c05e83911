"""Durable writes a second and their p99, at 1 and 100 writers and at growing sizes, ktui's store beside its peers.

Every write takes a pod as a dict (2 KB of JSON), encodes it, replaces the one there, and counts when durable. Writers run in a
closed loop: each waits for its write before the next. Rounds alternate between the stores; each store's best is shown,
and the median beside it tells how much the machine was disturbed.

    .venv/bin/python benchmarks/store.py [--seconds 1] [--rounds 5] [--folder DIR]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from store_peers import OWN_TOOL, Etcd, Ktui, Peer, Sqlite, StockTinyDB, pod

SIZES = (1_000, 10_000, 100_000)
WRITERS = (1, 100)
BY_TOOL = "etcd, by its own `benchmark put`"
PEERS = (Ktui, Etcd, Sqlite, StockTinyDB)


@dataclass
class Cell:
    """The rounds of one store at one size with so many writers."""

    rates: list[float] = field(default_factory=list)
    p99s: list[float] = field(default_factory=list)

    @property
    def best(self) -> int:
        """The round that other work on the machine disturbed least."""
        return self.rates.index(max(self.rates))

    @property
    def rate(self) -> float:
        return self.rates[self.best]

    @property
    def p99(self) -> float:
        return self.p99s[self.best]


async def measure(peer: Peer, count: int, writers: int, seconds: float, cell: Cell) -> None:
    latencies: list[float] = []
    clock = time.perf_counter
    start = clock()
    end = start + seconds

    async def writer(first: int) -> None:
        n = first
        while (now := clock()) < end:
            if not peer.suspends:
                await asyncio.sleep(0)  # the others' turn, which is part of how long this write takes
                if clock() >= end:
                    break
            await peer.write(n % count)
            latencies.append(clock() - now)
            n += writers

    async def collect_garbage() -> None:
        while True:
            await asyncio.sleep(0.1)
            gc.collect(0)

    collector = asyncio.ensure_future(collect_garbage())
    await asyncio.gather(*(writer(first) for first in range(writers)))
    collector.cancel()
    cell.rates.append(len(latencies) / (clock() - start))
    cell.p99s.append(sorted(latencies)[int(len(latencies) * 0.99)])


def disk_sync(folder: Path) -> float:
    """The median fdatasync of 2 KB appended into preallocated room: what no durable write can beat alone."""
    descriptor = os.open(folder / "probe", os.O_RDWR | os.O_CREAT)
    os.posix_fallocate(descriptor, 0, 4 << 20)
    taken: list[float] = []
    for n in range(500):
        start = time.perf_counter()
        os.pwrite(descriptor, b"x" * 2048, n * 2048)
        os.fdatasync(descriptor)
        taken.append(time.perf_counter() - start)
    os.close(descriptor)
    return statistics.median(taken)


async def compare(peers: list[Peer], count: int, seconds: float, rounds: int) -> None:
    """Measure all peers in turn, and print their rows."""
    gc.collect()
    gc.freeze()
    cells = {(peer.name, writers): Cell() for peer in peers for writers in WRITERS}
    for _ in range(rounds):
        for writers in WRITERS:
            for peer in peers:
                await measure(peer, count, writers, seconds, cells[peer.name, writers])
                if isinstance(peer, Etcd) and Path(OWN_TOOL).exists():
                    cell = cells.setdefault((BY_TOOL, writers), Cell())
                    rate, p99 = await peer.by_own_tool(count, writers, seconds)
                    cell.rates.append(rate)
                    cell.p99s.append(p99)
    gc.unfreeze()
    for writers in WRITERS:
        ours = cells["ktui", writers].rate
        for name, cell in ((name, cell) for (name, by), cell in cells.items() if by == writers):
            ratio = "" if name == "ktui" else f"{ours / cell.rate:.1f}×"
            median = statistics.median(cell.rates)
            print(
                f"| {count:,} | {writers} | {name} | {cell.rate:,.0f} | {median:,.0f} "
                f"| {cell.p99 * 1e3:.2f} | {ratio} |",
                flush=True,
            )


async def run(folder: Path, seconds: float, rounds: int) -> None:
    size = len(msgspec.json.encode(pod(1)))
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}"
    )
    print(f"objects of {size} bytes; one bare fdatasync: {disk_sync(folder) * 1e6:.0f} µs\n")
    for kind in PEERS:
        print(f"- {kind.name}: {kind.note}")
    reopened: dict[str, float] = {}
    print(
        "\n| objects | writers | store | writes/s | (median) | p99 ms | ktui is |\n|--:|--:|:--|--:|--:|--:|--:|"
    )
    for count in SIZES:
        peers: list[Peer] = []
        try:
            for kind in PEERS:
                if kind is StockTinyDB and count > 10_000:
                    continue  # over ten seconds a write
                peers.append(kind(folder / f"{kind.__name__}-{count}"))
                await peers[-1].load(count)
            await compare(peers, count, seconds, rounds)
            if count == SIZES[-1]:
                reopened = {peer.name: await peer.reopen() for peer in peers}
        finally:
            for peer in peers:
                await peer.close()
    print(f"\nFrom stopped to answering, {SIZES[-1]:,} objects and the history of the run, page cache warm:")
    for name, taken in reopened.items():
        print(f"- {name}: {taken:.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--folder", type=Path, help="where to work, on the disk to measure (default: a temporary one)"
    )
    options = parser.parse_args()
    # As ktui's engine runs (with `collect_garbage` above); the client of etcd gains as much by it.
    sys.setswitchinterval(0.0005)
    gc.disable()
    folder = Path(tempfile.mkdtemp(prefix="ktui-bench-", dir=options.folder))
    try:
        asyncio.run(run(folder, options.seconds, options.rounds))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
