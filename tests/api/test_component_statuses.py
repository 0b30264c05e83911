"""`kubectl get componentstatuses`: the store and the parts beside the API, each as it is now; read only."""

from __future__ import annotations

import asyncio

import pytest

from ktui.engine.api.local import LocalClient
from ktui.engine.api.registry import default_registry
from ktui.engine.api.server import ApiServer
from ktui.engine.parts import Part, failure_of, supervise
from ktui.engine.store import open_store
from ktui.kube.clock import FakeClock, settle
from ktui.kube.errors import StatusError
from ktui.kube.kinds import COMPONENT_STATUSES


async def test_parts_are_healthy_while_they_run_and_say_what_is_wrong_when_not(clock: FakeClock):
    store = open_store(None, clock=clock)
    server = ApiServer(store, default_registry(), clock)
    client = LocalClient(server, "alice")
    part, ends = Part("scheduler"), asyncio.Event()

    async def run() -> None:
        await ends.wait()
        ends.clear()
        raise ValueError("no nodes")

    async def cells() -> list[list[str]]:
        return [row["cells"] for row in (await client.table(COMPONENT_STATUSES))["rows"]]

    server.components.register("scheduler", lambda: failure_of(part))
    assert await cells() == [
        ["etcd-0", "Healthy", "ok", ""],
        ["scheduler", "Unhealthy", "", "it is not started yet"],
    ]
    task = asyncio.create_task(supervise(part, run, clock, lambda _: None))
    await settle()
    assert (await cells())[1] == ["scheduler", "Healthy", "ok", ""]
    ends.set()
    await settle()
    assert (await cells())[1] == ["scheduler", "Unhealthy", "", "ValueError: no nodes"]
    await clock.advance(1)
    assert (await cells())[1] == ["scheduler", "Healthy", "ok", ""]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    one = await client.get(COMPONENT_STATUSES, "scheduler")
    assert one["conditions"] == [{"type": "Healthy", "status": "True", "message": "ok"}]
    for refused, code in (
        (client.get(COMPONENT_STATUSES, "none"), 404),
        (client.create(COMPONENT_STATUSES, one), 405),
    ):
        with pytest.raises(StatusError) as error:
            await refused
        assert error.value.code == code
    await store.close()
