"""Engines on real Podman for the tests of the main job."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
sys.path.insert(0, str(REPOSITORY / "tests" / "cli"))

from cluster import Cluster  # noqa: E402 - found only with the path above


@pytest.fixture(scope="session", autouse=True)
def sample_image() -> None:
    """Both versions of the sample image."""
    subprocess.run([REPOSITORY / "scripts" / "sample-image.sh"], check=True)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """One running engine for the tests of a module."""
    made = Cluster()
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture
def new_cluster() -> Iterator[Callable[..., Cluster]]:
    """Makes engines of the test's own; not started."""
    made: list[Cluster] = []

    def make(**options: str) -> Cluster:
        made.append(Cluster(**options))
        return made[-1]

    yield make
    for cluster in made:
        cluster.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test shows what its engine said last."""
    report = yield
    cluster = getattr(item, "funcargs", {}).get("cluster")
    if report.failed and isinstance(cluster, Cluster):
        report.sections.append(("what the engine said", cluster.said(30)))
    return report
