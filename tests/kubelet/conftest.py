"""Runtimes for kubelet tests: `sim_runtime` (in memory, on a fake clock) and `podman_runtime` (real Podman).

The Podman runtime is shared by a test module (starting a service and choosing a runtime takes a second) and
has a data folder of its own, so that its objects are told from everyone else's; what a test leaves behind is
removed by its labels when the module is done.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from ktui.engine.kubelet.runtime.base import ContainerSpec, PodIdentity, Runtime, SandboxSpec
from ktui.engine.kubelet.runtime.sim import SimRuntime
from ktui.kube.clock import FakeClock

SAMPLE_IMAGE = "localhost/ktui-sample:1"


@pytest.fixture
def fake_clock() -> FakeClock:
    return FakeClock()


@pytest_asyncio.fixture
async def sim_runtime(tmp_path: Path, fake_clock: FakeClock) -> AsyncIterator[SimRuntime]:
    """A `SimRuntime` on `fake_clock`, without latencies."""
    runtime = SimRuntime(tmp_path / "sim", clock=fake_clock)
    await runtime.start()
    yield runtime
    await runtime.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def podman_runtime(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Runtime]:
    """A started `PodmanRuntime`, shared by the module's tests: mark the module with
    `pytestmark = [pytest.mark.podman, pytest.mark.asyncio(loop_scope="module")]`."""
    from ktui.engine.kubelet.runtime.podman import PodmanRuntime

    runtime = PodmanRuntime(tmp_path_factory.mktemp("podman"))
    await runtime.start()
    yield runtime
    await runtime.remove_everything()
    await runtime.close()


@pytest.fixture
def sandbox_spec() -> Callable[..., SandboxSpec]:
    """Makes sandbox specs with a fresh uid each: `sandbox_spec("web", dns=...)`."""

    def make(name: str = "web", **fields: object) -> SandboxSpec:
        uid = str(uuid.uuid4())
        fields = {"attempt": 0, "hostname": name, "labels": {"test": "yes"}, **fields}
        return SandboxSpec(pod=PodIdentity("default", name, uid), **fields)  # type: ignore[arg-type] - a stand-in with what is asked of it

    return make


@pytest.fixture
def container_spec() -> Callable[..., ContainerSpec]:
    """Makes container specs of the sample image: `container_spec(["sleep", "60"])`."""
    counter = itertools.count(1)

    def make(command: list[str] | None = None, **fields: object) -> ContainerSpec:
        fields = {"name": f"c{next(counter)}", "attempt": 0, "image": SAMPLE_IMAGE, **fields}
        return ContainerSpec(command=command or [], **fields)  # type: ignore[arg-type] - a stand-in with what is asked of it

    return make
